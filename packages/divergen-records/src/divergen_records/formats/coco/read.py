"""Read COCO and LVIS files: typed, checked, all problems told at once."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from pydantic import ValidationError

from ...dataset import Annotation, Dataset, ImageInfo, check_file_name, frequency_of
from ...errors import DatasetError, MaskError
from ...progress import Progress
from ...record import Category, Frequency
from ..problems import Problems
from ..protocol import OnProblem
from .check import check_annotation, check_pictures, check_size, name_pictures, url_name

__all__ = ["read_dataset"]

T = TypeVar("T")


class _File(msgspec.Struct):
    """The file's frame; what is in it is decoded item by item, so that one bad item does not hide the others."""

    images: list[msgspec.Raw]
    annotations: list[msgspec.Raw]
    categories: list[msgspec.Raw]
    licenses: Any = None


class _Annotation(msgspec.Struct, gc=False):
    id: int
    image_id: int
    category_id: int
    segmentation: msgspec.Raw = msgspec.Raw(b"null")
    bbox: tuple[float, float, float, float] | None = None
    area: float | None = None
    iscrowd: int | bool = False


class _Category(msgspec.Struct):
    id: int
    name: str
    synonyms: tuple[str, ...] | None = None
    synset: str | None = None
    definition: str | None = msgspec.field(name="def", default=None)
    frequency: Frequency | None = None
    image_count: int | None = None
    instance_count: int | None = None


def read_dataset(
    path: Path | str,
    *,
    image_dir: Path | str | None = None,
    on_problem: OnProblem = "stop",
    boxes: bool = False,
    progress: bool = False,
) -> Dataset:
    """Read a COCO or LVIS instance file.

    Keys that are not known are allowed. Segmentations stay as text until asked for, so that LVIS train (1.3 million
    annotations) takes little more memory than its file.

    Args:
        path: The JSON file.
        image_dir: The folder of images; each picture of the file must be in it. Where it is not given, it is the folder
            ``images`` beside the file, or the file's own folder, and pictures are looked for when they are read.
        on_problem: ``"stop"``: any problem is an error. ``"skip"``: images, annotations and categories with a problem
            are left out, and told in `Dataset.problems`. ``"repair"``: what can be mended is, and told in
            `Dataset.repairs`; the rest is left out.
        boxes: Boxes are enough: objects without a segmentation are kept.
        progress: Show the progress; LVIS train takes most of a minute.

    Raises:
        DatasetError: If the file cannot be read, is not such a file, or (unless they are skipped) has problems: the
            message names the first ten and counts all.
    """
    path = Path(path)
    file = _decode_file(path)
    problems = Problems(path, on_problem)
    folder = Path(image_dir) if image_dir is not None else _default_image_dir(path)
    categories = _read_items(file.categories, "categories", problems, _Category, _category)
    images = name_pictures(_read_items(file.images, "images", problems, ImageInfo, _image), folder)
    if image_dir is not None:
        images = check_pictures(images, folder, problems)
    with Progress(f"read {path.name}", len(file.annotations), unit="annotations") if progress else nullcontext() as bar:
        annotations = _read_annotations(file.annotations, images, categories, problems, bar)
    problems.raise_all()
    kept = list(annotations.values())
    counted = _with_counts(categories, kept)
    licenses = file.licenses if isinstance(file.licenses, list) else []
    return Dataset(path, folder, list(images.values()), kept, counted, problems.found, licenses)


def _decode_file(path: Path) -> _File:
    try:
        return msgspec.json.decode(path.read_bytes(), type=_File)
    except FileNotFoundError as error:
        raise DatasetError(f"{path}: there is no such file; expected a COCO or LVIS JSON file") from error
    except OSError as error:
        raise DatasetError(f"{path}: the file cannot be read: {error.strerror}") from error
    except msgspec.ValidationError as error:
        raise DatasetError(
            f"{path}: {error}; a COCO or LVIS file is an object with the keys images, annotations and categories"
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path}: not valid JSON ({error}); the file is damaged or cut off, get it again") from error


def _default_image_dir(path: Path) -> Path:
    beside = path.parent / "images"
    return beside if beside.is_dir() else path.parent


def _read_items(
    raws: list[msgspec.Raw],
    key: str,
    problems: Problems,
    kind: type[T],
    convert: Callable[[T], Any],
    bar: Progress | None = None,
) -> dict[int, Any]:
    """Decode, check and convert a list of items with ids; what has a problem is left out."""
    decoder = msgspec.json.Decoder(kind)
    items: dict[int, Any] = {}
    for index, raw in enumerate(raws):
        if bar is not None and index and index % 1000 == 0:
            bar.update(1000)
        try:
            item = convert(decoder.decode(raw))
        except (msgspec.DecodeError, UnicodeDecodeError, DatasetError, MaskError) as error:
            problems.add(f"{key}[{index}]", str(error))
            continue
        if item.id in items:
            problems.add(f"{key}[{index}].id", f"the id {item.id} was there before; ids are unique")
            continue
        items[item.id] = item
    if bar is not None:
        bar.update(len(raws) - bar.done)
    return items


def _category(row: _Category) -> Category:
    try:
        return Category(
            id=row.id,
            name=row.name.strip(),
            synonyms=row.synonyms or (),
            synset=row.synset,
            definition=row.definition,
            frequency=row.frequency,
            image_count=row.image_count,
            instance_count=row.instance_count,
        )
    except ValidationError as error:
        reasons = "; ".join(f"{'.'.join(map(str, part['loc']))}: {part['msg']}" for part in error.errors())
        raise DatasetError(f"category {row.id}: {reasons}") from error


def _image(image: ImageInfo) -> ImageInfo:
    check_size(image)
    if image.file_name:
        check_file_name(image.file_name, f"image {image.id}")
    elif not image.coco_url:
        raise DatasetError(f"image {image.id} has neither file_name nor coco_url")
    else:
        check_file_name(url_name(image.coco_url), f"image {image.id}: coco_url")
    return image


def _read_annotations(
    raws: list[msgspec.Raw],
    images: dict[int, ImageInfo],
    categories: dict[int, Category],
    problems: Problems,
    bar: Progress | None,
) -> dict[int, Annotation]:
    def convert(row: _Annotation) -> Annotation:
        if row.category_id not in categories:
            raise DatasetError(
                f"annotation {row.id}: {row.category_id} names no sound category of the file - at `$.category_id`"
            )
        image = images.get(row.image_id)
        if image is None:
            raise DatasetError(
                f"annotation {row.id}: {row.image_id} names no sound image of the file - at `$.image_id`"
            )
        bbox, area = check_annotation(row.segmentation, row.bbox, row.area, image, f"annotation {row.id}")
        return Annotation(row.id, row.image_id, row.category_id, bbox, area, row.segmentation, row.iscrowd)

    return _read_items(raws, "annotations", problems, _Annotation, convert, bar)


def _with_counts(categories: dict[int, Category], annotations: list[Annotation]) -> list[Category]:
    """The categories with counts and frequency; the file's own numbers stay."""
    instances = dict.fromkeys(categories, 0)
    shown: dict[int, set[int]] = {key: set() for key in categories}
    for annotation in annotations:
        instances[annotation.category_id] += 1
        shown[annotation.category_id].add(annotation.image_id)
    counted = []
    for key, category in categories.items():
        image_count = len(shown[key]) if category.image_count is None else category.image_count
        update = {
            "image_count": image_count,
            "instance_count": instances[key] if category.instance_count is None else category.instance_count,
            "frequency": category.frequency or frequency_of(image_count),
        }
        counted.append(category.model_copy(update=update))
    return counted
