"""A file of JSON Lines that appears when it is complete."""

from __future__ import annotations

import json
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from divergen_records.files import writing_text

__all__ = ["JsonlWriter"]


class JsonlWriter:
    """Writes one JSON object a line; use it as a context manager. The file appears when the block ends well.

    Args:
        path: The file.
        overwrite: Replace a file that is there.
    """

    def __init__(self, path: Path, *, overwrite: bool = False) -> None:
        self._making = writing_text(path, overwrite=overwrite)

    def __enter__(self) -> Self:
        self._file = self._making.__enter__()
        return self

    def add(self, **values: Any) -> None:
        """Write a line; numbers to four digits."""
        rounded = {key: round(value, 4) if isinstance(value, float) else value for key, value in values.items()}
        self._file.write(json.dumps(rounded, ensure_ascii=False) + "\n")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._making.__exit__(kind, error, trace)
