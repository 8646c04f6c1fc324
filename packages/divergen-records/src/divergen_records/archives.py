"""Archives of others (NumPy's ``.npz``, PyTorch's ``.pt``, Parquet) that would fill memory are refused before."""

from __future__ import annotations

import struct
from pathlib import Path
from zipfile import BadZipFile, ZipFile

__all__ = ["why_no_archive", "why_too_much"]

_HARMLESS = 2**27
"""Bytes that any archive may unpack to."""

_RATIO = 100
"""More is unpacked than this many times what is packed by no file of numbers or pictures, but by one made to harm."""


def why_too_much(packed: int, unpacked: int) -> str | None:
    """Why something is not unpacked, in words that follow its name; None where it may be.

    Args:
        packed: Its bytes on the disk.
        unpacked: The bytes that it says to hold.
    """
    if unpacked <= max(_HARMLESS, _RATIO * packed):
        return None
    return f"says to hold {unpacked:,} bytes in {packed:,}: it is damaged, or was made to fill memory"


def why_no_archive(path: Path) -> str | None:
    """Why a zip file is not unpacked (see `why_too_much`), or that it is none; None where it may be.

    Raises:
        OSError: If it cannot be read.
    """
    try:
        with ZipFile(path) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
    except (BadZipFile, ValueError, EOFError, NotImplementedError, struct.error) as error:
        return f"is no sound archive ({error})"
    return why_too_much(path.stat().st_size, unpacked)
