"""A COCO or LVIS data set in memory: small objects, segmentations kept as the file's text until they are asked for."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from operator import attrgetter
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any

import msgspec

from .errors import DatasetError
from .record import Category, Frequency
from .roots import root_ids

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Annotation", "Dataset", "ImageInfo", "frequency_of"]


class _Absent(tuple[int, ...]):
    """The default of a list that a file does not have, to tell it from one that is empty."""


_ABSENT: tuple[int, ...] = _Absent()


class ImageInfo(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A picture of a data set.

    Attributes:
        id: Image id.
        width: Pixels.
        height: Pixels.
        file_name: Path inside the folder of images, with forward slashes.
        coco_url: Where COCO publishes it; LVIS files name their pictures by it.
        license: As in the file, whatever its type; so are the next two, which nothing here computes with.
        flickr_url: As in the file.
        date_captured: As in the file.
        neg_category_ids: Categories that are certainly not in the picture (LVIS).
        not_exhaustive_category_ids: Categories of which not every instance is annotated (LVIS).
        extra: The file's other keys.
    """

    id: int
    width: int
    height: int
    file_name: str = ""
    coco_url: Any = ""
    license: Any = 0
    flickr_url: Any = ""
    date_captured: Any = ""
    neg_category_ids: tuple[int, ...] = _ABSENT
    not_exhaustive_category_ids: tuple[int, ...] = _ABSENT
    extra: dict[str, Any] | None = msgspec.field(default=None, name="(other keys)")

    @property
    def has_lists(self) -> bool:
        """Whether LVIS's lists were given, if only as empty ones."""
        return not (
            isinstance(self.neg_category_ids, _Absent) and isinstance(self.not_exhaustive_category_ids, _Absent)
        )


class Annotation(msgspec.Struct, gc=False, eq=False, forbid_unknown_fields=True):
    """An object in a picture.

    Attributes:
        id: Annotation id.
        image_id: Id of its picture.
        category_id: Id of its category.
        bbox: XYWH, pixels, as the file declares it; `Dataset.measure` tells the mask's own.
        area: Pixels, as the file declares it. Evaluation follows the declared values as COCO's tools do; whatever else
            is computed uses the mask's.
        stored_segmentation: As it is held: JSON text (`msgspec.Raw`) where it came from a file, else an object; None
            for a box alone.
        iscrowd: A region of many objects.
        extra: The file's other keys (``attributes``, ``keypoints``, …).
    """

    id: int
    image_id: int
    category_id: int
    bbox: tuple[float, float, float, float]
    area: float
    if TYPE_CHECKING:
        stored_segmentation: Any
    else:  # what msgspec reads a file's annotations into; other code may give objects
        stored_segmentation: msgspec.Raw = msgspec.field(name="segmentation")
    iscrowd: int | bool = False
    extra: dict[str, Any] | None = msgspec.field(default=None, name="(other keys)")

    def __post_init__(self) -> None:
        if type(self.bbox) is not tuple:
            self.bbox = (self.bbox[0], self.bbox[1], self.bbox[2], self.bbox[3])
        if type(self.iscrowd) is not bool:
            self.iscrowd = bool(self.iscrowd)

    @property
    def has_mask(self) -> bool:
        """Whether it has a segmentation; otherwise there is a box alone."""
        return self.stored_segmentation is not None

    @property
    def segmentation(self) -> Any:
        """Polygons ``[[x0, y0, x1, y1, …], …]``, an RLE ``{"size": [h, w], "counts": …}``, or None: a box alone."""
        stored = self.stored_segmentation
        return msgspec.json.decode(stored) if isinstance(stored, msgspec.Raw) else stored

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Annotation) and self._parts() == other._parts()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return (
            f"Annotation(id={self.id}, image_id={self.image_id}, category_id={self.category_id}, bbox={self.bbox}, "
            f"area={self.area}, iscrowd={self.iscrowd})"
        )

    def _parts(self) -> tuple[Any, ...]:
        return (
            self.id,
            self.image_id,
            self.category_id,
            self.bbox,
            self.area,
            self.segmentation,
            self.iscrowd,
            self.extra,
        )


