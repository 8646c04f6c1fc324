"""Masks: COCO run-length codes, polygons, boxes and connected components.

A mask is an array (H, W), bool or uint8 with 0 for background. Frames are pixels of the picture, origin at the top
left; a polygon's coordinates are those of COCO, where pixel (x, y) covers the square [x, x+1) × [y, y+1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from .errors import MaskError
from .polygons import check_polygons, mask_to_polygons

__all__ = [
    "Mask",
    "Segmentation",
    "check_segmentation",
    "crop_segmentation",
    "decode_counts",
    "decode_rle",
    "encode_rle",
    "fill_holes",
    "label_components",
    "largest_component",
    "mask_to_bbox",
    "mask_to_polygons",
    "measure_segmentation",
    "rle_area",
    "segmentation_to_mask",
]

Mask: TypeAlias = NDArray[np.bool_]
"""(H, W) bool."""

Segmentation: TypeAlias = Sequence[Sequence[float]] | Mapping[str, Any]
"""What COCO files hold: polygons ``[[x0, y0, x1, y1, …], …]``, or an RLE ``{"size": [h, w], "counts": …}`` whose counts
are a compressed text or a list of run lengths."""


def encode_rle(mask: NDArray[Any]) -> dict[str, Any]:
    """The COCO compressed RLE of a mask (H, W): ``{"size": [height, width], "counts": text}``."""
    columns = cv2.transpose(_binary(mask)).T  # in column order, as np.asfortranarray makes it, but faster
    rle = coco_mask.encode(columns)
    return {"size": [int(side) for side in mask.shape], "counts": rle["counts"].decode("ascii")}


def decode_rle(rle: Mapping[str, Any]) -> Mask:
    """The mask (H, W) bool of an RLE, compressed or not.

    Raises:
        MaskError: If the runs do not fill a picture of ``rle["size"]`` exactly.
    """
    height, width = _rle_size(rle)
    return _draw(_rle_runs(rle, height, width), height, width)


def decode_counts(counts: str, height: int, width: int) -> Mask:
    """The mask (H, W) bool of compressed counts, as the column `mask` of the instance table holds them."""
    return decode_rle({"size": (height, width), "counts": counts})


def rle_area(rle: Mapping[str, Any]) -> int:
    """Pixels of an RLE's object, without decoding it."""
    return int(_rle_runs(rle, *_rle_size(rle))[1::2].sum())


def mask_to_bbox(mask: NDArray[Any]) -> tuple[float, float, float, float]:
    """The tight box of a mask (H, W): XYWH, pixels.

    Raises:
        MaskError: If the mask is empty.
    """
    x0, y0, x1, y1 = _extent(mask)
    return float(x0), float(y0), float(x1 - x0), float(y1 - y0)


def segmentation_to_mask(segmentation: Segmentation, height: int, width: int) -> Mask:
    """The mask (H, W) bool of a COCO segmentation: polygons, compressed or uncompressed RLE.

    Polygons are filled as COCO's own tools fill them, and united.

    Raises:
        MaskError: If the segmentation is malformed or does not fit the picture.
    """
    mask = np.zeros((height, width), dtype=bool)
    crop, x, y = crop_segmentation(segmentation, height, width)
    mask[y : y + crop.shape[0], x : x + crop.shape[1]] = crop
    return mask


def crop_segmentation(segmentation: Segmentation, height: int, width: int) -> tuple[Mask, int, int]:
    """The mask of a COCO segmentation inside its tight box, without drawing the rest of the picture.

    Returns:
        The crop (h, w) bool, and the left and top edge of it in the picture, pixels. An object that covers no pixel
        gives a crop of the shape (0, 0).

    Raises:
        MaskError: If the segmentation is malformed or does not fit the picture (height, width).
    """
    if isinstance(segmentation, Mapping):
        runs = _fitting_runs(segmentation, height, width)
    else:
        runs = _polygon_runs(segmentation, height, width)
    columns, x = _draw_columns(runs, height)
    rows = np.flatnonzero(columns.any(axis=1))
    if not rows.size:
        return np.zeros((0, 0), dtype=bool), 0, 0
    y = int(rows[0])
    return np.ascontiguousarray(columns[y : rows[-1] + 1]), x, y


