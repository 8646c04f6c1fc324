"""Write files: whole or not at all, in UTF-8, never over what is there unless asked; what a kill left is swept.

A file is written under a hidden name beside it (`divergen_records.temporary`), brought to the disk, and renamed.
Folders: see `divergen_records.folders`.
"""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, TextIO

from .errors import ExistsError, RunLocked
from .reading import parse_json, read_json, read_text, refuse_pipe
from .stores import StorePath, place, refuse_store
from .temporary import is_temporary, new_name, scratch_folder, sweep

__all__ = [
    "Written",
    "is_temporary",
    "locked",
    "make_folder",
    "new_name",
    "parse_json",
    "read_json",
    "read_text",
    "refuse_existing",
    "refuse_pipe",
    "sweep",
    "sync",
    "write_bytes",
    "write_text",
    "writing",
    "writing_text",
]

_WRITE_FAULTS = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG)


def refuse_existing(*paths: Path | str | None, overwrite: bool) -> None:
    """Refuse to write where something is, a broken link included; what a kill left beside a file is swept.

    Args:
        paths: Files to be written; None is one that was not asked for.
        overwrite: Files that are there may be replaced; folders never.

    Raises:
        ExistsError: If something is there.
    """
    for path in (place(path) for path in paths if path is not None):
        if not isinstance(path, StorePath):
            sweep(path.parent)
        if path.is_dir():
            raise ExistsError(f"{path} is a folder; give the name of a file")
        if not overwrite and (path.exists() if isinstance(path, StorePath) else os.path.lexists(path)):
            raise ExistsError(f"{path} is there already; choose another name, or replace it with --overwrite")


@contextmanager
def writing(path: Path | str, *, overwrite: bool = False) -> Iterator[BinaryIO]:
    """A binary file that appears under its name when the block ends well; folders above it are made.

    A link at ``path`` is replaced, not followed.

    Args:
        path: The file.
        overwrite: Replace a file that is there.

    Raises:
        ExistsError: If something is there, at the start or at the end.
        OSError: If it cannot be written; names ``path``.
    """
    path = place(path)
    refuse_existing(path, overwrite=overwrite)
    if isinstance(path, StorePath):
        with _sending(path, overwrite) as file:
            yield file
        return
    with _naming(path):
        make_folder(path.parent)
        with new_name(path) as temporary:
            with temporary.open("xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            _put(temporary, path, overwrite)
            sync(path.parent)


@contextmanager
def writing_text(path: Path | str, *, overwrite: bool = False) -> Iterator[TextIO]:
    """A UTF-8 text file that appears under its name when the block ends well; see `writing`."""
    with writing(path, overwrite=overwrite) as file:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="\n", write_through=True)
        try:
            yield text
            text.flush()
        finally:
            with suppress(OSError, ValueError):  # a disk that is full fails again
                text.detach()


def write_bytes(path: Path | str, data: bytes, *, overwrite: bool = False) -> None:
    """Write a whole file or nothing; see `writing`."""
    with writing(path, overwrite=overwrite) as file:
        file.write(data)


def write_text(path: Path | str, text: str, *, overwrite: bool = False) -> None:
    """Write a whole UTF-8 text file or nothing; see `writing`."""
    write_bytes(path, text.encode("utf-8"), overwrite=overwrite)


@contextmanager
def locked(lock: Path, what: str, *, wait: bool = False) -> Iterator[None]:
    """Hold a lock file; the lock goes with the process that holds it. On a store: `divergen_records.stores.locks`.

    Args:
        lock: The file, made where it is missing.
        what: What is held, for the message.
        wait: Wait for it.

    Raises:
        RunLocked: If another process holds it, and ``wait`` is not set.
    """
    from filelock import FileLock, Timeout

    if isinstance(lock, StorePath):
        from .stores.locks import held as held_on_store

        with held_on_store(lock, what, wait=wait):
            yield
        return
    held = FileLock(lock, timeout=-1 if wait else 0)
    try:
        held.acquire()
    except Timeout:
        raise RunLocked(f"another process works on {what}; wait for it, stop it, or use another --out") from None
    try:
        yield
    finally:
        held.release()


class Written:
    """Files that were written, told apart as the disk does: one that ignores case has one file for ``a`` and ``A``."""

    def __init__(self) -> None:
        self._files = set[tuple[int, int]]()

    def __contains__(self, path: Path) -> bool:
        return path.exists() and self._key(path) in self._files

    def write(self, path: Path, data: bytes) -> None:
        """Write a small file, whole or not at all; a link in its place is replaced, not followed."""
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep(path.parent)
        with new_name(path) as temporary:
            temporary.write_bytes(data)
            temporary.replace(path)
        self._files.add(self._key(path))

    def _key(self, path: Path) -> tuple[int, int]:
        status = path.stat()
        return status.st_dev, status.st_ino


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, where they are missing.

    Raises:
        NotADirectoryError: If a file has the name of one of them.
        ConfigError: If it is an address, and no `StorePath`.
        OSError: If it cannot be made.
    """
    if isinstance(folder, StorePath):  # a store has no folders
        return
    refuse_store(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder)) from error


def sync(folder: Path) -> None:
    """Bring a folder's list of names to the disk, where the system can."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextmanager
def _sending(path: StorePath, overwrite: bool) -> Iterator[BinaryIO]:
    """A file of this machine that goes to the store when the block ends well."""
    from .stores.access import send

    with scratch_folder() as folder:
        local = folder / "file"
        with local.open("xb") as file:
            yield file
        try:
            send({path: local}, overwrite=overwrite)
        except FileExistsError:
            refuse_existing(path, overwrite=False)
            raise


def _put(temporary: Path, path: Path, overwrite: bool) -> None:
    """Give a finished file its name; without ``overwrite`` not even over what has come there meanwhile."""
    if not overwrite:
        try:
            path.hardlink_to(temporary)
        except FileExistsError:
            refuse_existing(path, overwrite=False)
            raise
        except OSError:  # a file system without hard links: look, then rename
            refuse_existing(path, overwrite=False)
        else:
            return
    temporary.replace(path)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Let an error of writing name the file that was asked for, not the temporary one."""
    try:
        yield
    except OSError as error:
        temporary = error.filename is not None and is_temporary(Path(error.filename))
        if temporary or (error.filename is None and error.errno in _WRITE_FAULTS):
            error.filename, error.filename2 = str(path), None
        raise