_PARTS = (
    *("path", "image_dir", "images", "annotations", "categories", "problems", "licenses"),
    *("repairs", "notes", "info", "extra", "category_rows"),
)


class Dataset:
    """Pictures, annotations and categories of a data set.

    Attributes:
        path: The file, or the folder.
        image_dir: The folder of images; every picture lies inside it.
        images: In the file's order.
        annotations: In the file's order.
        categories: In the file's order; their frequency is always set.
        problems: What was left out on reading, one sentence each.
        licenses: The file's ``licenses``, which the images' licence ids mean.
        repairs: What was mended on reading, one sentence each.
        notes: What a person should know though nothing was lost, one sentence each; with the layout that was found.
        info: The file's ``info``.
        extra: The file's other keys.
        category_rows: Category id -> its row in the file, with keys such as ``supercategory`` or ``keypoints``.
    """

    def __init__(
        self,
        path: Path,
        image_dir: Path,
        images: list[ImageInfo],
        annotations: list[Annotation],
        categories: Sequence[Category],
        problems: Sequence[str] = (),
        licenses: Sequence[Any] = (),
        *,
        repairs: Sequence[str] = (),
        notes: Sequence[str] = (),
        info: Mapping[str, Any] | None = None,
        extra: Mapping[str, Any] | None = None,
        category_rows: Mapping[int, Mapping[str, Any]] | None = None,
    ) -> None:
        self.path, self.image_dir = path, image_dir
        self.images, self.annotations, self.categories = images, annotations, tuple(categories)
        self.problems, self.licenses = tuple(problems), tuple(licenses)
        self.repairs, self.notes = tuple(repairs), tuple(notes)
        self.info, self.extra, self.category_rows = dict(info or {}), dict(extra or {}), dict(category_rows or {})
        self._categories = {category.id: category for category in categories}
        self._images = {image.id: image for image in images}

    def replace(self, **changes: Any) -> Dataset:
        """The data set with some of its constructor's arguments changed; the rest is kept."""
        kept = {name: getattr(self, name) for name in _PARTS}
        return Dataset(**{**kept, **changes})

    def __repr__(self) -> str:
        return (
            f"Dataset({str(self.path)!r}: {len(self.images)} images, {len(self.annotations)} annotations, "
            f"{len(self.categories)} categories)"
        )

    def counted(self) -> Dataset:
        """With the categories' counts and frequency set where they are not."""
        if all(one.frequency and None not in (one.image_count, one.instance_count) for one in self.categories):
            return self
        import numpy as np

        size = len(self.annotations)
        categories, images = (
            np.fromiter(map(attrgetter(name), self.annotations), dtype=np.int64, count=size)
            for name in ("category_id", "image_id")
        )
        ids, shown = _distinct(categories), _distinct(images)
        category = np.searchsorted(ids, categories)
        instances = np.bincount(category, minlength=len(ids))
        pairs = _distinct(category * max(len(shown), 1) + np.searchsorted(shown, images)) // max(len(shown), 1)
        both = zip(np.bincount(pairs, minlength=len(ids)).tolist(), instances.tolist(), strict=True)
        counts = dict(zip(ids.tolist(), both, strict=True))
        return self.replace(categories=[_counted(one, *counts.get(one.id, (0, 0))) for one in self.categories])

    def category(self, id: int) -> Category:  # noqa: A002
        """The category with this id.

        Raises:
            DatasetError: If there is none.
        """
        try:
            return self._categories[id]
        except KeyError:
            raise DatasetError(f"{self.path}: there is no category with the id {id!r}") from None

    @cached_property
    def root_categories(self) -> tuple[Category, ...]:
        """Categories that only head the others, as Roboflow writes one: without objects, and the supercategory of one.

        They are no class of a detector, and nothing is generated for them.
        """
        used = {annotation.category_id for annotation in self.annotations}
        rows = {c.id: {**self.category_rows.get(c.id, {}), "name": c.name} for c in self.categories}
        roots = root_ids(rows, used)
        return tuple(category for category in self.categories if category.id in roots)

    @cached_property
    def class_categories(self) -> tuple[Category, ...]:
        """The categories that a detector learns: all but `root_categories`."""
        return tuple(category for category in self.categories if category not in self.root_categories)

    @cached_property
    def unused_categories(self) -> tuple[Category, ...]:
        """Categories without an object, here and by the file's own counts."""
        used = {annotation.category_id for annotation in self.annotations}
        return tuple(one for one in self.categories if one.id not in used and not one.image_count)

    def image(self, id: int) -> ImageInfo:  # noqa: A002
        """The image with this id.

        Raises:
            DatasetError: If there is none.
        """
        try:
            return self._images[id]
        except KeyError:
            raise DatasetError(f"{self.path}: there is no image with the id {id!r}") from None

    def measure(self, annotation: Annotation) -> tuple[tuple[float, float, float, float], int]:
        """Box (XYWH) and area of an object's mask, pixels, whatever the file declares; zeros where it covers nothing.

        Raises:
            MaskError: If it has no segmentation, or one that does not fit its picture.
        """
        from .masks import measure_segmentation

        image = self.image(annotation.image_id)
        return measure_segmentation(annotation.segmentation, image.height, image.width)

    def annotations_of(self, image_id: int) -> list[Annotation]:
        """The annotations of an image, in the file's order; empty where it has none."""
        return self._by_image.get(image_id, [])

    def objects_of(self, category_id: int) -> list[Annotation]:
        """The objects of a category, in the file's order, without those that stand for a crowd."""
        return self._by_category.get(category_id, [])

    @cached_property
    def _by_category(self) -> dict[int, list[Annotation]]:
        found: dict[int, list[Annotation]] = {}
        for annotation in self.annotations:
            if not annotation.iscrowd:
                found.setdefault(annotation.category_id, []).append(annotation)
        return found

    @cached_property
    def _by_image(self) -> dict[int, list[Annotation]]:
        found: dict[int, list[Annotation]] = {}
        for annotation in self.annotations:
            found.setdefault(annotation.image_id, []).append(annotation)
        return found

    def image_path(self, image: ImageInfo) -> Path:
        """Where the picture lies.

        Raises:
            DatasetError: If its file name, or a symbolic link, leaves the folder of images.
        """
        check_file_name(image.file_name, f"{self.path}: image {image.id}")
        path = self.image_dir / image.file_name
        if not path.resolve().is_relative_to(self.image_dir.resolve()):
            raise DatasetError(
                f"{self.path}: image {image.id}: file_name {image.file_name!r} is a link that leaves the folder "
                f"{self.image_dir}; copy the picture into the folder"
            )
        return path


