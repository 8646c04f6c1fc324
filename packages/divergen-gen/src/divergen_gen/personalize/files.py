"""Where the weights of a category lie; needs no torch."""

from __future__ import annotations

import re
from pathlib import Path

from divergen_records import short_hash

__all__ = ["personal_file"]


def personal_file(folder: Path, category: str) -> Path:
    """The file of a category's weights in a folder of `personalize`; no two categories share one."""
    plain = re.sub(r"[^\w().-]+", "_", category).lstrip(".")
    return folder / f"{plain if plain == category else f'{plain}-{short_hash(category, size=3)}'}.safetensors"
