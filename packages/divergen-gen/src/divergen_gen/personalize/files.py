"""Where the weights of a category lie; needs no torch."""

from __future__ import annotations

import re
from pathlib import Path

from divergen_records import short_hash

__all__ = ["personal_file"]

_LETTERS = 40
_RESERVED = frozenset(
    ["con", "prn", "aux", "nul", *(f"{port}{number}" for port in ("com", "lpt") for number in range(10))]
)
"""Names that Windows keeps for devices, with any suffix."""


def personal_file(folder: Path, category: str) -> Path:
    """The file of a category's weights in a folder of `personalize`; no two categories share one, on any disk.

    A name of small letters, digits, ``_``, ``-``, ``.`` and brackets is the file's, too; any other gets a hash.
    """
    plain = re.sub(r"[^\w().-]+", "_", category.casefold()).lstrip(".")[:_LETTERS]
    own = plain == category and plain.isascii() and plain.split(".")[0] not in _RESERVED
    return folder / f"{plain if own else f'{plain}-{short_hash(category, size=3)}'}.safetensors"
