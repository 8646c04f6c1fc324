"""A source and a stage without any model, for the tests of whatever takes one.

>>> from divergen_records import InstanceTable, append, fill
>>> from divergen_records.testing import FakeSource, FakeStage, plan_instances
>>> table = InstanceTable.create("table.lance")  # doctest: +SKIP
>>> append(table, FakeSource(), plan_instances(100))  # doctest: +SKIP
>>> fill(table, FakeStage())  # doctest: +SKIP
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from .columns import Arrow, Columns, Float32
from .errors import DivergenError
from .identity import derive_seed, instance_id
from .record import Category, InstanceRecord
from .stage import Batch

if TYPE_CHECKING:
    from .dataset import Dataset

__all__ = ["FakeColumns", "FakeSource", "FakeStage", "check_format", "plan_instances", "small_dataset"]


def plan_instances(count: int, *, seed: int = 0, generator: str = "fake") -> Iterator[InstanceRecord]:
    """Planned records of three categories, one in each frequency group."""
    names = ("apple", "bow_(weapon)", "cup")
    for number in range(count):
        which = number % 3
        identity = {"category": names[which], "prompt": f"a photo of a single {names[which]}"}
        this = derive_seed(seed, *identity.values(), generator, number)
        yield InstanceRecord(
            id=instance_id(**identity, generator=generator, generator_revision="1", seed=this),
            **identity,
            category_id=which + 1,
            frequency=("r", "c", "f")[which],
            prompt_source="template",
            generator=generator,
            generator_revision="1",
            seed=this,
        )


class FakeSource:
    """Makes rows whose ``image`` is bytes that depend on the seed alone; not a picture that a reader could open.

    Args:
        size: Bytes of an image.
        fail: Ids that fail.
        seconds: What a row takes.
    """

    def __init__(self, name: str = "fake", *, size: int = 64, fail: Collection[str] = (), seconds: float = 0) -> None:
        self.name, self.size, self.fail, self.seconds = name, size, fail, seconds
        self.calls: list[list[str]] = []

    def __call__(self, records: Sequence[InstanceRecord]) -> list[InstanceRecord]:
        """Complete planned records."""
        self.calls.append([record.id for record in records])
        time.sleep(self.seconds * len(records))
        return [self._complete(record) for record in records]

    def _complete(self, record: InstanceRecord) -> InstanceRecord:
        if record.id in self.fail:
            return record.failed(self.name, "it was asked to fail")
        image = (blake2b(record.id.encode()).digest() * (self.size // 64 + 1))[: self.size]
        return record.model_copy(update={"image": image, "image_format": "jpeg", "width": 8, "height": 8})


class FakeColumns(Columns):
    """What `FakeStage` can write beside the record's own columns."""

    embedder: str | None = None
    """Identity of the model."""
    embedding: Annotated[tuple[float, ...], Arrow("vector", marker="embedder")] | None = None
    """Not of unit length."""
    inter_similarity: Float32 | None = None
    """0 to 1."""


class FakeStage:
    """Fills columns with values that depend on the row alone, as the columns' types ask.

    Args:
        name: The stage's name.
        reads: Columns that it reads.
        writes: Columns that it fills: any of ``area_fraction``, ``mask``, ``bbox``, ``embedder``, ``embedding``,
            ``inter_similarity``, ``kept``.
        fail: Ids that fail.
        seconds: What a row takes.
        dim: Width of ``embedding``.
    """

    columns = FakeColumns

    def __init__(
        self,
        name: str = "annotate",
        reads: tuple[str, ...] = ("image",),
        writes: tuple[str, ...] = ("area_fraction", "mask", "bbox"),
        *,
        fail: Collection[str] = (),
        seconds: float = 0,
        dim: int = 4,
    ) -> None:
        self.name, self.reads, self.writes = name, reads, writes
        self.fail, self.seconds, self.dim = fail, seconds, dim
        self.calls: list[list[str]] = []

    def __call__(self, batch: Batch) -> Batch:
        """Fill the written columns of a batch."""
        ids: list[str] = list(batch["id"])
        self.calls.append(ids)
        time.sleep(self.seconds * len(ids))
        errors = [f"{self.name} was asked to fail" if name in self.fail else None for name in ids]
        return {**{column: [self._value(column, name) for name in ids] for column in self.writes}, "error": errors}

    def _value(self, column: str, name: str) -> object:
        digest = blake2b((column + name).encode()).digest()
        unit = digest[0] / 256
        values: dict[str, object] = {
            "area_fraction": unit,
            "mask": digest.hex(),
            "bbox": [float(byte) for byte in digest[:4]],
            "embedder": "fake-1",
            "embedding": [digest[at % 64] / 256 for at in range(self.dim)],
            "inter_similarity": unit,
            "kept": unit > 0.5,
        }
        return values[column]


