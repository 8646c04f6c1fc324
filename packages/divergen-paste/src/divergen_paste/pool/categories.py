"""Which categories of a pool are which of a data set: told by their names, never by their numbers.

Every door through which a pool meets a data set goes through `match_categories`: `InstancePool.matched`,
`Paster.matched`, and with them `bake`, the preview and the adapters.
"""

from __future__ import annotations

import reprlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from divergen_records import Category, ConfigError
from divergen_records.text import folded
from pydantic import ValidationError

__all__ = ["CategoryMatch", "Classes", "Unmatched", "as_categories", "match_categories"]

Unmatched = Literal["refuse", "leave-out"]
"""What becomes of a pool's categories that a data set does not have."""

Classes = Iterable[Category] | Iterable[Mapping[str, Any]] | Mapping[int, str]
"""The categories of a data set: as they are read, as COCO's JSON has them, or {id: name}."""

SHOWN = 5
"""Names in a sentence at most."""


@dataclass(frozen=True)
class CategoryMatch:
    """What `match_categories` found.

    Attributes:
        found: Category id in the pool -> the data set's category.
        left_out: The pool's other categories, and why, one sentence each.
        what: What is matched, in words.
    """

    found: Mapping[int, Category]
    left_out: Sequence[str]
    what: str = "pool"

    def __str__(self) -> str:
        total = len(self.found) + len(self.left_out)
        told = f"{len(self.found)} of the {self.what}'s {total} categories are in the data set, by name"
        return told + (f"; left out: {_shortened(self.left_out)}" if self.left_out else "")


def match_categories(
    pool: Iterable[Category], data: Classes, *, unmatched: Unmatched = "refuse", what: str = "pool"
) -> CategoryMatch:
    """Find the categories of a pool among those of a data set.

    They are the same where their names are (``sports_ball`` is ``sports ball``), and their synsets, where both have
    one. Where several have the name, the synset decides, then the id; else nobody knows which is meant.

    Args:
        pool: The pool's categories.
        data: The data set's.
        unmatched: What becomes of those that the data set does not have.
        what: What is matched, for the messages.

    Raises:
        ConfigError: If none is found, or one is not and ``unmatched`` is ``"refuse"``.
    """
    pool = list(pool)
    known = _by_name(as_categories(data))
    found: dict[int, Category] = {}
    left_out: list[str] = []
    for category in pool:
        result = _find(category, known[folded(category.name)])
        if isinstance(result, Category):
            found[category.id] = result
        else:
            left_out.append(f"{category.name} ({result})")
    left_out += _drop_doubles(pool, found)
    match = CategoryMatch(found, left_out, what)
    if left_out and (unmatched == "refuse" or not found):
        raise ConfigError(_refusal(match))
    return match


def as_categories(data: Classes) -> list[Category]:
    """The categories of a data set in our terms.

    Raises:
        ConfigError: If they are neither of the forms that `Classes` names.
    """
    try:
        if isinstance(data, Mapping):
            return [Category(id=key, name=name) for key, name in data.items()]
        return [row if isinstance(row, Category) else _category(row) for row in data]
    except (TypeError, KeyError, ValidationError) as error:
        raise ConfigError(
            f"expected the data set's categories, or {{id: name}} as in {{1: 'person'}}, found {reprlib.repr(data)}"
        ) from error


def _category(row: Mapping[str, Any]) -> Category:
    return Category(id=row["id"], name=row["name"], synset=row.get("synset"))


def _by_name(categories: Iterable[Category]) -> defaultdict[str, list[Category]]:
    known = defaultdict(list)
    for category in categories:
        known[folded(category.name)].append(category)
    return known


def _find(category: Category, same_name: Sequence[Category]) -> Category | str:
    """The one that is meant, or why none is."""
    if not same_name:
        return "no category has this name"
    meant = [one for one in same_name if one.synset in (None, "", category.synset) or not category.synset]
    if not meant:
        return f"the name means {same_name[0].synset} there, {category.synset} here"
    narrower: tuple[Callable[[Category], bool], ...] = (
        lambda one: one.name == category.name,
        lambda one: bool(one.synset) and one.synset == category.synset,
        lambda one: one.id == category.id,
    )
    for fits in narrower:
        meant = [one for one in meant if fits(one)] or meant
    if len(meant) > 1:
        return f"several have this name, ids {', '.join(str(one.id) for one in meant)}"
    return meant[0]


def _drop_doubles(pool: Sequence[Category], found: dict[int, Category]) -> list[str]:
    """Take out categories of the pool that would become the same one; they differ in something."""
    times = Counter(target.id for target in found.values())
    doubled = [category for category in pool if category.id in found and times[found[category.id].id] > 1]
    for category in doubled:
        del found[category.id]
    return [f"{category.name} (several of the pool have this name, one is id {category.id})" for category in doubled]


def _refusal(match: CategoryMatch) -> str:
    total = len(match.found) + len(match.left_out)
    told = f"{len(match.left_out)} of the {match.what}'s {total} categories are not in the data set: "
    told += _shortened(match.left_out)
    if not match.found:
        return f"{told}; this {match.what} belongs to another data set"
    return f"{told}; add them to the data set's categories, or leave them out (a pool's with --unmatched leave-out)"


def _shortened(items: Sequence[str]) -> str:
    more = len(items) - SHOWN
    return ", ".join(items[:SHOWN]) + (f" and {more} more" if more > 0 else "")
