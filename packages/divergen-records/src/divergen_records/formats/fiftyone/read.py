"""Read FiftyOne's form: what ``dataset.export(…, dataset_type=fiftyone.types.FiftyOneDataset)`` wrote, or we did.

Pictures lie below the folder. Of an export without pictures the sizes are read from its ``metadata``, and whoever needs
the pictures says where they are. Tags, and fields that are plain values, are kept as ``extra``.
"""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...dataset import Annotation, Dataset, ImageInfo
from ...errors import DatasetError, ImageError, MaskError
from ...images import read_mask
from ...masks import Segmentation, encode_rle, measure_segmentation
from ...polygons import clip_polygons
from ...record import Category
from ..coco.frame import read_json_bytes, whole_characters
from ..pictures import picture_size
from ..problems import UNNAMED, Mends, Problems
from ..protocol import OnProblem
from ..yolo_layout import inside
from .arrays import unpack_mask
from .write import FIELD

__all__ = ["is_fiftyone", "read_fiftyone"]

_HEAD = 2**20
_LABELS = {"Detection": None, "Detections": "detections", "Polyline": None, "Polylines": "polylines"}
"""Kinds of fields that hold objects, and the key of their lists."""

_OTHERS = ("Classification", "Classifications", "Heatmap", "Keypoint", "Keypoints", "Segmentation")
"""Kinds of fields that hold none."""

_TOLERANCE = 1e-3
"""Share of a picture by which a box may leave it: that is rounding."""

Mask = NDArray[np.bool_]


def is_fiftyone(path: Path) -> bool:
    """Whether a folder, or its ``samples.json``, is FiftyOne's."""
    file = path / "samples.json" if path.is_dir() else path
    if file.name == "samples.json" and file.is_file():
        with file.open("rb") as opened:
            head = opened.read(_HEAD)
        return b'"samples"' in head[:64] and (b'"filepath"' in head or len(head) < 64)
    return path.is_dir() and (path / "metadata.json").is_file() and any((path / "samples").glob("*.json"))


def read_fiftyone(
    path: Path | str,
    *,
    image_dir: Path | None = None,
    on_problem: OnProblem = "stop",
    boxes: bool = False,
    need_pictures: bool | None = None,
    progress: bool = False,
) -> Dataset:
    """Read the samples of a folder, and the objects of the one field that holds some.

    Args:
        path: The folder, or its ``samples.json``.
        image_dir: The folder of pictures, where they are not below the folder.
        on_problem: What to do with what has a problem; ``"repair"`` clips at the border.
        boxes: Keep objects without a mask as boxes.
        need_pictures: A picture that is not there is a problem.
        progress: Show the progress.

    Raises:
        DatasetError: If it cannot be read, several fields hold objects, or (unless left out) there are problems.
    """
    path = Path(path)
    root = path if path.is_dir() else path.parent
    folder = image_dir or root
    problems = Problems(path, on_problem)
    samples = _samples(root, problems.notes)
    field = _field(samples, root)
    names: dict[str, int] = {}
    images: list[ImageInfo] = []
    annotations: list[Annotation] = []
    for number, sample in enumerate(samples):
        where = str(sample.get("filepath") or f"samples[{number}]")
        info = problems.attempt(where, partial(_image, sample, folder, bool(need_pictures), len(images) + 1))
        if info is None:
            continue
        images.append(info)
        for label in _objects(sample.get(field)):
            name = str(label.get("label") or "").strip() or UNNAMED
            category = names.setdefault(name, len(names) + 1)
            read = partial(_object, label, info, root, category, boxes, len(annotations) + 1)
            annotation = problems.attempt(f"{where}: {name!r}", read)
            if annotation is not None:
                annotations.append(annotation)
    problems.raise_all()
    problems.note_unnamed(names, annotations)
    problems.notes.insert(0, f"FiftyOne: {len(images)} samples of {path}, objects in the field {field!r}")
    if others := _others(samples, field):
        problems.notes.insert(1, f"not read are the fields {', '.join(others)}")
    categories = [Category(id=id_, name=name) for name, id_ in names.items()]
    return Dataset(path, folder, images, annotations, categories, **problems.told).counted()


