"""What data sets are read from and written as.

A format is an object that satisfies `ReadsData`, `WritesData` or both. Ours are in ``builtin.py``; an installed package
adds one by an entry point that names it, or a class or function that gives it::

    [project.entry-points."divergen.formats"]
    voc = "my_package:VocFormat"
"""

from .protocol import Format, OnProblem, ReadsData, WritesData
from .registry import add_format, find_format, get_format, locate, read_any, readers, writers

__all__ = [
    "Format",
    "OnProblem",
    "ReadsData",
    "WritesData",
    "add_format",
    "find_format",
    "get_format",
    "locate",
    "read_any",
    "readers",
    "writers",
]