def check_format(name: str, folder: Path) -> None:
    """The contract of a format: what it writes appears whole, is refused a second time, and reads back the same.

    Args:
        name: A format that can be named, ours or an installed package's.
        folder: An empty folder to work in.

    Raises:
        AssertionError: What does not hold.
    """
    from .formats import ReadsData, WritesData, get_format

    one = get_format(name)
    assert one.about, "a format says what it is in one line, for --help"
    assert isinstance(one, ReadsData | WritesData), "a format reads, writes, or both"
    if not isinstance(one, WritesData):
        assert not one.recognises(folder), "it recognises an empty folder"
        return
    dataset = small_dataset(folder / "source")
    out = folder / "out"
    first = one.write(dataset, out)
    assert first.exists(), "write gives the file to begin with, or the folder"
    assert first.is_relative_to(out), "it lies in the folder asked for"
    before = _files(out)
    try:
        one.write(dataset, out)
    except DivergenError:
        pass
    else:
        raise AssertionError("a folder that holds something is not written over unasked")
    assert before == _files(out), "it was touched all the same"
    if isinstance(one, ReadsData):
        _check_reading(one.read(first), dataset)


def _files(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _check_reading(again: Dataset, dataset: Dataset) -> None:
    """Names, and each object's mask, are the same; pictures without objects may be missing, crops may be pictures."""
    areas = sorted((dataset.category(one.category_id).name, dataset.measure(one)[1]) for one in dataset.annotations)
    found = sorted((again.category(one.category_id).name, again.measure(one)[1]) for one in again.annotations)
    assert [name for name, _ in found] == [name for name, _ in areas], "objects or their names are others"
    for (_, area), (_, expected) in zip(found, areas, strict=True):
        assert abs(area - expected) <= 0.1 * expected, f"a mask of {expected} pixels was read back with {area}"
    for image in again.images:
        assert again.image_path(image).is_file(), f"there is no picture {image.file_name}"


def small_dataset(folder: Path) -> Dataset:
    """A COCO data set of two pictures of 40 x 32 with three objects of two categories, made on the spot."""
    import numpy as np

    from .coco import Annotation, ImageInfo, read_dataset, write_coco
    from .images import encode_image

    (folder / "images").mkdir(parents=True)
    images = [ImageInfo(id=number, width=40, height=32, file_name=f"{number}.png") for number in (1, 2)]
    for image in images:
        pixels = np.full((32, 40, 3), 60 * image.id, dtype=np.uint8)
        (folder / "images" / image.file_name).write_bytes(encode_image(pixels, "png"))
    boxes = {1: (4, 4, 12, 10), 2: (20, 8, 16, 20), 3: (2, 2, 30, 24)}
    annotations = [
        Annotation(id_, 1 + id_ // 3, 1 + id_ % 2, (x, y, w, h), w * h, [[x, y, x + w, y, x + w, y + h, x, y + h]])
        for id_, (x, y, w, h) in boxes.items()
    ]
    categories = [Category(id=1, name="cup"), Category(id=2, name="bow_(weapon)")]
    return read_dataset(write_coco(folder / "annotations.json", images, annotations, categories))
