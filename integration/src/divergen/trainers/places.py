"""What stands in braces in a command line."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

__all__ = ["PLACES", "fill_in"]

PLACES = ("data", "images", "val", "val_images", "out", "results", "seed", "iterations")
"""What a command line may name in braces."""


def fill_in(line: str, places: Mapping[str, str]) -> list[str]:
    """A command line's words with the places filled in; what a value holds stays one word.

    Raises:
        KeyError: If the line names another place.
    """
    return [word.format_map(dict(places)) for word in shlex.split(line)]
