"""Sizes of thousands of run-length codes at once, each code checked: pycocotools reads past a malformed one's end."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["code_areas"]

_CHUNK = 256
"""Codes at a time; their numbers stay in the processor's cache."""
_DIGITS = 8
"""Of a run length at most, 5 bits each."""


def code_areas(codes: Sequence[str | bytes], pixels: NDArray[np.int64]) -> NDArray[np.int64]:
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
    return code.encode("ascii", "replace") if isinstance(code, str) else bytes(code)


def _areas(codes: list[bytes], pixels: NDArray[np.int64]) -> NDArray[np.int64]:
    lengths = np.array([len(code) for code in codes])
    if not lengths.any():
        return np.full(len(codes), -1)
    sound, edges = lengths > 0, np.cumsum(lengths)
    characters = np.frombuffer(b"".join(codes), np.uint8) - np.uint8(48)  # those below wrap round to high ones
    sound[np.searchsorted(edges, np.flatnonzero(characters > 63), side="right")] = False
    last = (characters & 0x20) == 0
    finals = edges[lengths > 0] - 1
    sound[np.flatnonzero(lengths > 0)[~last[finals]]] = False
    last[finals] = True  # else a code that is cut off would run into the next one
    ends = np.flatnonzero(last)
    starts = np.concatenate(([0], ends[:-1] + 1))
    digits = ends - starts + 1
    values = np.zeros(len(ends), np.int64)
    for place in range(min(int(digits.max()), _DIGITS)):
        longer = slice(None) if not place else np.flatnonzero(digits > place)
        values[longer] += (characters[starts[longer] + place] & 0x1F).astype(np.int64) << (5 * place)
    values[(characters[ends] & 0x10) > 0] -= 1 << (5 * np.minimum(digits, _DIGITS)[(characters[ends] & 0x10) > 0])
    numbers = np.diff(np.searchsorted(ends, edges), prepend=0)
    runs, owner = _undo_differences(values, numbers)
    for wrong, whose in ((runs.min(axis=1) < 0, owner), (digits > _DIGITS, np.repeat(np.arange(len(codes)), numbers))):
        sound[whose[wrong]] = False
    total = np.zeros((len(codes), 2), np.int64)
    there = numbers > 0
    total[there] = np.add.reduceat(runs, np.flatnonzero(np.diff(owner, prepend=-1)), axis=0)
    return np.where(sound & (total.sum(axis=1) == pixels), total[:, 1], -1)


def _undo_differences(
    values: NDArray[np.int64], numbers: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Run lengths, (P, 2) of background and object by turns, and the code of each pair (P,).

    From the fourth on, a number of a code is the difference to the one before the previous: two running sums.

    Args:
        values: The numbers of all codes, one after the other.
        numbers: How many each code has.
    """
    pairs = -(-numbers // 2)
    owner = np.repeat(np.arange(len(numbers)), pairs)
    firsts = np.cumsum(pairs) - pairs  # of each code, in pairs
    shift = 2 * firsts - (np.cumsum(numbers) - numbers)
    flat = np.zeros(2 * len(owner), np.int64)
    flat[np.arange(len(values)) + np.repeat(shift, numbers)] = values
    last = numbers > 0
    odd = (2 * (firsts + pairs) - 1)[last & (numbers % 2 == 1)]  # places without a number
    runs = flat.reshape(-1, 2)
    starts = firsts[last]
    head = runs[starts, 0].copy()
    runs[starts, 0] = 0
    sums = np.cumsum(runs, axis=0)
    before = np.zeros((len(numbers), 2), np.int64)
    before[last] = sums[starts] - runs[starts]
    sums -= before[owner]
    sums[starts, 0] = head
    sums.reshape(-1)[odd] = 0
    return sums, owner
