"""NumPy's files of others: what is raised where a file holds no arrays that can be read without running it."""

from __future__ import annotations

from tokenize import TokenError
from zipfile import BadZipFile
from zlib import error as ZlibError

__all__ = ["NO_ARRAYS"]

NO_ARRAYS = (
    OSError, ValueError, LookupError, TypeError, AttributeError, SyntaxError, EOFError, RuntimeError, TokenError,
    BadZipFile, ZlibError, MemoryError,
)  # fmt: skip
"""By ``numpy.load``, ``open_memmap`` and looks into an archive: a header is parsed as Python's, an archive as a zip,
which one changed byte declares encrypted, or packed in another way; one that claims more than any memory holds is
refused before a byte of it is read."""
