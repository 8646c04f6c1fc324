"""Values of an item as they should be: strict, or read leniently where mending is allowed."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from ...errors import DatasetError
from ..problems import Mends
from .frame import Item

__all__ = ["MOST", "NAMED", "Ids", "integer", "row_of", "wrong_type"]

MOST = 2**62
"""Beyond any id or size: what is numbered after it still has 64 bits."""

NAMED = {"image_id": ("file_name", "image"), "category_id": ("category_name", "category", "label")}
"""Keys that hold a name where an item has no id."""

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
        advice = "; save the file as UTF-8" if "UTF-8" in str(error) else ""
        raise DatasetError(f"{error}{advice}") from error
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
    elif isinstance(value, str) and mends is not None and (number := _whole(value)) is not None:
        mends.append(f"{key} {value!r} read as {number}")
        value = number
    if not isinstance(value, int) or isinstance(value, bool):
        raise wrong_type("int", value, key)
    if abs(value) >= MOST:
        raise DatasetError(f"is {value:.3g}, beyond any id or size - at `$.{key}`")
    return value


def _whole(text: str) -> int | None:
    """The whole number that a text says, with all its digits; ``"7.0"`` says one."""
    try:
        return int(text)
    except ValueError:
        pass
    try:
        number = float(text)
    except ValueError:
        return None
    return int(number) if math.isfinite(number) and number == int(number) else None


def _is_id(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < MOST


def _as_name(value: Any) -> Any:
    """An id that 64 bits do not hold, as a hash without sign, as text; any other as it is."""
    return str(value) if isinstance(value, int) and abs(value) >= MOST else value


class Ids:
    """Ids of one list. Text gets a number that no other item has, where mending is allowed, and is known by it."""

    def __init__(self, what: str) -> None:
        self.what = what
        self._names: dict[str, int] = {}
        self._more: Callable[[], Mapping[str, int]] | None = None
        self._taken: set[int] = set()
        self._next = 0

    def reserve(self, ids: set[int]) -> None:
        """Ids that the list holds as numbers; no text gets one of them, and new ones are beyond."""
        ids = {id_ for id_ in ids if abs(id_) < MOST}
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
        if _whole(name) is None:
            self._names.setdefault(name, id_)

    def call_all(self, names: Callable[[], Mapping[str, int]]) -> None:
        """As `call`, of names that are made when a row first needs one."""
        self._more = names

    def _number(self, text: str) -> int:
        number = _whole(text)
        if number is None or abs(number) >= MOST or number in self._taken:  # "01" beside "1" is another item
            number = self.give()
        self._taken.add(number)
        return number

    def name(self, row: Mapping[str, Any], mends: Mends) -> int:
        """The id of a row of this list, given where it is a text or missing; raises `DatasetError`."""
        value = row.get("id")
        if mends is None or _is_id(value):
            return integer(row, "id", mends)
        if self.what != "annotation":
            value = _as_name(value)
        if isinstance(value, str):
            if value not in self._names:
                self._names[value] = self._number(value)
                mends.append(f"id {value!r} read as {self._names[value]}")
            return self._names[value]
        try:
            return integer(row, "id", mends)
        except DatasetError:
            if self.what != "annotation":  # which nothing names
                raise
        number = self.give()
        big = isinstance(value, int | float) and abs(value) >= MOST
        trouble = f"id {value:.3g} is beyond any id" if big else f"id {value!r:.40} is none"
        mends.append(f"{'has no id' if value is None else trouble}, numbered {number}")
        return number

    def find(self, row: Mapping[str, Any], key: str, mends: Mends) -> int:
        """The id that a row of another list names, by its number or by a name; raises `DatasetError`."""
        if mends is None:
            return integer(row, key, mends)
        value, at = _as_name(row.get(key)), key
        if value is None:
            at = next((other for other in NAMED[key] if isinstance(row.get(other), str)), key)
            value = row.get(at)
        if isinstance(value, str) and (id_ := self._find(value)) is not None:
            mends.append(f"{at} {value!r} read as {id_}")
            return id_
        return integer(row, key, mends)

    def _find(self, name: str) -> int | None:
        if name not in self._names and self._more is not None:
            self._names, self._more = {**self._more(), **self._names}, None
        return self._names.get(name)
