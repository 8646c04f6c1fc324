"""A file of JSON Lines that appears when it is complete."""

from __future__ import annotations

import json
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from divergen_records import ImageError

__all__ = ["LinesWriter"]


class LinesWriter:
    """Writes one JSON object a line; use it as a context manager. The file appears when the block ends well.

    Args:
        path: The file.
        overwrite: Replace a file that is there.
    """

    def __init__(self, path: Path, *, overwrite: bool = False) -> None:
        if path.exists() and not overwrite:
            raise ImageError(f"{path} is there already; choose another name, or ask to overwrite it")
        self.path = path
        self._partial = path.with_name(f".{path.name}.partial")

    def __enter__(self) -> Self:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file: IO[str] = self._partial.open("w", encoding="utf-8")
        return self

    def add(self, **values: Any) -> None:
        """Write a line; numbers to four digits."""
        rounded = {key: round(value, 4) if isinstance(value, float) else value for key, value in values.items()}
        self._file.write(json.dumps(rounded, ensure_ascii=False) + "\n")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        if kind is None:
            self._partial.replace(self.path)
        else:
            self._partial.unlink(missing_ok=True)
