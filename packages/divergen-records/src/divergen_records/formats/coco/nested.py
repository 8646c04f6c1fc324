"""Annotations that lie inside their images, as scripts and databases write them, instead of in a list beside them."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import msgspec

from ...errors import DatasetError
from ..problems import Problems
from .frame import Item
from .items import split_items
from .values import row_of

__all__ = ["lift_annotations"]

_KEY = "annotations"


def lift_annotations(parts: dict[str, Any], problems: Problems) -> None:
    """Take the annotations out of the images that hold some, where the file's own list is empty.

    Of a file that has both its own list is read, and that is told.

    Args:
        parts: Of `read_frame`; changed in place.
        problems: Takes what is told.
    """
    images = parts["images"]
    if isinstance(images, msgspec.Raw) and b'"annotations"' not in bytes(images):
        return
    items, lifted = split_items(images), list[Item]()
    holders = 0
    for at, item in enumerate(items):
        row: dict[str, Any] = {}
        with suppress(DatasetError):
            row = row_of(item)
        objects = row.get(_KEY)
        if isinstance(objects, list) and objects and all(isinstance(one, dict) for one in objects):
            holders += 1
            items[at] = _as_item({key: value for key, value in row.items() if key != _KEY})
            lifted += [_as_item({"image_id": row.get("id"), **one}) for one in objects]
    if not lifted:
        return
    told = f"{problems.path.name}: {len(lifted)} annotations lie inside {holders} images"
    if split_items(parts[_KEY]):
        problems.notes.append(f"{told}; not read, for the file has a list of its own")
        return
    problems.notes.append(f"{told}, and are read there")
    parts["images"], parts[_KEY] = items, lifted


def _as_item(row: dict[str, Any]) -> Item:
    """As text, but for a row with NaN, which msgspec would write as null."""
    text = json.dumps(row)
    return row if "NaN" in text or "Infinity" in text else msgspec.Raw(text.encode())
