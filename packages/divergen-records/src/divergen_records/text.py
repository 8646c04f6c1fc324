"""Foreign text: compared as people mean it, and made harmless where it is shown: a terminal, a spreadsheet, a page."""

from __future__ import annotations

import unicodedata
from typing import Any

__all__ = ["csv_cell", "folded", "shown"]

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
