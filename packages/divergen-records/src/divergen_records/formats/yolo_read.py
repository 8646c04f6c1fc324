"""Read YOLO segmentation folders: a file that describes them, pictures, and a text file of labels for each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from ..dataset import Annotation, Dataset, ImageInfo
from ..errors import DatasetError, MaskError
from ..masks import measure_segmentation
from ..picture_files import is_picture, name_below
from ..polygons import clip_polygons
from ..reading import read_text
from ..record import Category
from .pictures import picture_size
from .problems import Mends, Problems
from .protocol import OnProblem, Source
from .yolo import label_name
from .yolo_layout import find_yolo, inside, missing_places, read_description, split_places, yolo_part

__all__ = ["read_yolo"]

_TURNED = 8
"""Coordinates of a turned box."""


def read_yolo(
    path: Path | str,
    *,
    image_dir: Path | None = None,
    on_problem: OnProblem = "stop",
    boxes: bool = False,
    need_pictures: bool | None = None,
    progress: bool = False,
) -> Dataset:
    """Read a YOLO data set. A picture without a label file has no objects.

    Args:
        path: The YAML file (or ``obj.data``, ``classes.txt``), or its folder, or the folder of one split below it.
            Nothing outside the file's folder is read.
        image_dir: One split's folder of images, or text file that lists them; all splits where None.
        on_problem: What to do with lines that have a problem; ``"repair"`` clips polygons at the border and leaves
            out a detector's confidence.
        boxes: Keep lines that are a box.
        need_pictures: Without a meaning here; so is the next.
        progress: Show the progress.

    Raises:
        DatasetError: If it is no such data set, or (unless they are left out) has problems.
    """
    source = _source(Path(path))
    file, image_dir = source.path, image_dir or source.images
    content = read_description(file)
    if content.get("kpt_shape") is not None:
        raise DatasetError(
            f"{file}: kpt_shape says that its labels are keypoints (YOLO-pose); give outlines (YOLO-seg)"
        )
    categories = _categories(content.get("names"), file)
    places = [image_dir] if image_dir is not None else _distinct(split_places(file, content))
    root = image_dir if image_dir is not None and image_dir.is_dir() else file.parent
    problems = Problems(file, on_problem)
    images: list[ImageInfo] = []
    annotations: list[Annotation] = []
    classes: dict[float, Category] = {category.id - 1: category for category in categories}
    repeated = 0
    for picture in dict.fromkeys(picture for place in places for picture in _pictures(place, file.parent, problems)):
        name = picture.relative_to(root).as_posix()
        info = problems.attempt(name, partial(_image, picture, root, len(images) + 1))
        if info is None:
            continue
        images.append(info)
        lines = _lines(picture, file.parent, problems)
        repeated += len(lines) - len(set(lines))
        for line in dict.fromkeys(lines):
            read = partial(_object, line, info, classes, boxes, len(annotations) + 1)
            annotation = problems.attempt(f"label of {name}, line {lines.index(line) + 1}", read)
            if annotation is not None:
                annotations.append(annotation)
    for place in places:
        if place.is_dir():
            _tell_orphans(place, file.parent, problems)
    problems.raise_all()
    problems.notes += _notes(file, content, images, annotations, repeated)
    shown = ", ".join(str(place.relative_to(file.parent)) for place in places if place.is_relative_to(file.parent))
    problems.notes.insert(0, f"YOLO data set {file.name}: {len(images)} pictures of {shown or root}")
    return Dataset(file, root, images, annotations, categories, **problems.told).counted()


def _notes(
    file: Path, content: dict[str, Any], images: list[ImageInfo], annotations: list[Annotation], repeated: int
) -> Iterator[str]:
    named: dict[str, list[str]] = {}
    for image in images:
        named.setdefault(image.file_name.rpartition(".")[0], []).append(image.file_name)
    if shared := [names for names in named.values() if len(names) > 1]:
        names = " and ".join(map(repr, shared[0]))
        yield f"{len(shared)} labels are of several pictures, as of {names}: their objects are read for each"
    outlines = [one.segmentation for one in annotations if one.segmentation]
    if outlines and all(len(outline[0]) == _TURNED for outline in outlines):
        yield f"all {len(outlines)} outlines have four corners, as the turned boxes of YOLO-OBB; such masks are boxes"
    if repeated:
        yield f"{repeated} lines stand twice in their label; read once, as Ultralytics does"
    if missing := missing_places(file, content):
        yield f"{file.name} names what is not there, and is not read: {', '.join(missing)}"


def _source(path: Path) -> Source:
    file = find_yolo(path)
    source = yolo_part(path) if file is None else Source(file)
    if source is None:
        raise DatasetError(f"{path}: there is no data.yaml with names and splits, obj.data or classes.txt")
    return source


def _distinct(places: dict[str, list[Path]]) -> list[Path]:
    return list(dict.fromkeys(place for some in places.values() for place in some))


def _categories(names: Any, file: Path) -> list[Category]:
    listed = dict(enumerate(names)) if isinstance(names, list) else names
    if not isinstance(listed, dict) or not all(str(key).isdecimal() for key in listed):
        raise DatasetError(f"{file}: names is a list, or {{class: name}}, not {names!r:.80}")
    listed = {int(key): name for key, name in listed.items()}
    for number, name in listed.items():
        if name is None or not isinstance(name, str | int | float) or isinstance(name, bool):
            raise DatasetError(f"{file}: the name of class {number} is {name!r} in YAML, no text; write it in quotes")
    return [Category(id=number + 1, name=str(name).strip() or f"class {number}") for number, name in listed.items()]


def _image(picture: Path, root: Path, id_: int, mends: Mends) -> ImageInfo:
    width, height = picture_size(picture)
    return ImageInfo(id=id_, width=width, height=height, file_name=name_below(root, picture))


def _pictures(place: Path, root: Path, problems: Problems) -> Iterator[Path]:
    """A folder's pictures by name, without what macOS adds (``._a.jpg``), or those that a text file lists."""
    if place.is_dir():
        found = sorted(path for path in place.rglob("*") if is_picture(path) and path.is_file())
        yield from (path for path in found if not path.name.startswith("._"))
        return
    for number, line in enumerate(read_text(place).splitlines(), start=1):
        if not line.strip():
            continue
        picture = inside(root, line.strip())
        if picture is not None and picture.is_file():
            yield picture
        else:
            problems.add(f"{place.name}, line {number}", f"the picture {line.strip()} is not below {root}")


