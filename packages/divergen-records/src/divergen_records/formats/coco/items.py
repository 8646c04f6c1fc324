"""Items of a list, decoded: all in one call where they are as they should be, else each for itself."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import msgspec

from .frame import Item

__all__ = ["decode_items", "decode_typed", "plain_ids", "split_items"]

T = TypeVar("T")

_RAWS = msgspec.json.Decoder(list[msgspec.Raw])
_BAD = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def decode_items(part: Any, kind: type[T]) -> Iterator[tuple[Item, T | None]]:
    """Each item, and what it decodes to; see `decode_typed`."""
    yield from zip(split_items(part), decode_typed(part, kind), strict=True)


def split_items(part: Any) -> list[Item]:
    """The items of a list."""
    return list(_RAWS.decode(part) if isinstance(part, msgspec.Raw) else part)


def decode_typed(part: Any, kind: type[T]) -> list[T | None]:
    """What each item of a list decodes to; None where its types or keys are others.

    Args:
        part: A list as text, or a list of items.
        kind: A struct.
    """
    if isinstance(part, msgspec.Raw):
        with suppress(*_BAD), _uncollected():
            found: list[T | None] = msgspec.json.decode(part, type=list[kind])  # type: ignore[valid-type]
            return found
    decoder = msgspec.json.Decoder(kind)
    return [_decode_one(decoder, item) for item in split_items(part)]


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without garbage collection, which would look at a million boxes again and again; none is in a circle."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


class _WithId(msgspec.Struct):
    id: int


def plain_ids(part: Any) -> set[int]:
    """Ids of a list's items that are numbers, whatever else is wrong with the items."""
    return {one.id for one in decode_typed(part, _WithId) if one is not None}


def _decode_one(decoder: msgspec.json.Decoder[T], item: Item) -> T | None:
    if not isinstance(item, msgspec.Raw):
        return None
    try:
        return decoder.decode(item)
    except _BAD:
        return None
