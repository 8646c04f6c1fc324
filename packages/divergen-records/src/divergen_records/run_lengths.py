"""Thousands of run-length codes measured at once, each one checked: pycocotools never returns from a malformed one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["CodeSizes", "concatenate_sizes", "measure_codes"]

_CHUNK = 1024
"""Codes at a time; their numbers stay in the processor's cache."""

_DIGITS = 8
"""Of a run length at most, 5 bits each."""

_SIGNED = (np.arange(256) & 0x0F) - (np.arange(256) & 0x10)
"""What a character says that is a whole number: four bits and a sign."""

_NO_CODE = "p"
"""Stands for a text that is none, so that every code has a number; the character is in no code."""

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class CodeSizes:
    """Of N codes.

    Attributes:
        area: (N,) int64, pixels of each object; -1 where a code is malformed or does not fill its picture.
        first: (N,) int64: no pixel of the object comes before this one, counted by columns.
        end: (N,) int64: nor one from here on.
    """

    area: Ints
    first: Ints
    end: Ints

    def select(self, which: NDArray[Any]) -> CodeSizes:
        """Some of them, by (N,) bool or by indices."""
        return CodeSizes(self.area[which], self.first[which], self.end[which])


def concatenate_sizes(parts: Sequence[CodeSizes]) -> CodeSizes:
    """One after the other; of no parts none."""
    area, first, end = np.concatenate(
        [np.zeros((3, 0), np.int64), *((part.area, part.first, part.end) for part in parts)], axis=1
    )
    return CodeSizes(area, first, end)


def measure_codes(codes: Sequence[str | bytes], pixels: Ints) -> CodeSizes:
    """Sizes of objects.

    Args:
        codes: COCO's compressed counts; see `divergen_records.masks` for their grammar.
        pixels: Of each picture, (N,).
    """
    return concatenate_sizes(
        [
            _measure(codes[start : start + _CHUNK], pixels[start : start + _CHUNK])
            for start in range(0, len(codes), _CHUNK)
        ]
    )


def _to_text(code: str | bytes) -> str:
    text = code if isinstance(code, str) else bytes(code).decode("latin-1")
    return text if text and text.isascii() else _NO_CODE


def _measure(codes: Sequence[str | bytes], pixels: Ints) -> CodeSizes:
    texts = [_to_text(code) for code in codes]
    stops = np.cumsum([len(text) for text in texts])
    characters = np.frombuffer("".join(texts).encode("ascii"), np.uint8) - np.uint8(48)  # below wrap to high ones
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
    sound &= np.add.reduceat(background, starts) + area == pixels
    tail = np.where(np.diff(numbers, prepend=0) % 2 == 1, background[np.append(starts[1:], len(background)) - 1], 0)
    return CodeSizes(np.where(sound, area, -1), background[starts], pixels - tail)


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
