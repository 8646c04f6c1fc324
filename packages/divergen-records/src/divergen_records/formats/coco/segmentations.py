"""A segmentation in whatever form a tool wrote it."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from ...dataset import ImageInfo
from ...errors import DatasetError, MaskError
from ...masks import check_segmentation, decode_rle, encode_rle
from ...polygons import clip_polygons, drop_strays
from ...run_lengths import measure_codes
from ..problems import Mends
from .values import wrong_type

__all__ = ["read_segmentation"]

AT = " - at `$.segmentation`"


def read_segmentation(value: Any, image: ImageInfo, mends: Mends) -> tuple[Any, int]:
    """Polygons or an RLE that fits the image, or None where there is none; and how many stray parts were left out.

    Raises:
        DatasetError: If it is something else, or does not fit and may not be mended.
    """
    try:
        if value is None or value in ([], {}, "") or _is_hollow(value):
            return None, 0
        if mends is not None:
            value = _unwrapped(value, mends)
        if isinstance(value, dict):
            return _rle(value, image, mends), 0
        if mends is not None and isinstance(value, list) and all(map(_is_rle, value)):
            mends.append(f"{len(value)} RLEs read as their union")
            return _union([_rle(one, image, mends) for one in value]), 0
        if not isinstance(value, list):
            raise wrong_type("array", value, "segmentation")
        polygons, strays = drop_strays(_polygons(value, mends))
        return clip_polygons(polygons, image.height, image.width, mends), strays
    except MaskError as error:
        raise DatasetError(f"{error}{AT}") from error


def _rle(value: dict[str, Any], image: ImageInfo, mends: Mends) -> dict[str, Any]:
    fitting = [image.height, image.width]
    size = value.get("size")
    if mends is not None:
        counts = _counts(value.get("counts"))
        if isinstance(counts, list) and (code := _code_of(counts, image)) is not None:
            counts = code
        if _spelled(counts) != _spelled(value.get("counts")):
            mends.append("the RLE's counts read as the whole numbers or the code that they spell")
        if size is None or (_sides(size) in (fitting[::-1], fitting) and _spelled(size) != _spelled(fitting)):
            mends.append(f"the RLE's size {size} read as {fitting}")
            size = fitting
        value = {**value, "size": size, "counts": counts}
    check_segmentation(value, image.height, image.width)
    return value


def _is_hollow(value: Any) -> bool:
    return isinstance(value, list) and all(part in (None, [], "") for part in value)


def _is_rle(value: Any) -> bool:
    return isinstance(value, dict) and "counts" in value


def _union(rles: list[dict[str, Any]]) -> dict[str, Any]:
    return encode_rle(np.logical_or.reduce([decode_rle(rle) for rle in rles]))


def _code_of(counts: list[Any], image: ImageInfo) -> str | None:
    """The code whose bytes these are, one number each, as JavaScript writes them; None where they are run lengths."""
    pixels = image.height * image.width
    if not counts or not all(type(one) is int and 48 <= one <= 111 for one in counts) or sum(counts) == pixels:
        return None
    code = bytes(counts).decode("ascii")
    return code if measure_codes([code], np.array([pixels])).area[0] >= 0 else None


def _sides(size: Any) -> Any:
    """A size as numbers where they are written as text."""
    if isinstance(size, list) and all(isinstance(side, str) and side.strip().isdecimal() for side in size):
        return [int(side) for side in size]
    return size


def _spelled(value: Any) -> str:
    """A value as JSON has it: 80.0 is not 80 there, though equal."""
    return json.dumps(value)


def _counts(counts: Any) -> Any:
    """Counts as COCO has them, of what tools make of them: ``"b'...'"``, ``"[3, 1]"``, ``"3 1"``, ``[3.0, 1.0]``."""
    counts = counts.strip() if isinstance(counts, str) else counts
    if isinstance(counts, str) and counts[:2] in ("b'", 'b"'):
        with suppress(ValueError, SyntaxError, UnicodeDecodeError):
            return ast.literal_eval(counts).decode("ascii")
    if (
        isinstance(counts, str)
        and re.fullmatch(r"\[?\s*\d+(?:[\s,]+\d+)*\s*\]?", counts)
        and re.search(r"[\s,\[]", counts)
    ):
        return [int(number) for number in re.findall(r"\d+", counts)]
    if isinstance(counts, list) and all(isinstance(one, float) and one.is_integer() for one in counts):
        return [int(one) for one in counts]
    return counts


def _unwrapped(value: Any, mends: list[str]) -> Any:
    """A segmentation out of a text, a list around an RLE, or a list more than there should be around polygons."""
    if isinstance(value, str):
        with suppress(ValueError, RecursionError):
            value = json.loads(value)
            mends.append("a segmentation written as text read as JSON")
    if not isinstance(value, list):
        return value
    if len(value) == 1 and _is_rle(value[0]):
        mends.append("a list of one RLE read as the RLE")
        return value[0]
    flat = value
    while flat and all(isinstance(part, list) and part and all(map(_is_nested, part)) for part in flat):
        flat = [polygon for part in flat for polygon in part]
    if flat is not value:
        mends.append("polygons nested one list too deep read as a list of polygons")
    return flat


def _is_nested(part: Any) -> bool:
    """Whether it is a polygon, or a list of such."""
    if isinstance(part, list) and part and isinstance(part[0], list):
        return all(map(_is_nested, part))
    return isinstance(part, list) and len(part) > 4 and all(map(_is_number, part))


def _polygons(value: list[Any], mends: Mends) -> list[list[float]]:
    """Lists of numbers; a flat list, or points in lists of their own, where mending is allowed."""
    if value and all(_is_number(one) for one in value):
        if mends is None:
            raise MaskError("the polygon is a flat list; a list of polygons [[x0, y0, x1, y1, ...], ...] is expected")
        mends.append("a flat polygon read as a list of one")
        value = [value]
    if mends is not None and len(value) > 2 and all(_is_point(part) for part in value):
        value = [value]
    return _parts(value, mends)


def _parts(value: list[Any], mends: Mends) -> list[list[float]]:
    """Each part as a list of numbers; one that is none is left out beside others where mending is allowed."""
    found = []
    trouble: DatasetError | MaskError | None = None
    for at, part in enumerate(value):
        try:
            found.append(_numbers(part, f"segmentation[{at}]", mends))
        except (DatasetError, MaskError) as error:
            if mends is None:
                raise
            mends.append(f"left out a part: {error}".partition(" - at `$.")[0])
            trouble = error
    if trouble is not None and not found:
        raise trouble
    return found


def _numbers(part: Any, at: str, mends: Mends) -> list[float]:
    if not isinstance(part, list):
        raise wrong_type("array", part, at)
    if mends is not None:
        part = _plain(part, mends)
    for index, one in enumerate(part):
        if not _is_number(one):
            raise wrong_type("float", one, f"{at}[{index}]")
    return list(part)


def _plain(part: Sequence[Any], mends: list[str]) -> list[Any]:
    """Points [x, y] or {x, y} one after the other; numbers written as text as numbers."""
    if part and all(isinstance(one, dict) and {"x", "y"} <= one.keys() for one in part):
        part = [[one["x"], one["y"]] for one in part]
    if part and all(isinstance(one, list) and len(one) == 2 for one in part):
        mends.append("points [x, y] read as one list")
        part = [value for point in part for value in point]
    if any(isinstance(one, str) for one in part):
        try:
            part = [float(one) if isinstance(one, str) else one for one in part]
        except ValueError as error:
            raise MaskError(f"a polygon is a list of numbers: {error}") from error
        mends.append("coordinates written as text read as numbers")
    return list(part)


def _is_point(part: Any) -> bool:
    """Whether a list is [x, y]: as a polygon it would have one point."""
    return isinstance(part, list) and len(part) == 2 and all(map(_is_number, part))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
