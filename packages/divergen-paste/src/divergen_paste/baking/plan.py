"""What a bake writes where."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import PurePosixPath
from typing import Literal

from divergen_records import ConfigError, DatasetError, short_hash
from divergen_records.coco import Dataset, ImageInfo
from divergen_records.file_names import fit_path

from ..chain import Chain
from ..paster import Paster

__all__ = ["Plan", "bake_identity", "check_names"]

SUFFIX = {"jpeg": ".jpg", "png": ".png"}

_MOST = 2**62
"""Beyond any id that is read, as hashes of tools are."""


@dataclass(frozen=True)
class Plan:
    """What is written where.

    Attributes:
        copies: Pasted copies of each image.
        keep_originals: Whether the originals are written too.
        image_format: Of the copies.
        quality: Of JPEGs.
        offset: Distance between the ids of an image and of its next copy.
        repeated: Names without suffix that several images have; copies of these keep the suffix in their name.
        ids: Image id and number of a copy -> its id, of data whose ids are so large that ``offset`` leads too far.
    """

    copies: int
    keep_originals: bool
    image_format: Literal["jpeg", "png"]
    quality: int
    offset: int
    repeated: frozenset[str]
    ids: Mapping[tuple[int, int], int] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        dataset: Dataset,
        *,
        copies: int,
        keep_originals: bool,
        image_format: Literal["jpeg", "png"],
        quality: int,
    ) -> Plan:
        """The plan for a dataset; raises `ConfigError` if it would write nothing."""
        if copies < 0 or not (copies or keep_originals):
            raise ConfigError(
                f"{copies} copies{'' if keep_originals else ' and no originals'}: nothing would be written"
            )
        offset = max((image.id for image in dataset.images), default=0) + 1
        counts = Counter(_stem(info.file_name) for info in dataset.images)
        repeated = frozenset(stem for stem, times in counts.items() if times > 1)
        ids = _free_ids(dataset, copies) if offset * (copies + 1) >= _MOST else {}
        return cls(copies, keep_originals, image_format, quality, offset, repeated, ids)

    @property
    def numbers(self) -> range:
        """Copies by number; 0 is the original."""
        return range(0 if self.keep_originals else 1, self.copies + 1)

    def file_name(self, info: ImageInfo, number: int) -> str:
        """Of a copy; the original keeps its own."""
        name = PurePosixPath(info.file_name)
        if number == 0:
            return str(name)
        stem = name.name.replace(".", "_") if _stem(info.file_name) in self.repeated else name.stem
        return fit_path(str(name.with_name(stem)), f"_paste{number}{SUFFIX[self.image_format]}")

    def image_id(self, info: ImageInfo, number: int) -> int:
        """Of a copy; the original keeps its own."""
        return self.ids.get((info.id, number), info.id + number * self.offset)


def _free_ids(dataset: Dataset, copies: int) -> dict[tuple[int, int], int]:
    taken = {image.id for image in dataset.images}
    free = (number for number in count(1) if number not in taken)
    return {(image.id, number): next(free) for image in dataset.images for number in range(1, copies + 1)}


def _stem(file_name: str) -> str:
    """A path without its last suffix."""
    return str(PurePosixPath(file_name).with_suffix(""))


def check_names(dataset: Dataset, plan: Plan, formats: Sequence[str]) -> None:
    """Refuse names that collide before anything is written.

    Other formats name their files by the pictures' names without suffix; two of one name would share a label.
    """
    owners: dict[str, tuple[int, str]] = {}
    for info in dataset.images:
        for number in plan.numbers:
            name = plan.file_name(info, number)
            other, taken = owners.setdefault(_stem(name) if formats else name, (info.id, name))
            if (other, taken) != (info.id, name):
                raise DatasetError(
                    f"{dataset.path}: images {other} and {info.id} would be written as {taken!r} and {name!r}"
                    + (", which would share one label file" if taken != name else "")
                    + "; rename one"
                )


def bake_identity(
    dataset: Dataset, paster: Paster | Chain, plan: Plan, formats: Sequence[str], val: Dataset | None
) -> str:
    """Hash of all that decides what is written."""
    settings = (plan.copies, plan.keep_originals, plan.image_format, plan.quality, *formats)
    return short_hash("bake/2", paster.identity, settings, *(_content(each) for each in (dataset, val) if each))


def _content(dataset: Dataset) -> str:
    images = short_hash(*((info.id, info.file_name) for info in dataset.images))
    return short_hash(images, *((item.id, item.category_id, item.bbox) for item in dataset.annotations))
