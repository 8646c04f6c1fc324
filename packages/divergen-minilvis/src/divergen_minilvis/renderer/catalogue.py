"""All shape programs by name, and the names by which data sets call them. Light: numpy only."""

from __future__ import annotations

import re
from collections.abc import Iterable

from .builder import ShapeProgram
from .shapes import MODULES

__all__ = ["CATEGORIES", "category_names", "known"]

CATEGORIES: dict[str, ShapeProgram] = {
    name: program for module in MODULES for name, program in sorted(module.PROGRAMS.items())
}


def _plain(name: str) -> str:
    """Return a name in lower case, without what is in parentheses, words joined by single underscores."""
    return re.sub(r"[^a-z0-9]+", "_", re.sub(r"\([^)]*\)", "", name.lower())).strip("_")


_BY_NAME = {alias: name for name, program in CATEGORIES.items() for alias in (name, *map(_plain, program.aliases))}


def known(name: str, synonyms: Iterable[str] = ()) -> str | None:
    """Return the name of the program that renders a category, or None.

    Args:
        name: As in LVIS or COCO: ``"wine_glass"``, ``"cell phone"``, ``"orange_(fruit)"``.
        synonyms: Other names, tried in order.
    """
    for given in (name, *synonyms):
        whole = re.sub(r"[^a-z0-9]+", "_", given.lower()).strip("_")
        for spelling in (whole, _plain(given)):
            if spelling in _BY_NAME:
                return _BY_NAME[spelling]
    return None


def category_names() -> tuple[str, ...]:
    """Return the names of all programs, sorted."""
    return tuple(sorted(CATEGORIES))
