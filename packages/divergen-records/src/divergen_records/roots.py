"""Categories that only head the others, as Roboflow writes one."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

__all__ = ["root_ids"]


def root_ids(rows: Mapping[int, Mapping[str, Any]], used: Collection[int]) -> set[int]:
    """Ids of the categories that no object has and that are the supercategory of one, or the only one without any.

    Args:
        rows: Category id -> its row in the file, with ``name`` and ``supercategory``.
        used: Ids of the categories that objects have.
    """
    heads = (row.get("supercategory") for id_, row in rows.items() if id_ in used)
    above = {head for head in heads if isinstance(head, str)}
    headless = [id_ for id_, row in rows.items() if row.get("supercategory") == "none"]
    return {
        id_
        for id_, row in rows.items()
        if id_ not in used
        and row.get("supercategory") in (None, "", "none", row.get("name"))
        and (row.get("name") in above or (id_ == 0 and headless == [0] and len(rows) > 1))
    }