def _samples(root: Path, notes: list[str]) -> list[dict[str, Any]]:
    file = root / "samples.json"
    if file.is_file():
        content = _json(file, notes)
        found = content.get("samples") if isinstance(content, dict) else None
    else:
        found = [_json(each, notes) for each in sorted((root / "samples").glob("*.json"))] or None
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise DatasetError(f"{root}: has no list of samples, so it is none of FiftyOne's data sets")
    return found


def _json(file: Path, notes: list[str]) -> Any:
    try:
        return json.loads(whole_characters(read_json_bytes(file), file, notes))
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{file}: cannot be read ({error})") from error


def _field(samples: list[dict[str, Any]], root: Path) -> str:
    """The field that holds the objects."""
    found = {
        name: None
        for sample in samples
        for name, value in sample.items()
        if isinstance(value, dict) and str(value.get("_cls")) in _LABELS
    }
    if FIELD in found or not found:
        return FIELD
    if len(found) > 1:
        raise DatasetError(
            f"{root}: the fields {', '.join(sorted(found))} hold objects; export one, dataset.select_fields(NAME), or "
            f"call it {FIELD}"
        )
    return next(iter(found))


def _others(samples: list[dict[str, Any]], field: str) -> list[str]:
    """Fields of labels beside that of the objects, with their kinds."""
    values = ((name, value) for sample in samples for name, value in sample.items() if isinstance(value, dict))
    fields = {(name, str(value.get("_cls"))) for name, value in values}
    return sorted(f"{name} ({kind})" for name, kind in fields if kind in (*_LABELS, *_OTHERS) and name != field)


def _image(sample: dict[str, Any], folder: Path, need_picture: bool, id_: int, mends: Mends) -> ImageInfo:
    path = PurePosixPath(str(sample.get("filepath") or "").replace("\\", "/"))
    if not path.name:
        raise DatasetError("has no filepath")
    below = [inside(folder, str(path)), folder / "data" / path.name, folder / "images" / path.name]
    picture = next((one for one in below if one is not None and one.is_file()), None)
    if picture is not None and picture.resolve().is_relative_to(folder.resolve()):
        (width, height), name = picture_size(picture), picture.relative_to(folder).as_posix()
    else:
        metadata = sample.get("metadata") if not need_picture else None
        sides = [metadata.get(key) if isinstance(metadata, dict) else None for key in ("width", "height")]
        known = [side for side in sides if isinstance(side, int) and side > 0]
        if len(known) < 2:
            raise DatasetError(f"its picture {path.name!r} is not in the folder {folder}; give its folder by --images")
        (width, height), name = known, path.name
    return ImageInfo(id=id_, width=width, height=height, file_name=name, extra=_extra(sample, _OF_IMAGES) or None)


_OF_IMAGES = frozenset([*ImageInfo.__struct_fields__, "filepath", "tags"])
_OF_OBJECTS = frozenset([*Annotation.__struct_fields__, "segmentation", "label", "mask", "mask_path", "tags"])


def _extra(document: dict[str, Any], known: frozenset[str]) -> dict[str, Any]:
    """Its tags, and its other fields that are plain values."""
    plain = {
        name: value
        for name, value in document.items()
        if isinstance(value, (str, int, float)) and name not in known and not name.startswith("_")
    }
    tags = document.get("tags")
    return {**plain, "tags": [str(tag) for tag in tags]} if isinstance(tags, list) and tags else plain


def _objects(value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, dict):
        return []
    key = _LABELS.get(str(value.get("_cls")))
    found = value.get(key) if key else [value]
    return [one if isinstance(one, dict) else {} for one in found] if isinstance(found, list) else []