def _tell_orphans(folder: Path, root: Path, problems: Problems) -> None:
    """Labels of pictures that are not there; they lie in a folder of their own, which may hold other texts."""
    if not folder.is_relative_to(root):
        return
    labels = (root / label_name((folder / "x.jpg").relative_to(root).as_posix())).parent
    if labels == folder or not labels.is_dir():
        return
    pictures = {path.relative_to(folder).with_suffix("") for path in _pictures(folder, root, problems)}
    for path in sorted(labels.rglob("*.txt")):
        known = path.relative_to(labels).with_suffix("") in pictures or not path.is_file()
        if not known and path.read_bytes().strip()[:1].isdigit():
            problems.add(path.relative_to(root).as_posix(), f"there is no picture of this name in {folder}")


def _lines(picture: Path, root: Path, problems: Problems) -> list[str]:
    label = root / label_name(picture.relative_to(root).as_posix()) if picture.is_relative_to(root) else None
    if label is None or not label.is_file():
        label = picture.with_suffix(".txt")
    try:
        text = label.read_text("utf-8-sig") if label.is_file() else ""
    except UnicodeDecodeError as error:
        problems.add(str(label), f"is no text ({error})")
        text = ""
    return [line for line in text.splitlines() if line.strip()]


def _object(
    line: str, info: ImageInfo, classes: Mapping[float, Category], boxes: bool, id_: int, mends: Mends
) -> Annotation:
    """One line: a class and a polygon, or a class and a box; coordinates from 0 to 1."""
    try:
        head, *numbers = (float(word) for word in line.split())
    except ValueError as error:
        raise DatasetError(f"is not numbers: {line[:60]!r}") from error
    category = classes.get(head)
    if category is None:
        raise DatasetError(f"class {head:g} is none of the {len(classes)} names")
    if mends is not None and len(numbers) > 4 and len(numbers) % 2 and 0 <= numbers[-1] <= 1:
        mends.append(f"the last of {len(numbers)} numbers read as a detector's confidence")
        numbers.pop()
    if len(numbers) == 4:
        return _box(numbers, info, category, boxes, id_)
    if len(numbers) < 6 or len(numbers) % 2:
        raise DatasetError(f"has {len(numbers)} coordinates; a polygon has an even number, six at least, a box four")
    scaled = [number * (info.width, info.height)[at % 2] for at, number in enumerate(numbers)]
    try:
        polygons = clip_polygons([scaled], info.height, info.width, mends)
        bbox, area = measure_segmentation(polygons, info.height, info.width)
    except MaskError as error:
        raise DatasetError(str(error)) from error
    return Annotation(id_, info.id, category.id, bbox, area, polygons)


def _box(numbers: list[float], info: ImageInfo, category: Category, boxes: bool, id_: int) -> Annotation:
    if not boxes:
        raise DatasetError("is a box without a mask; instance segmentation needs a polygon for each object")
    x, y, width, height = (number * (info.width, info.height)[at % 2] for at, number in enumerate(numbers))
    return Annotation(id_, info.id, category.id, (x - width / 2, y - height / 2, width, height), width * height, None)
