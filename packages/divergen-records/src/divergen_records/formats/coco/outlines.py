"""Polygons judged by their text: numbers that clearly lie inside the picture need not be decoded.

The text of many segmentations is one array of bytes, in which whatever is neither digit nor point is a mark. A
segmentation is plain where its text is ``[[x0,y0,…],…]`` and the whole part of no number can be beyond its limit; of
all others nothing is said here, they are decoded.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from ...polygons import MAX_OUTLINE, TOLERANCE

__all__ = ["plain_polygons"]

_BAR, _DOT, _COMMA, _OPEN, _CLOSE, _ZERO = b"|.,[]0"
_MOST_DIGITS = 4

_TOGETHER = 512
"""Segmentations that are looked at together: their text should fit a core's cache."""

Bools = NDArray[np.bool_]
Bytes = NDArray[np.uint8]
Numbers = NDArray[np.int64]


def plain_polygons(raws: Sequence[msgspec.Raw], sizes: Numbers) -> Bools:
    """Which segmentations are polygons, of three points and more, that certainly lie inside their pictures.

    Args:
        raws: Valid JSON text of each.
        sizes: (N, 2) int64, height and width of its picture.
    """
    parts = [
        _plain(raws[start : start + _TOGETHER], sizes[start : start + _TOGETHER])
        for start in range(0, len(raws), _TOGETHER)
    ]
    return np.concatenate([np.zeros(0, dtype=bool), *parts])


def _plain(raws: Sequence[msgspec.Raw], sizes: Numbers) -> Bools:
    text = b"|".join((b"", *raws, b""))
    if b" " in text or b"\n" in text:
        text = text.translate(None, b" \n\t\r")
    data = np.frombuffer(text, dtype=np.uint8)
    digits = data - np.uint8(_ZERO)  # above 9 is no digit
    places = np.flatnonzero(data - np.uint8(_DOT) > _ZERO + 9 - _DOT)  # or a slash, which stands in texts alone
    marks = data.take(places)
    bars = np.flatnonzero(marks == _BAR)
    if len(bars) != len(raws) + 1:  # one stands inside a text
        return np.zeros(len(raws), dtype=bool)
    number = digits.take(places + 1, mode="clip") <= 9
    plain = np.ones(len(raws), dtype=bool)
    plain[_owners(bars, np.flatnonzero(_astray(marks, number)))] = False
    number &= (marks == _OPEN) | (marks == _COMMA)
    runs = np.flatnonzero(((marks == _OPEN) & number) | (marks == _BAR))[:-1]
    opening = marks.take(runs) == _OPEN
    owners = np.cumsum(~opening) - 1
    counts = np.add.reduceat(number, runs, dtype=np.int64)
    beyond = _beyond(digits, places[number] + 1, counts, sizes[owners])
    plain[owners[beyond & opening]] = False
    return plain


def _owners(bars: Numbers, places: Numbers) -> Numbers:
    """The segmentations that marks belong to; a bar stands before its own."""
    owners: Numbers = np.searchsorted(bars, places, side="right") - 1
    return owners


def _astray(marks: Bytes, number: Bools) -> Bools:
    """Marks that do not stand as in ``[[1,2],[3,4]]``; one at least of each text that is another valid JSON.

    The first two brackets stand together, every other one that opens is followed by a number, and a comma has a number
    on both sides or on none.
    """
    bar, opening, comma = marks == _BAR, marks == _OPEN, marks == _COMMA
    first = opening & np.roll(bar, 1)
    wrong: Bools = ~(bar | opening | comma | (marks == _CLOSE))
    wrong |= (bar | first) & (number | ~np.roll(opening, -1))
    wrong |= opening & ~first & ~number
    wrong |= comma & (number != np.roll(number, 1))
    wrong[-1] = False
    return wrong


def _beyond(digits: Bytes, starts: Numbers, counts: Numbers, sizes: Numbers) -> Bools:
    """(P,) bool: runs of numbers that are no polygon inside its picture, or may be none.

    Args:
        digits: The text's; above 9 where there is none.
        starts: (M,) where each number starts.
        counts: (P,) numbers of each run.
        sizes: (P, 2) height and width of its picture.
    """
    fine: Bools = (counts >= 6) & (counts % 2 == 0)
    if counts[~fine].any():
        starts = starts.take(np.flatnonzero(np.repeat(fine, counts)))
    counts, sizes = counts[fine], sizes[fine]
    if len(counts):
        values = _whole_parts(digits, starts)
        firsts = np.cumsum(counts) // 2 - counts // 2
        right, bottom = (np.maximum.reduceat(values[axis::2], firsts).astype(np.int64) + 1 for axis in (0, 1))
        height, width = np.minimum(sizes, 10**_MOST_DIGITS).T
        inside = (right <= width + TOLERANCE) & (bottom <= height + TOLERANCE)
        fine[fine] = inside & (counts * (right + bottom) <= MAX_OUTLINE)
    return ~fine


def _whole_parts(digits: Bytes, starts: Numbers) -> NDArray[np.int16]:
    """(M,) int16; of a number of more than four digits one that is larger than those."""
    values = digits.take(starts).astype(np.int16)
    going = np.ones(len(starts), dtype=bool)
    for place in range(1, _MOST_DIGITS + 1):
        digit = digits[place:].take(starts, mode="clip")
        going &= digit <= 9
        if not going.any():
            return values
        np.copyto(values, values * 10 + digit, where=going)
    values[going] = np.iinfo(np.int16).max
    return values