def _object(
    label: dict[str, Any], info: ImageInfo, root: Path, category: int, boxes: bool, id_: int, mends: Mends
) -> Annotation:
    box = None if "points" in label else _box(label, info)
    segmentation = _segmentation(label, box, info, root, mends)
    extra = _extra(label, _OF_OBJECTS) or None
    crowd = bool(label.get("iscrowd"))
    if segmentation is None:
        assert box is not None
        if not boxes:
            raise DatasetError("has no mask; instance segmentation needs one for each object")
        x0, y0, x1, y1 = box
        return Annotation(id_, info.id, category, (x0, y0, x1 - x0, y1 - y0), (x1 - x0) * (y1 - y0), None, crowd, extra)
    try:
        bbox, area = measure_segmentation(segmentation, info.height, info.width)
    except MaskError as error:
        raise DatasetError(str(error)) from error
    return Annotation(id_, info.id, category, bbox, area, segmentation, crowd, extra)


def _box(label: dict[str, Any], info: ImageInfo) -> tuple[float, float, float, float]:
    """XYXY, pixels."""
    shares = label.get("bounding_box")
    try:
        x, y, width, height = (float(share) for share in shares or ())
    except (TypeError, ValueError) as error:
        raise DatasetError(f"its bounding_box is no [x, y, width, height]: {shares!r:.60}") from error
    if not (0 < width < np.inf and 0 < height < np.inf and np.isfinite([x, y]).all()):
        raise DatasetError(f"its bounding_box covers nothing: {shares!r:.60}")
    return x * info.width, y * info.height, (x + width) * info.width, (y + height) * info.height


def _segmentation(
    label: dict[str, Any], box: tuple[float, float, float, float] | None, info: ImageInfo, root: Path, mends: Mends
) -> Segmentation | None:
    if box is None:
        return _polygons(label, info, mends)
    if label.get("mask") is not None:
        return _placed(unpack_mask(label["mask"]), box, info, mends)
    if label.get("mask_path"):
        file = inside(root, str(label["mask_path"]))
        if file is None or not file.resolve().is_relative_to(root.resolve()):
            raise DatasetError(f"its mask {label['mask_path']!r:.80} is not in the folder {root}")
        try:
            return _placed(read_mask(file), box, info, mends)
        except ImageError as error:
            raise DatasetError(str(error)) from error
    return None


def _placed(crop: Mask, box: tuple[float, float, float, float], info: ImageInfo, mends: Mends) -> Segmentation:
    """A mask inside its box; FiftyOne stretches it to the box where it has another size."""
    x0, y0, x1, y1 = (round(edge) for edge in box)
    width, height = max(x1 - x0, 1), max(y1 - y0, 1)
    slack_x, slack_y = 1 + _TOLERANCE * info.width, 1 + _TOLERANCE * info.height
    if x0 < -slack_x or y0 < -slack_y or x1 > info.width + slack_x or y1 > info.height + slack_y:
        if mends is None:
            raise DatasetError("its box leaves the picture")
        mends.append("clipped a mask at the border")
    if max(width, height) > 4 * max(info.width, info.height):
        raise DatasetError("its box is many times larger than the picture")
    if crop.shape != (height, width):
        crop = np.asarray(Image.fromarray(crop).resize((width, height), Image.Resampling.NEAREST))
    whole = np.zeros((info.height, info.width), dtype=bool)
    part = crop[max(-y0, 0) : info.height - y0, max(-x0, 0) : info.width - x0]
    top, left = max(y0, 0), max(x0, 0)
    whole[top : top + part.shape[0], left : left + part.shape[1]] = part
    return encode_rle(whole)


def _polygons(label: dict[str, Any], info: ImageInfo, mends: Mends) -> Segmentation:
    if not (label.get("closed") or label.get("filled")):
        raise DatasetError("is an open line, which covers nothing")
    try:
        outlines = [np.asarray(shape, dtype=np.float64) * (info.width, info.height) for shape in label["points"]]
        return clip_polygons([outline.ravel().tolist() for outline in outlines], info.height, info.width, mends)
    except (TypeError, ValueError) as error:
        raise DatasetError(f"its points are no lists of [x, y] ({error})") from error
    except MaskError as error:
        raise DatasetError(str(error)) from error
