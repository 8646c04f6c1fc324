"""Sizes of thousands of run-length codes at once, each code checked: pycocotools never returns from a malformed one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["code_areas"]

_CHUNK = 512
"""Codes at a time; their numbers stay in the processor's cache."""

_DIGITS = 8
"""Of a run length at most, 5 bits each."""

_SIGNED = (np.arange(256) & 0x0F) - (np.arange(256) & 0x10)
"""What a character says that is a whole number: four bits and a sign."""

Ints = NDArray[np.int64]


def code_areas(codes: Sequence[str | bytes], pixels: Ints) -> Ints:
    """Pixels of each object, (N,) int64; -1 where a code is malformed or does not fill its picture.

    Args:
        codes: COCO's compressed counts; see `divergen_records.masks` for their grammar.
        pixels: Of each picture, (N,).
    """
    parts = [
        _areas([_to_bytes(code) for code in codes[start : start + _CHUNK]], pixels[start : start + _CHUNK])
        for start in range(0, len(codes), _CHUNK)
    ]
    return np.concatenate([np.zeros(0, np.int64), *parts])


def _to_bytes(code: str | bytes) -> bytes:
    """Never empty, so that every code has a number; that of an empty one is the character ``p``, which is in none."""
    return (code.encode("ascii", "replace") if isinstance(code, str) else bytes(code)) or b"p"


def _areas(codes: list[bytes], pixels: Ints) -> Ints:
    stops = np.cumsum([len(code) for code in codes])
    characters = np.frombuffer(b"".join(codes), np.uint8) - np.uint8(48)  # those below wrap round to high ones
    sound = np.ones(len(codes), bool)
    sound[np.searchsorted(stops, np.flatnonzero(characters > 63), side="right")] = False
    last = (characters & 0x20) == 0
    sound &= last[stops - 1]
    last[stops - 1] = True  # else a code that is cut off would run into the next one
    ends = np.flatnonzero(last)
    values, too_long = _numbers(characters, ends)
    numbers = np.searchsorted(ends, stops)  # of each code and those before
    sound[np.searchsorted(numbers, too_long, side="right")] = False
    background, filled, starts = _runs(values, numbers)
    for runs in (background, filled):
        sound[np.searchsorted(starts, np.flatnonzero(runs < 0), side="right") - 1] = False
    area = np.add.reduceat(filled, starts)
    return np.where(sound & (np.add.reduceat(background, starts) + area == pixels), area, -1)


def _numbers(characters: NDArray[np.uint8], ends: Ints) -> tuple[Ints, Ints]:
    """The number that ends at each of the places, and which of them have too many digits."""
    starts = np.concatenate(([0], ends[:-1] + 1))
    first = characters[starts]
    values: Ints = _SIGNED[first]
    several = np.flatnonzero(starts != ends)
    digits = ends[several] - starts[several] + 1
    total = (first[several] & 0x1F).astype(np.int64)
    for place in range(1, min(int(digits.max(initial=1)), _DIGITS)):
        longer = np.flatnonzero(digits > place)
        total[longer] += (characters[starts[several[longer]] + place] & 0x1F).astype(np.int64) << (5 * place)
    negative = (characters[ends[several]] & 0x10) > 0
    total[negative] -= np.int64(1) << (5 * np.minimum(digits[negative], _DIGITS))
    values[several] = total
    return values, several[digits > _DIGITS]


def _runs(values: Ints, numbers: Ints) -> tuple[Ints, Ints, Ints]:
    """Run lengths of background and of object, (P,) each, and where each code begins in them.

    From the fourth on, a number of a code is the difference to the one before the previous: two running sums.

    Args:
        values: The numbers of all codes, one after the other.
        numbers: How many each code and those before it have.
    """
    count = np.diff(numbers, prepend=0)
    lacking = count % 2 == 1  # a code that ends with background gets an empty run of object
    pairs = np.cumsum((count + 1) // 2)
    flat = np.insert(values, numbers[lacking], 0)
    starts = np.concatenate(([0], pairs[:-1]))
    background, filled = flat[::2].copy(), flat[1::2].copy()
    head = background[starts]  # from this one nothing is counted
    background[starts] = 0
    for runs in (background, filled):
        runs[starts[1:]] -= np.add.reduceat(runs, starts)[:-1]  # a code's sum does not go on in the next
        np.cumsum(runs, out=runs)
    background[starts] = head
    filled[pairs[lacking] - 1] = 0
    return background, filled, starts
