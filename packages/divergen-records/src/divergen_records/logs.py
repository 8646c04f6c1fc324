"""A file of lines that only grows and that several append to: of this machine, or on a store.

A store appends to nothing: the whole is put again, and the put counts only if nobody's came between. So lines that
`Log.append` has written are on the store itself, and nowhere else.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

from filelock import FileLock

from .files import make_folder, sync
from .stores import StorePath, access, place

__all__ = ["Log"]


class Log:
    """A file of lines that only grows.

    Args:
        path: The file, or its address; made with the first line.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = place(path)
        self._read = b""
        self._tag: str | None = None
        self._threads = Lock()

    @contextmanager
    def held(self, seconds: float = -1) -> Iterator[None]:
        """Hold it while the block reads and appends: for all of this machine, or on a store for all of this process.

        Args:
            seconds: To wait for others; for ever where negative.

        Raises:
            TimeoutError: If another process has held it for so long.
        """
        if isinstance(self.path, StorePath):
            with self._threads:
                yield
            return
        make_folder(self.path.parent)
        with FileLock(self.path.with_name(f".{self.path.name}.lock"), timeout=seconds):
            yield

    def read(self, start: int = 0) -> bytes:
        """What is there from byte ``start`` on; nothing where there is no file."""
        if isinstance(self.path, StorePath):
            if access.find_tag(self.path) != self._tag:
                self._read, self._tag = access.read_with_tag(self.path) or (b"", None)
            return self._read[start:]
        try:
            with self.path.open("rb") as file:
                file.seek(start)
                return file.read()
        except FileNotFoundError:
            return b""

    def append(self, lines: bytes) -> bool:
        """Write whole lines, on lines of their own also where a kill tore the last one.

        Returns:
            True when they are on the disk or the store; False, and nothing was written, if others on the store have
            appended since the last `read`, which is then to be done again.
        """
        if isinstance(self.path, StorePath):
            return access.replace(self.path, self._read + lines, self._tag)
        is_new = not self.path.exists()
        with self.path.open("ab+") as file:
            file.seek(max(file.tell() - 1, 0))
            file.write(b"\n" * (file.read(1) not in (b"", b"\n")) + lines)
            file.flush()
            os.fsync(file.fileno())
        if is_new:
            sync(self.path.parent)
        return True
