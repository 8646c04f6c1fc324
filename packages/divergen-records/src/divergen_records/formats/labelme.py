"""Read labelme's JSON: one file for each picture, with shapes of points."""

from __future__ import annotations

import json
import math
from base64 import b64decode
from functools import partial
from io import BytesIO
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from ..dataset import Annotation, Dataset, ImageInfo
from ..errors import DatasetError, MaskError
from ..masks import Segmentation, encode_rle, measure_segmentation, segmentation_to_mask
from ..picture_files import PICTURE_SUFFIXES, name_below
from ..polygons import clip_polygons
from ..record import Category
from .coco.frame import read_json_bytes, whole_characters
from .pictures import sizes
from .problems import UNNAMED, Mends, Problems
from .protocol import OnProblem
from .yolo_layout import inside

__all__ = ["is_labelme", "read_labelme"]

_CIRCLE = 64
"""Corners of the polygon that stands for a circle."""

_OUTLINES = ("polygon", "rotation", "oriented_rectangle")
"""Shapes that are their corners; X-AnyLabeling and labelme call a turned rectangle so."""

_TRIED = 8
"""Files of a folder that are looked into; a tool's own list may lie among labelme's."""

_HEAD = 2**20


def is_labelme(path: Path) -> bool:
    """Whether a JSON file has labelme's keys; of a folder, or of those in it, one of the first, and none is COCO's."""
    files = (_files(path, "*.json") or _files(path, "*/*.json")) if path.is_dir() else [path]
    heads = [_head(file) for file in files[:_TRIED] if file.suffix == ".json" and file.is_file()]
    if any(b'"annotations"' in head for head in heads):
        return False
    return any(b'"shapes"' in head and (b'"imagePath"' in head or b'"imageData"' in head) for head in heads)


def _head(file: Path) -> bytes:
    with file.open("rb") as opened:
        return opened.read(_HEAD)


def _files(folder: Path, pattern: str) -> list[Path]:
    """Files in order; hidden ones are nobody's shapes but a hidden picture's."""
    return sorted(path for path in folder.glob(pattern) if path.name[0] != "." or _is_of_hidden(path))


def _is_of_hidden(path: Path) -> bool:
    """Whether a picture has its name; what begins with ``._`` is macOS's."""
    return path.name[1] != "_" and any(path.with_suffix(suffix).is_file() for suffix in PICTURE_SUFFIXES)


def read_labelme(
    path: Path | str,
    *,
    image_dir: Path | None = None,
    on_problem: OnProblem = "stop",
    boxes: bool = False,
    need_pictures: bool | None = None,
    progress: bool = False,
) -> Dataset:
    """Read a folder of labelme's files, or one of them. Shapes of one ``group_id`` and label are one object.

    Args:
        path: The folder or file.
        image_dir: The folder of images; where the files lie by default.
        on_problem: What to do with shapes that have a problem; ``"repair"`` clips polygons at the border.
        boxes: Keep rectangles as boxes; a rectangle is no mask.
        need_pictures: Without a meaning here; so is the next.
        progress: Show the progress.

    Raises:
        DatasetError: If there is no such file, or (unless they are left out) there are problems.
    """
    path = Path(path)
    files = _files(path, "**/*.json") if path.is_dir() else [path]
    if not files:
        raise DatasetError(f"{path}: holds no JSON file, so none of labelme's")
    folder = image_dir or (path if path.is_dir() else path.parent)
    problems = Problems(path, on_problem)
    names: dict[str, int] = {}
    images: list[ImageInfo] = []
    annotations: list[Annotation] = []
    for file in files:
        where = file.name if file == path else file.relative_to(path).as_posix()
        content = problems.attempt(where, partial(_load, file, problems.notes))
        if content is None:
            continue
        info = problems.attempt(where, partial(_image, content, file, folder, len(images) + 1))
        if info is None:
            continue
        images.append(info)
        for label, shapes in _objects(content):
            category = names.setdefault(label, len(names) + 1)
            read = partial(_object, shapes, info, category, boxes, len(annotations) + 1)
            annotation = problems.attempt(f"{where}: {label!r}", read)
            if annotation is not None:
                annotations.append(annotation)
    problems.raise_all()
    problems.note_unnamed(names, annotations)
    problems.notes.insert(0, f"labelme: {len(images)} files of {path}; pictures in {folder}")
    categories = [Category(id=id_, name=name) for name, id_ in names.items()]
    return Dataset(path, folder, images, annotations, categories, **problems.told).counted()


def _load(file: Path, notes: list[str], mends: Mends) -> dict[str, Any]:
    try:
        content = json.loads(whole_characters(read_json_bytes(file), file, notes))
    except UnicodeDecodeError as error:
        raise DatasetError(f"is no UTF-8 text (byte {error.start}); save the file as UTF-8") from error
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"cannot be read ({error})") from error
    if not isinstance(content, dict) or not isinstance(content.get("shapes"), list):
        raise DatasetError("has no list of shapes, so it is none of labelme's files")
    return content


def _image(content: dict[str, Any], file: Path, folder: Path, id_: int, mends: Mends) -> ImageInfo:
    """The picture of a file: as ``imagePath`` says, or beside the file under its name."""
    path = PureWindowsPath(str(content.get("imagePath") or ""))
    named, below = path.name, inside(folder, path.as_posix())
    beside = (file.with_suffix(suffix) for suffix in sorted(PICTURE_SUFFIXES))
    candidates = [*([below] if below else []), folder / named, file.with_name(named)] if named else []
    picture = next((one for one in (*candidates, *beside) if one.is_file()), None)
    if picture is None or not picture.resolve().is_relative_to(folder.resolve()):
        kept = isinstance(content.get("imageData"), str) and bool(content["imageData"])
        inside_it = ", or save the JSON's imageData (base64) as that file" if kept else ""
        raise DatasetError(
            f"its picture {named or file.stem!r} is not in the folder {folder}; give its folder by --images{inside_it}"
        )
    width, height = _size(content, picture, mends)
    return ImageInfo(id=id_, width=width, height=height, file_name=name_below(folder, picture))