_PLAIN = re.compile(r"(?![./]*\Z)[^/\\:\0][^\\:\0]*")
"""Names of something that can leave its folder by ``..`` alone; to take a path apart costs twenty times as much."""


def check_file_name(file_name: str, where: str) -> None:
    """Refuse names of files that lie outside their folder: absolute, or with ``..``; raises `DatasetError`."""
    if _PLAIN.fullmatch(file_name) and ".." not in file_name:
        return
    posix, windows = PurePosixPath(file_name), PureWindowsPath(file_name)
    if not posix.parts:
        raise DatasetError(f"{where}: file_name is empty")
    if posix.is_absolute() or windows.anchor or ".." in posix.parts or ".." in windows.parts or "\0" in file_name:
        raise DatasetError(
            f"{where}: file_name {file_name!r} leaves the folder of images; use a path relative to the folder, "
            "without '..'"
        )


def frequency_of(image_count: int) -> Frequency:
    """LVIS frequency group by the number of images that show a category: rare up to 10, common up to 100, frequent."""
    return "r" if image_count <= 10 else "c" if image_count <= 100 else "f"


def _distinct(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """By rising value; of many distinct ones in an eighth of the time of ``numpy.unique``."""
    import numpy as np

    ordered = np.sort(values)
    found: NDArray[np.int64] = ordered[np.diff(ordered, prepend=ordered[:1] - 1) != 0]
    return found


def _counted(category: Category, images: int, instances: int) -> Category:
    image_count = images if category.image_count is None else category.image_count
    return category.model_copy(
        update={
            "frequency": category.frequency or frequency_of(image_count),
            "image_count": image_count,
            "instance_count": instances if category.instance_count is None else category.instance_count,
        }
    )
