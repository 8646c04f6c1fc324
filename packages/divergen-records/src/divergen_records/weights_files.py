"""Whether a file of weights is one, by its first and last bytes: nothing is loaded."""

from __future__ import annotations

import json
from pathlib import Path
from zipfile import is_zipfile

__all__ = ["why_no_weights"]

_HEAD = 512
_PAGE = (b"<!doctype", b"<html", b"<?xml")
_POINTER = b"version https://git-lfs"
_PICKLED = (".pth", ".pt", ".ckpt", ".bin")


def why_no_weights(path: Path) -> str | None:
    """What is wrong with a file, in words that follow its name; None where it may be what it is called.

    Downloads leave three kinds: the page that asked to log in, a pointer of Git LFS, and half of the file.

    Raises:
        OSError: If it cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if head.lstrip(b"\xef\xbb\xbf \r\n\t").lower().startswith(_PAGE):
        return "is a web page, not the file: the link of the download led to one; fetch it again"
    if head.startswith(_POINTER):
        return "is a pointer of Git LFS, not the file; fetch it with `git lfs pull`"
    cut = (path.suffix in _PICKLED and head.startswith(b"PK") and not is_zipfile(path)) or (
        path.suffix == ".safetensors" and path.stat().st_size < _wanted(path)
    )
    return "ends too early: the download was cut off; fetch it again" if cut else None


def _wanted(path: Path) -> int:
    """Bytes that the header of a safetensors file promises; 0 where it is none, which its library says better."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = file.read(min(length, path.stat().st_size))
    try:
        entries = json.loads(header).items()
        ends = [int(entry["data_offsets"][1]) for name, entry in entries if name != "__metadata__"]
    except (ValueError, TypeError, KeyError, IndexError, AttributeError):
        return 0
    return 8 + length + max(ends, default=0)