def _size(content: dict[str, Any], picture: Path, mends: Mends) -> tuple[int, int]:
    """Width and height of a picture, as it is seen or as it is stored, whichever the file says.

    Raises:
        DatasetError: If the file says another one: the shapes are those of a picture that was scaled or replaced.
    """
    stored, turned = sizes(picture)
    said = content.get("imageWidth"), content.get("imageHeight")
    if said == stored or not all(isinstance(side, int | float) and side > 0 for side in said):
        return stored if said == stored else turned or stored
    width, height = seen = turned or stored
    if said != seen:
        if mends is None:
            raise DatasetError(
                f"its shapes are of a picture {said[0]} wide and {said[1]} high, {picture.name} is {width} wide and "
                f"{height} high: it was scaled after annotation, or is another picture"
            )
        mends.append(f"drawn on a picture {said[0]} wide and {said[1]} high; its own size is taken, as labelme does")
    return seen


def _objects(content: dict[str, Any]) -> list[tuple[str, list[Any]]]:
    """Shapes by object: those of one label and group together, others each alone."""
    groups: dict[Any, tuple[str, list[Any]]] = {}
    for number, shape in enumerate(content["shapes"]):
        row = shape if isinstance(shape, dict) else {}
        label, group = str(row.get("label") or "").strip() or UNNAMED, row.get("group_id")
        key = (label, group) if _is_group(group) else (label, None, number)
        groups.setdefault(key, (label, []))[1].append(row)
    return list(groups.values())


def _is_group(group: Any) -> bool:
    """Whether it is a number or a name; tools write "", false and NaN for none."""
    return isinstance(group, int | float | str) and not isinstance(group, bool) and group != "" and group == group


def _object(
    shapes: list[dict[str, Any]], info: ImageInfo, category: int, boxes: bool, id_: int, mends: Mends
) -> Annotation:
    kinds = {str(shape.get("shape_type") or "polygon") for shape in shapes}
    if kinds == {"rectangle"} and len(shapes) == 1:
        return _box(shapes[0], info, category, boxes, id_)
    try:
        segmentation: Segmentation = (
            _painted(shapes, info)
            if "mask" in kinds
            else clip_polygons([_polygon(shape) for shape in shapes], info.height, info.width, mends)
        )
        bbox, area = measure_segmentation(segmentation, info.height, info.width)
    except MaskError as error:
        raise DatasetError(str(error)) from error
    return Annotation(id_, info.id, category, bbox, area, segmentation)


def _painted(shapes: list[dict[str, Any]], info: ImageInfo) -> Segmentation:
    """Masks that labelme keeps as a PNG in base64, inside the box of their points; polygons beside them are drawn."""
    whole = np.zeros((info.height, info.width), dtype=bool)
    for shape in shapes:
        if shape.get("shape_type") != "mask":
            whole |= segmentation_to_mask([_polygon(shape)], info.height, info.width)
            continue
        try:
            with Image.open(BytesIO(b64decode(str(shape.get("mask") or ""), validate=True))) as image:
                part = np.asarray(image.convert("L")) > 0
        except (ValueError, OSError, SyntaxError) as error:
            reason = "no picture" if isinstance(error, UnidentifiedImageError) else str(error)
            raise DatasetError(f"its mask is no PNG in base64 ({reason})") from error
        x, y = _points(shape).min(axis=0).astype(int).tolist()
        room = whole[max(y, 0) : y + part.shape[0], max(x, 0) : x + part.shape[1]]
        if x < 0 or y < 0 or room.shape != part.shape:
            raise DatasetError("its mask leaves the picture")
        room |= part
    return encode_rle(whole)


def _box(shape: dict[str, Any], info: ImageInfo, category: int, boxes: bool, id_: int) -> Annotation:
    if not boxes:
        raise DatasetError("is a rectangle; instance segmentation needs a polygon for each object")
    points = _points(shape)
    (x0, y0), (x1, y1) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    return Annotation(id_, info.id, category, (x0, y0, x1 - x0, y1 - y0), (x1 - x0) * (y1 - y0), None)


def _polygon(shape: dict[str, Any]) -> list[float]:
    kind = shape.get("shape_type") or "polygon"
    points = _points(shape)
    if kind == "circle":
        if len(points) != 2:
            raise DatasetError("a circle has a centre and a point on its line")
        radius = math.dist(*points.tolist())
        angles = np.linspace(0, 2 * math.pi, _CIRCLE, endpoint=False)
        points = points[0] + radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    elif kind == "rectangle":
        (x0, y0), (x1, y1) = points.min(axis=0), points.max(axis=0)
        points = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])
    elif kind not in _OUTLINES:
        raise DatasetError(
            f"its shape is {kind!s:.30}, which covers nothing; polygons, circles and rectangles are read"
        )
    return [float(value) for value in points.ravel()]


def _points(shape: dict[str, Any]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """(N, 2) float64, pixels."""
    try:
        points = np.array(shape.get("points"), dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DatasetError(f"its points are no list of [x, y] ({error})") from error
    if points.ndim != 2 or points.shape[1] != 2 or not len(points) or not np.isfinite(points).all():
        raise DatasetError("its points are no list of [x, y]")
    return points
