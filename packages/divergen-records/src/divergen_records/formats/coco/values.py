"""Values of an item as they should be: strict, or read leniently where mending is allowed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import msgspec

from ...errors import DatasetError
from ..problems import Mends
from .frame import Item

__all__ = ["MOST", "Ids", "integer", "row_of", "wrong_type"]

MOST = 2**62
"""Beyond any id or size: what is numbered after it still has 64 bits."""

_KINDS: dict[type, str] = {str: "str", float: "float", bool: "bool", int: "int", list: "array", dict: "object"}


def row_of(item: Item) -> dict[str, Any]:
    """An item as a dict; raises `DatasetError` if it is none."""
    if isinstance(item, dict):
        return item
    try:
        row = msgspec.json.decode(item)
    except UnicodeDecodeError as error:
        raise DatasetError("holds text that is no UTF-8; save the file as UTF-8") from error
    except (msgspec.DecodeError, RecursionError) as error:
        raise DatasetError(str(error)) from error
    if not isinstance(row, dict):
        raise wrong_type("object", row, "")
    return row


def wrong_type(expected: str, value: Any, at: str) -> DatasetError:
    """The error of a value of another type, in msgspec's words."""
    kind = "null" if value is None else _KINDS.get(type(value), type(value).__name__)
    told = f" {value!r:.40}" if isinstance(value, float | int | str) else ""
    return DatasetError(f"Expected `{expected}`, got `{kind}`{told}" + (f" - at `$.{at}`" if at else ""))


def integer(row: Mapping[str, Any], key: str, mends: Mends) -> int:
    """A whole number; 100.0 is one, the text "100" where it may be mended.

    Raises:
        DatasetError: If it is missing or something else.
    """
    if key not in row:
        raise DatasetError(f"Object missing required field `{key}`")
    value = row[key]
    if isinstance(value, float) and math.isfinite(value) and value == int(value):
        value = int(value)
    elif isinstance(value, str) and mends is not None and _is_number(value):
        mends.append(f"{key} {value!r} read as {int(float(value))}")
        value = int(float(value))
    if not isinstance(value, int) or isinstance(value, bool):
        raise wrong_type("int", value, key)
    if abs(value) >= MOST:
        raise DatasetError(f"is {value:.3g}, beyond any id or size - at `$.{key}`")
    return value


def _is_number(text: str) -> bool:
    try:
        number = float(text)
    except ValueError:
        return False
    return math.isfinite(number) and number == int(number)


class Ids:
    """Ids of one list. Text gets a number that no other item has, where mending is allowed, and is known by it."""

    def __init__(self, what: str) -> None:
        self.what = what
        self._names: dict[str, int] = {}
        self._taken: set[int] = set()
        self._next = 0

    def reserve(self, ids: set[int]) -> None:
        """Ids that the list holds as numbers; no text gets one of them, and new ones are beyond."""
        self._taken |= ids
        self._next = max((*ids, self._next - 1), default=-1) + 1

    def give(self) -> int:
        """A new number."""
        self._next = max(self._next, 1)
        while self._next in self._taken:
            self._next += 1
        self._next += 1
        return self._next - 1

    def call(self, name: str, id_: int) -> None:
        """Let other rows name an item by this text, too; not by a number, which is an id."""
        if not _is_number(name):
            self._names.setdefault(name, id_)

    def _number(self, text: str) -> int:
        number = int(float(text)) if _is_number(text) else None
        if number is None or number in self._taken:  # "01" beside "1" is another item
            number = self.give()
        self._taken.add(number)
        return number

    def name(self, row: Mapping[str, Any], mends: Mends) -> int:
        """The id of a row of this list, given where it is a text or missing; raises `DatasetError`."""
        value = row.get("id")
        if mends is None or (isinstance(value, int) and not isinstance(value, bool) and abs(value) < MOST):
            return integer(row, "id", mends)
        if self.what == "annotation" and isinstance(value, int | float) and abs(value) >= MOST:
            number = self.give()
            mends.append(f"id {value:.3g} is beyond any id, numbered {number}")
            return number
        if isinstance(value, str) and value not in self._names:
            self._names[value] = self._number(value)
            mends.append(f"id {value!r} read as {self._names[value]}")
        if isinstance(value, str):
            return self._names[value]
        if value is None and self.what == "annotation":
            number = self.give()
            mends.append(f"has no id, numbered {number}")
            return number
        return integer(row, "id", mends)

    def find(self, row: Mapping[str, Any], key: str, mends: Mends) -> int:
        """The id that a row of another list names; raises `DatasetError`."""
        value = row.get(key)
        if mends is not None and isinstance(value, str) and value in self._names:
            mends.append(f"{key} {value!r} read as {self._names[value]}")
            return self._names[value]
        return integer(row, key, mends)
