"""One program in a training's folder at a time, also after the run that started it was killed."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from divergen_records.command import echo

with suppress(ImportError):  # not on Windows: there a program ends with what started it or is not noticed
    import fcntl

__all__ = ["Place", "alone"]

_POLL_SECONDS = 0.5


class Place:
    """A lock file that a program inherits, so that the lock goes when the program does.

    Attributes:
        handle: To be passed on to the program; None where the system has no such locks.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("a+b") if "fcntl" in globals() else None
        self.handle = None if self._file is None else self._file.fileno()

    def close(self) -> None:
        """Let go; a program that inherited the handle keeps the lock."""
        if self._file is not None:
            self._file.close()

    def note(self, pid: int) -> None:
        """Write down which program holds the lock."""
        self._path.write_text(str(pid), encoding="ascii")

    def wait(self, name: str) -> None:
        """Take the lock as soon as the program of an earlier call has ended."""
        told = False
        while self.handle is not None and not _take(self.handle):
            pid = int(self._path.read_text("ascii") or 0)
            if not pid or not _runs(pid):
                return  # what it started and left behind has the handle
            if not told:
                echo(
                    f"{name}: the program of an earlier call still runs; waiting for it (or end it: kill {pid})",
                    err=True,
                )
                told = True
            time.sleep(_POLL_SECONDS)


@contextmanager
def alone(folder: Path, name: str) -> Iterator[Place]:
    """Wait until no program of an earlier call works in a folder; its `Place.handle` is for the next one.

    Args:
        folder: The training's folder.
        name: The training, for the message.
    """
    place = Place(folder / ".program")
    try:
        place.wait(name)
        yield place
    finally:
        place.close()


def _take(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
