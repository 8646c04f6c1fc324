"""What is said of a file before it is used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

__all__ = ["frequency_notice"]


class _Categories(msgspec.Struct):
    categories: list[dict[str, Any]]


def frequency_notice(path: Path) -> str | None:
    """A sentence about categories without ``frequency``, whose groups are computed; None where all have one.

    It matters for a validation file: LVIS's groups are those of the training images.
    """
    try:
        categories = msgspec.json.decode(path.read_bytes(), type=_Categories).categories
    except msgspec.DecodeError:
        return None  # whoever reads the data set says what is wrong with it
    lacking = [row for row in categories if row.get("frequency") is None]
    if not lacking:
        return None
    counted = sum(row.get("image_count") is not None for row in lacking)
    source = "their image_count" if counted == len(lacking) else "the images of this file that show them"
    return (
        f"{path.name}: {len(lacking)} of {len(categories)} categories have no frequency; computed from {source} "
        "(rare: up to 10 images, common: up to 100)"
    )
