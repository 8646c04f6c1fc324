"""Stretches of a text taken out, in time that grows with its length alone, whatever a model or a server sends."""

from __future__ import annotations

import re

__all__ = ["without_spans"]


def without_spans(text: str, opening: re.Pattern[str], closing: re.Pattern[str]) -> str:
    """A text without what stands from each opening to the next closing, both included.

    As ``re.sub(opening + ".*?" + closing, "", text)``, which looks for the closing from every opening anew where there
    is none.
    """
    kept, place = [], 0
    while (start := opening.search(text, place)) and (end := closing.search(text, start.end())):
        kept.append(text[place : start.start()])
        place = end.end()
    return "".join([*kept, text[place:]])
