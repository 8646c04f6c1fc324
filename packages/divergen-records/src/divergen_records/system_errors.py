"""Errors of the operating system as a sentence: which path, what is wrong, what to do."""

from __future__ import annotations

import errno
import os
import re
import shutil
import sys
import tempfile
from contextlib import suppress

__all__ = ["explain"]

_SHARED_MEMORY = "/dev/shm"  # noqa: S108 (looked at, not written)
_FEW_BYTES = 1 << 20

_FULL = "free some room and run the same line again, what was finished stays"
_SHARED_FULL = (
    "the shared memory of this machine or container is full; give it more (docker run --shm-size=8g), or use fewer "
    "workers"
)
_PERMISSION = "no permission; change it (chmod, chown), or choose another place"

_REMEDIES = {
    errno.EACCES: _PERMISSION,
    errno.EPERM: _PERMISSION,
    errno.EROFS: "this file system can only be read; choose another place",
    errno.ENOTDIR: "a part of this path is a file and no folder; choose another place",
    errno.EEXIST: "something is there already; choose another name",
    errno.ENOTEMPTY: "the folder is not empty; choose another name",
    errno.EISDIR: "this is a folder; give the name of a file",
    errno.ENOENT: "there is no such file or folder; check the path",
    errno.ENAMETOOLONG: "the name is too long (255 bytes at most, 4,096 for a path); use a shorter one",
    errno.ELOOP: "the links go round in a circle; mend them",
    errno.ENOSPC: f"no space left on this disk; {_FULL}",
    errno.EDQUOT: f"your quota of this disk is used up; {_FULL}",
    errno.EFBIG: "the file would be larger than is allowed here (ulimit -f); allow more, or write less",
    errno.EIO: "the disk or its connection failed (input/output error); look at the system's log, then run again",
    errno.ESTALE: "the network file system lost this file; mount it again, then run again",
    errno.EMFILE: "too many files are open; allow more (ulimit -n 4096), or use fewer workers",
    errno.ENFILE: "too many files are open on this machine; close other programs",
    errno.ENOMEM: "not enough memory; use smaller batches or fewer workers",
    errno.EAGAIN: "no more processes or threads may be started; allow more (ulimit -u), or use fewer workers",
    errno.ETXTBSY: "the file is in use; stop the program that uses it",
    errno.EBUSY: "the file or folder is in use (a mount, perhaps); choose another place",
    errno.EXDEV: "source and target lie on different disks; choose a place on the same one",
}

_RESOURCES = frozenset(
    [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN, errno.EFBIG]
)
"""What is understood without a path."""

_SENTENCES = (
    (r"Could not determine home directory", "this user has no home folder; set HOME to a folder that can be written"),
    (r"can't start new thread", "no more threads may be started; allow more (ulimit -u), or use fewer workers"),
    (r"out of shared memory|Bus error|/torch_\w+.*No space left", _SHARED_FULL),
    (r"failed to map segment", f"a library could not be loaded: {_REMEDIES[errno.ENOMEM]}, or allow more (ulimit -v)"),
    (r"[Tt]oo many open files", _REMEDIES[errno.EMFILE]),
    (
        r"PytorchStreamWriter failed writing|inline_container\.cc:\d+\] \. unexpected pos",
        f"a file of PyTorch's could not be written to its end, most likely for want of space on its disk; {_FULL}",
    ),
)
"""What libraries make of such errors: a `RuntimeError` or an `ImportError` with these words."""


def explain(error: BaseException) -> str | None:
    """A sentence for an error of the operating system, None for any other: that is a bug, and keeps its trace."""
    if isinstance(error, MemoryError):
        return f"{_REMEDIES[errno.ENOMEM]} ({error})" if str(error) else _REMEDIES[errno.ENOMEM]
    if isinstance(error, UnicodeEncodeError):
        return _locale(error)
    if isinstance(error, shutil.Error):
        return _of_a_copy(error)
    if isinstance(error, (RuntimeError, ImportError)):
        return next((sentence for words, sentence in _SENTENCES if re.search(words, str(error))), None)
    if not isinstance(error, OSError) or error.errno is None or isinstance(error, BrokenPipeError):
        return None
    if error.errno == errno.ENOENT and (gone := _gone(error)):
        return gone
    name = _name(error)
    if error.errno == errno.ENOSPC and name.startswith(_SHARED_MEMORY):
        return f"{name}: {_SHARED_FULL}"
    if name:
        return f"{name}: {_REMEDIES.get(error.errno, error.strerror)}"
    return _REMEDIES[error.errno] if error.errno in _RESOURCES else None


def _of_a_copy(error: shutil.Error) -> str | None:
    """Of a folder that was copied (`shutil.copytree`): the first of its files that could not be, and how many more."""
    failed = error.args[0] if isinstance(error.args[0], list) else []
    for source, target, why in failed:
        if number := re.match(r"\[Errno (\d+)\] ", why):
            code = int(number[1])
            sentence = explain(OSError(code, os.strerror(code), target if code in _RESOURCES else source))
            return f"{sentence} ({len(failed):,} files could not be copied)" if len(failed) > 1 else sentence
    return None


def _gone(error: OSError) -> str | None:
    """Of a place that every program takes to be there: where it was started, and where temporary files go."""
    if error.filename is None and "temporary directory" in str(error.strerror):
        return f"there is no folder for temporary files that can be written; set TMPDIR to one ({error.strerror})"
    try:
        os.getcwd()  # noqa: PTH109 - no path is wanted
    except FileNotFoundError:
        return "the folder that this was started in is gone (removed, or unmounted); cd into one that is there"
    return None


def _locale(error: UnicodeEncodeError) -> str | None:
    """Of a file name whose letters the locale lacks."""
    encoding = sys.getfilesystemencoding()
    if encoding == "utf-8" or error.encoding != encoding:
        return None
    return (
        f"{error.object[:140]!r}: in this locale ({encoding}) no file can have this name; run it with PYTHONUTF8=1, or "
        "set LC_ALL=C.UTF-8"
    )


def _name(error: OSError) -> str:
    """The path that an error is about; of a full disk that says no path, the place that is full."""
    if error.filename is not None:
        name = os.fsdecode(error.filename) if isinstance(error.filename, (str, bytes, os.PathLike)) else ""
        return name if len(name) <= 300 else f"{name[:140]}…{name[-140:]}"
    if error.errno == errno.ENOSPC:
        return next((place for place in (_SHARED_MEMORY, tempfile.gettempdir(), os.curdir) if _is_full(place)), "")
    return ""


def _is_full(place: str) -> bool:
    with suppress(OSError):
        return shutil.disk_usage(place).free < _FEW_BYTES
    return False
