"""Names of what is not finished yet, which say whose it is: what a killed process left is found by them and removed.

``.NAME.HOST.PID.N.tmp``, beside the file that is written or in the system's temporary folder. The first look into a
folder, to write there, removes what dead processes left.
"""

from __future__ import annotations

import itertools
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .file_names import NAME_BYTES
from .hosts import runs, this_host

__all__ = ["is_temporary", "make_scratch", "new_name", "remove_scratch", "scratch_folder", "sweep"]

_TEMPORARY = re.compile(r"\..+\.(?P<host>[^.]+)\.(?P<pid>\d+)\.\d+\.tmp")
_OTHER_HOST_SECONDS = 86_400
"""A temporary file of another machine, whose processes cannot be seen from here, is dead when so old."""

_numbers = itertools.count()
_mine: set[Path] = set()
_swept: set[Path] = set()


@contextmanager
def new_name(path: Path) -> Iterator[Path]:
    """A name beside ``path`` that nobody has; what lies under it when the block ends is removed."""
    end = _ending()
    stem = os.fsdecode(os.fsencode(path.name)[: NAME_BYTES - len(end) - 1])
    temporary = path.with_name(f".{stem}{end}")
    _mine.add(temporary.absolute())
    try:
        yield temporary
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        _mine.discard(temporary.absolute())


def _ending() -> str:
    """The end of a temporary name, by which its process is known."""
    return f".{this_host()}.{os.getpid()}.{next(_numbers)}.tmp"


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder in the system's temporary one (``TMPDIR``), for this user alone and only for the block."""
    folder = make_scratch()
    try:
        yield folder
    finally:
        remove_scratch(folder)


def make_scratch() -> Path:
    """As `scratch_folder`, for one who calls `remove_scratch` when it is done with; a kill's remains are swept."""
    sweep(Path(tempfile.gettempdir()))
    folder = Path(tempfile.mkdtemp(prefix=".divergen-", suffix=_ending()))
    _mine.add(folder.absolute())
    return folder


def remove_scratch(folder: Path) -> None:
    """Remove what `make_scratch` made."""
    shutil.rmtree(folder, ignore_errors=True)
    _mine.discard(folder.absolute())


def is_temporary(path: Path) -> bool:
    """Whether a name is one of those under which files are written here."""
    return _TEMPORARY.fullmatch(path.name) is not None


def sweep(folder: Path) -> None:
    """Remove what dead processes left in a folder under temporary names; looks once in the life of this process."""
    folder = folder.absolute()
    if folder in _swept:
        return
    _swept.add(folder)
    with suppress(OSError):  # what cannot be looked at or removed is left; the write itself will say why
        for path in filter(is_temporary, map(Path, os.scandir(folder))):
            with suppress(OSError):
                if _is_dead(path):
                    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)


def _is_dead(path: Path) -> bool:
    """Whether nobody writes a temporary file any more."""
    match = _TEMPORARY.fullmatch(path.name)
    assert match
    if match["host"] != this_host():
        return time.time() - path.lstat().st_mtime > _OTHER_HOST_SECONDS
    pid = int(match["pid"])
    return path not in _mine if pid == os.getpid() else not runs(pid)
