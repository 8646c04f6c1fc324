"""The categories of a COCO or LVIS file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from pydantic import ValidationError

from ...errors import DatasetError
from ...record import Category, Frequency
from ...text import folded
from ..problems import Mends, Problems
from .frame import Item
from .items import plain_ids, split_items
from .values import Ids, row_of, wrong_type

__all__ = ["read_categories"]

_GROUPS: dict[str, Frequency] = {"r": "r", "rare": "r", "c": "c", "common": "c", "f": "f", "frequent": "f"}


def read_categories(part: Any, problems: Problems, ids: Ids) -> tuple[dict[int, Category], dict[int, dict[str, Any]]]:
    """The sound categories, and their rows as the file has them, both by id; two of one name are told."""
    found: dict[int, Category] = {}
    rows: dict[int, dict[str, Any]] = {}
    ids.reserve(plain_ids(part))
    for index, item in enumerate(split_items(part)):
        where = f"categories[{index}]"
        category = problems.attempt(where, partial(_read, item, ids))
        if category is None:
            continue
        if category.id in found:
            again = category.name == found[category.id].name
            problems.repeat(f"{where}.id", category.id, "the same category is read once" if again else None)
            continue
        found[category.id] = category
        rows[category.id] = row_of(item)
    ids.reserve(set(found))
    _tell_odd_frequencies(rows.values(), problems)
    named: dict[str, list[Category]] = {}
    for category in found.values():
        named.setdefault(folded(category.name), []).append(category)
    for same in named.values():
        for one in same:
            if [other.name for other in same].count(one.name) == 1:
                ids.call(one.name, one.id)
        if len(same) > 1:
            problems.notes.append(_of_one_name(same))
    return found, rows


def _of_one_name(same: Sequence[Category]) -> str:
    names, numbers = dict.fromkeys(repr(one.name) for one in same), ", ".join(str(one.id) for one in same)
    which = f"have the name {same[0].name!r}" if len(names) == 1 else f"have names of one meaning, {', '.join(names)}"
    return f"{len(same)} categories {which} (ids {numbers}); what goes by name takes one"


def _read(item: Item, ids: Ids, mends: Mends) -> Category:
    row = row_of(item)
    id_ = ids.name(row, mends)
    try:
        return Category(
            id=id_,
            name=_name(row, mends),
            synonyms=_texts(row.get("synonyms")),
            synset=_text(row.get("synset")),
            definition=_text(row.get("def")),
            frequency=_frequency(row),
            image_count=_count(row.get("image_count")),
            instance_count=_count(row.get("instance_count")),
        )
    except ValidationError as error:
        reasons = "; ".join(f"{'.'.join(map(str, part['loc']))}: {part['msg']}" for part in error.errors())
        raise DatasetError(f"category {id_}: {reasons}") from error


def _name(row: dict[str, Any], mends: Mends) -> str:
    name = row.get("name")
    if isinstance(name, (int, float)) and mends is not None:
        mends.append(f"name {name!r} read as text")
        return str(name)
    if "name" not in row:
        raise DatasetError("Object missing required field `name`")
    if not isinstance(name, str):
        raise wrong_type("str", name, "name")
    return name.strip()


def _frequency(row: dict[str, Any]) -> Frequency | None:
    """One of LVIS's groups, written as a letter or a word, or None: then it is counted."""
    return _GROUPS.get(str(row.get("frequency")).strip().lower())


def _tell_odd_frequencies(rows: Iterable[dict[str, Any]], problems: Problems) -> None:
    odd = [one["frequency"] for one in rows if one.get("frequency") not in (None, "") and _frequency(one) is None]
    if odd:
        problems.notes.append(
            f"the frequency of {len(odd)} categories is none of r, c, f, as {odd[0]!r:.40}; counted instead"
        )


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(value) if isinstance(value, list) and all(isinstance(one, str) for one in value) else ()


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _count(value: Any) -> int | None:
    """A count, also written as text; None, and it is counted, where it says none."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        count = float(value)
    except (ValueError, OverflowError):
        return None
    return int(count) if 0 <= count < 2**53 else None
