"""Files that commands write and read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from divergen_records.errors import ConfigError

__all__ = ["frequency_notice", "refuse_existing", "write_text"]


def refuse_existing(path: Path | None, overwrite: bool) -> None:
    """Raise `ConfigError` if a file is there that would be replaced."""
    if path is not None and path.exists() and not overwrite:
        raise ConfigError(f"{path}: exists; give another name or --overwrite")


def write_text(path: Path, text: str) -> None:
    """Write a file under a temporary name and rename it, so that a kill leaves no half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}")
    temporary.write_text(text)
    temporary.replace(path)


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
