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

from .identity import derive_seed, instance_id
from .record import InstanceRecord
from .stage import Batch

__all__ = ["FakeSource", "FakeStage", "plan_instances"]


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


class FakeStage:
    """Fills columns with values that depend on the row alone, as `InstanceRecord` types ask.

    Args:
        name: The stage's name.
        reads: Columns that it reads.
        writes: Columns that it fills: any of ``area_fraction``, ``mask``, ``bbox``, ``embedder``, ``embedding``,
            ``inter_similarity``, ``kept``.
        fail: Ids that fail.
        seconds: What a row takes.
        dim: Width of ``embedding``.
    """

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
