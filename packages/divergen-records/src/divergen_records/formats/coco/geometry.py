"""Segmentations of many annotations checked at once: whichever are plainly sound need no look of their own.

A segmentation is text. Where that does not say enough (`outlines`), a batch is decoded in one call, and its coordinates
become one array through msgspec's MessagePack encoder, which writes a float as a byte and eight more: ten times as fast
as numpy takes a list.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, compress
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from ...errors import MaskError
from ...masks import check_segmentation
from ...polygons import MAX_OUTLINE, TOLERANCE
from ...run_lengths import measure_codes
from .outlines import plain_polygons

__all__ = ["sound_segmentations"]

_BATCH = msgspec.json.Decoder(list[list[list[float]] | dict[str, Any]])
_ONE = msgspec.json.Decoder(list[list[float]] | dict[str, Any])
_pack = msgspec.msgpack.Encoder().encode

Segmentations = list[Any]


def sound_segmentations(raws: Sequence[msgspec.Raw], sizes: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which of these segmentations are sound and fit their pictures; the others need a look of their own.

    Args:
        raws: JSON text of each.
        sizes: (N, 2) int64, height and width of its picture.
    """
    sound = plain_polygons(raws, sizes)
    others = np.flatnonzero(~sound)
    if len(others):
        sound[others] = _sound_decoded([raws[index] for index in others.tolist()], sizes[others])
    return sound


def _sound_decoded(raws: Sequence[msgspec.Raw], sizes: NDArray[np.int64]) -> NDArray[np.bool_]:
    segmentations = _decode(raws)
    parts = [one if type(one) is list else () for one in segmentations]
    counts = np.fromiter(map(len, parts), dtype=np.int64, count=len(parts))
    sound = counts > 0
    owners = np.repeat(np.arange(len(parts)), counts)
    if len(owners):
        bad = ~_sound_polygons(list(chain.from_iterable(parts)), sizes[owners])
        sound[owners[bad]] = False
    coded = [index for index in np.flatnonzero(counts == 0).tolist() if isinstance(segmentations[index], dict)]
    if coded:
        sound[coded] = _sound_rles([segmentations[index] for index in coded], sizes[coded])
    return sound


def _decode(raws: Sequence[msgspec.Raw]) -> Segmentations:
    """Each decoded, or None where it is neither polygons nor an object."""
    try:
        return _BATCH.decode(b"[" + b",".join(raws) + b"]")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return [_decode_one(raw) for raw in raws]


def _decode_one(raw: msgspec.Raw) -> Any:
    try:
        return _ONE.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _sound_rles(rles: list[dict[str, Any]], sizes: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(M,) bool: run-length codes that fit their pictures; texts together, lists of run lengths one by one."""
    fitting = sizes.tolist()
    texts = [_is_code(one, size) for one, size in zip(rles, fitting, strict=True)]
    sound = np.zeros(len(rles), dtype=bool)
    sound[texts] = measure_codes([one["counts"] for one in compress(rles, texts)], sizes[texts].prod(axis=1)).area >= 0
    for index in np.flatnonzero(~sound).tolist():
        sound[index] = _fits(rles[index], *fitting[index])
    return sound


def _is_code(rle: dict[str, Any], fitting: list[int]) -> bool:
    size = rle.get("size")
    return type(rle.get("counts")) is str and size == fitting and [type(side) for side in size] == [int, int]


def _fits(rle: dict[str, Any], height: int, width: int) -> bool:
    try:
        check_segmentation(rle, height, width)
    except MaskError:
        return False
    return True


def _sound_polygons(polygons: list[list[float]], sizes: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(M,) bool: an even number of coordinates, three points, inside the picture, drawn in reasonable time."""
    lengths = np.fromiter(map(len, polygons), dtype=np.int64, count=len(polygons))
    whole = (lengths >= 6) & (lengths % 2 == 0)
    if not whole.all():
        found = np.zeros(len(polygons), dtype=bool)
        if whole.any():
            kept = [polygon for polygon, good in zip(polygons, whole.tolist(), strict=True) if good]
            found[whole] = _sound_polygons(kept, sizes[whole])
        return found
    x, y = _coordinates(polygons)
    starts = np.concatenate(([0], np.cumsum(lengths[:-1] // 2)))
    left, right = np.minimum.reduceat(x, starts), np.maximum.reduceat(x, starts)
    top, bottom = np.minimum.reduceat(y, starts), np.maximum.reduceat(y, starts)
    inside = (left >= -TOLERANCE) & (top >= -TOLERANCE)
    inside &= (right <= sizes[:, 1] + TOLERANCE) & (bottom <= sizes[:, 0] + TOLERANCE)
    with np.errstate(over="ignore"):  # of numbers that lie far outside
        bounded: NDArray[np.bool_] = lengths * (right - left + bottom - top) <= MAX_OUTLINE
    return inside & bounded


def _coordinates(polygons: list[list[float]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """All x and all y, one polygon after the other."""
    data = b"".join([_pack(polygon)[-9 * len(polygon) :] for polygon in polygons])
    values = np.frombuffer(data, dtype=np.uint8).reshape(-1, 9)[:, 1:].copy().view(">f8").ravel()
    return values[0::2].astype(np.float64), values[1::2].astype(np.float64)
