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
    owner = np.repeat(np.arange(len(codes)), np.diff(np.searchsorted(ends, edges), prepend=0))
    sound[owner[digits > _DIGITS]] = False
    runs = np.zeros(len(ends), np.int64)
    for place in range(min(int(digits.max()), _DIGITS)):
        longer = np.flatnonzero(digits > place)
        runs[longer] += (characters[starts[longer] + place] & 0x1F).astype(np.int64) << (5 * place)
    negative = (characters[ends] & 0x10) > 0
    runs -= np.where(negative, np.int64(1) << (5 * np.minimum(digits, _DIGITS)), 0)
    number = np.arange(len(runs)) - _firsts(owner, len(codes))
    # From the fourth on, a number is the difference to the one before the previous.
    for chosen in (number % 2 == 1, (number % 2 == 0) & (number > 0)):
        runs[chosen] = _running_sums(runs[chosen], owner[chosen], len(codes))
    sound[owner[runs < 0]] = False
    total = np.bincount(owner, weights=runs, minlength=len(codes))
    area = np.bincount(owner, weights=runs * (number % 2), minlength=len(codes))
    return np.where(sound & (total == pixels), area, -1).astype(np.int64)


def _firsts(owner: NDArray[np.int64], owners: int) -> NDArray[np.int64]:
    """For each place the first one of its owner; owners are sorted."""
    counts = np.bincount(owner, minlength=owners)
    return np.repeat(np.cumsum(counts) - counts, counts)


def _running_sums(values: NDArray[np.int64], owner: NDArray[np.int64], owners: int) -> NDArray[np.int64]:
    """Cumulative sums that begin anew with each owner; owners are sorted."""
    sums = np.concatenate(([0], np.cumsum(values)))
    return sums[1:] - sums[_firsts(owner, owners)]