def measure_segmentation(
    segmentation: Segmentation, height: int, width: int
) -> tuple[tuple[float, float, float, float], int]:
    """The tight box (XYWH) and the area of a COCO segmentation, pixels; zeros where it covers nothing.

    Raises:
        MaskError: As `crop_segmentation`.
    """
    if isinstance(segmentation, Mapping):
        runs = _fitting_runs(segmentation, height, width)
        return _runs_box(runs, height), int(runs[1::2].sum())
    rle = _polygon_rle(segmentation, height, width)
    x, y, w, h = coco_mask.toBbox(rle).tolist()
    return (x, y, w, h), int(coco_mask.area(rle))


def check_segmentation(segmentation: Segmentation, height: int, width: int) -> None:
    """Raise `MaskError` if a COCO segmentation is malformed or does not fit its picture; draws nothing."""
    if isinstance(segmentation, Mapping):
        _fitting_runs(segmentation, height, width)
    else:
        check_polygons(segmentation, height, width)


def label_components(mask: NDArray[Any]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Connected components (8-connected).

    Returns:
        labels (H, W) int32, 0 for background and n for component n; areas (N,) int64, pixels, of components 1..N.
    """
    count, labels = cv2.connectedComponents(_binary(mask), connectivity=8, ltype=cv2.CV_32S)
    flat = labels.ravel()
    # Areas by runs of equal labels: a third of the time of OpenCV's own statistics.
    starts = np.concatenate(([0], np.flatnonzero(flat[1:] != flat[:-1]) + 1))
    lengths = np.diff(starts, append=flat.size)
    areas = np.bincount(flat[starts], weights=lengths, minlength=count)
    return labels, areas[1:].astype(np.int64)


def largest_component(mask: NDArray[Any]) -> Mask:
    """Only the largest connected component (8-connected) of a mask; the first one of equally large ones."""
    labels, areas = label_components(mask)
    if areas.size < 2:
        return mask.astype(bool)
    kept: Mask = labels == areas.argmax() + 1
    return kept


def fill_holes(mask: NDArray[Any]) -> Mask:
    """The mask with its holes filled: background that no 4-connected path joins to the picture's border."""
    framed = cv2.copyMakeBorder(_binary(mask), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    cv2.floodFill(framed, None, (0, 0), 2)
    filled: Mask = framed[1:-1, 1:-1] != 2
    return filled


def _binary(mask: NDArray[Any]) -> NDArray[np.uint8]:
    if mask.ndim != 2:
        raise MaskError(f"a mask has two axes (height, width), this one has the shape {mask.shape}")
    if not mask.size:
        raise MaskError(f"a mask has at least one pixel, this one has the shape {mask.shape}")
    return np.ascontiguousarray(mask if mask.dtype == np.bool_ else mask != 0).view(np.uint8)


def _extent(mask: NDArray[Any]) -> tuple[int, int, int, int]:
    """The tight box, XYXY with exclusive ends."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        raise MaskError("the mask is empty, it has no box")
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _rle_size(rle: Mapping[str, Any]) -> tuple[int, int]:
    size = rle.get("size")
    if not isinstance(size, Sequence) or len(size) != 2 or not all(isinstance(side, int) and side > 0 for side in size):
        raise MaskError(f"an RLE's size is [height, width] in pixels, this one has {size!r}")
    return size[0], size[1]


def _rle_runs(rle: Mapping[str, Any], height: int, width: int) -> NDArray[np.int64]:
    """Run lengths by columns, background first; checked, because pycocotools reads past a malformed text's end."""
    counts = rle.get("counts")
    if isinstance(counts, str | bytes):
        runs = _parse_counts(counts)
    elif isinstance(counts, Sequence | np.ndarray):
        runs = _integer_runs(counts)
    else:
        raise MaskError(f"an RLE's counts are a text or a list of run lengths, not {type(counts).__name__}")
    if runs.min() < 0:
        raise MaskError(f"the RLE's counts are damaged: they hold a run of {runs.min()} pixels")
    total = int(runs.sum())
    if runs.max() > height * width or total != height * width:
        raise MaskError(
            f"the RLE does not fit its picture: its runs add up to {total} pixels, height {height} x width {width} "
            f"makes {height * width}; the counts are cut off or belong to another picture"
        )
    return runs


def _fitting_runs(rle: Mapping[str, Any], height: int, width: int) -> NDArray[np.int64]:
    size = _rle_size(rle)
    if size != (height, width):
        raise MaskError(f"the RLE has the size {list(size)}, its picture [height, width] = {[height, width]}")
    return _rle_runs(rle, height, width)


def _integer_runs(counts: Sequence[Any] | NDArray[Any]) -> NDArray[np.int64]:
    try:
        runs = np.asarray(counts)
    except ValueError as error:
        raise MaskError("an RLE's uncompressed counts are a flat list of integers") from error
    if runs.ndim != 1 or not runs.size or runs.dtype.kind not in "iu":
        raise MaskError("an RLE's uncompressed counts are a flat list of integers")
    return runs.astype(np.int64)


def _parse_counts(text: str | bytes) -> NDArray[np.int64]:
    """Run lengths of COCO's compressed text, as in maskApi.c.

    A character holds 5 bits, low bits first; 0x20 says that more follow, 0x10 of the last one is the sign. From the
    fourth on, a number is the difference to the one before the previous.
    """
    try:
        data = text.encode("ascii") if isinstance(text, str) else text
    except UnicodeEncodeError as error:
        raise MaskError("the RLE's counts hold characters outside the COCO code (ASCII 48 to 111)") from error
    codes = np.frombuffer(data, np.uint8).astype(np.int64) - 48
    if not codes.size or codes.min() < 0 or codes.max() > 63:
        raise MaskError("the RLE's counts are empty or hold characters outside the COCO code (ASCII 48 to 111)")
    last = (codes & 0x20) == 0
    if not last[-1]:
        raise MaskError("the RLE's counts are cut off in the middle of a number")
    ends = np.flatnonzero(last)
    starts = np.concatenate(([0], ends[:-1] + 1))
    digits = ends - starts + 1
    if digits.max() > 8:
        raise MaskError("the RLE's counts hold a number too large for any picture")
    place = np.arange(codes.size) - np.repeat(starts, digits)
    values = np.add.reduceat((codes & 0x1F) << (5 * place), starts)
    values -= np.where(codes[ends] & 0x10, np.int64(1) << (5 * digits), 0)
    values[1::2] = np.cumsum(values[1::2])
    values[2::2] = np.cumsum(values[2::2])
    return values


def _polygon_runs(polygons: Sequence[Sequence[float]], height: int, width: int) -> NDArray[np.int64]:
    return _parse_counts(_polygon_rle(polygons, height, width)["counts"])


def _polygon_rle(polygons: Sequence[Sequence[float]], height: int, width: int) -> Any:
    """The polygons' union as pycocotools' RLE; COCO's rule works on the outlines, no picture is drawn."""
    check_polygons(polygons, height, width)
    rles = coco_mask.frPyObjects([list(polygon) for polygon in polygons], height, width)
    return rles[0] if len(rles) == 1 else coco_mask.merge(rles)


def _runs_box(runs: NDArray[np.int64], height: int) -> tuple[float, float, float, float]:
    """The tight box of an object, XYWH; pycocotools' ``toBbox`` is wrong where a run is empty."""
    edges = np.cumsum(runs)
    filled = np.flatnonzero(runs[1::2]) * 2 + 1
    if not filled.size:
        return 0.0, 0.0, 0.0, 0.0
    (x0s, y0s), (x1s, y1s) = (divmod(pixels, height) for pixels in (edges[filled - 1], edges[filled] - 1))
    wraps = bool((x0s != x1s).any())  # a run that goes on in the next column covers the lowest row and the highest
    top, bottom = (0, height - 1) if wraps else (int(y0s.min()), int(y1s.max()))
    return float(x0s[0]), float(top), float(x1s[-1] - x0s[0] + 1), float(bottom - top + 1)


def _draw(runs: NDArray[np.int64], height: int, width: int) -> Mask:
    columns = np.repeat(_alternating(runs.size), runs).reshape(width, height)
    mask: Mask = cv2.transpose(columns.view(np.uint8)).reshape(height, width).view(bool)
    return mask


def _draw_columns(runs: NDArray[np.int64], height: int) -> tuple[Mask, int]:
    """The columns that the object touches (height, w), and the first of them."""
    edges = np.cumsum(runs)
    filled = np.flatnonzero(runs[1::2]) * 2 + 1
    if not filled.size:
        return np.zeros((height, 0), dtype=bool), 0
    first, last = int(edges[filled[0] - 1]) // height, (int(edges[filled[-1]]) - 1) // height
    edges = np.clip(edges, first * height, (last + 1) * height)
    inside = np.diff(edges, prepend=first * height)
    return np.repeat(_alternating(runs.size), inside).reshape(-1, height).T, first


def _alternating(count: int) -> Mask:
    values = np.zeros(count, dtype=bool)
    values[1::2] = True
    return values
