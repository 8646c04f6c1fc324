"""Foreign text: compared as people mean it, and made harmless where it is shown: a terminal, a spreadsheet, a page."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

__all__ = ["csv_cell", "did_you_mean", "folded", "shown"]

_DIRECTIONS = {*range(0x202A, 0x202F), *range(0x2066, 0x206A)}
"""Unicode's overrides of the direction of writing: a name with one of them shows as another."""

_ESCAPED = {
    code: f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
    for code in (*range(0x20), *range(0x7F, 0xA0), *_DIRECTIONS)
    if chr(code) not in "\n\t"
}

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def folded(name: str) -> str:
    """A category's name as it is compared: tools write ``Sports Ball`` for ``sports_ball``, macOS an é in two parts."""
    return " ".join(unicodedata.normalize("NFC", name).replace("_", " ").casefold().split())


def did_you_mean(name: str, known: Iterable[str], n: int = 1) -> str:
    """How a message about an unknown name goes on: the ``n`` nearest that are known; nothing where none is near.

    >>> did_you_mean("cupp", ["cup", "dog"])
    "; did you mean 'cup'?"
    """
    near = get_close_matches(name, list(known), n=n)
    return f"; did you mean {' or '.join(map(repr, near))}?" if near else ""


def shown(text: object) -> str:
    """Text as it may go to a terminal: control characters of foreign names are written out (``\\x1b``)."""
    return str(text).translate(_ESCAPED).encode("utf-8", "backslashreplace").decode()


def csv_cell(value: Any) -> Any:
    """A cell that no spreadsheet takes for a formula: text that begins like one gets a ``'`` before it."""
    if not isinstance(value, str) or not value.startswith(_FORMULA):
        return value
    try:
        float(value)
    except ValueError:
        return f"'{value}"
    return value
