"""Pictures to look at while a run goes on: the real data, the first generated pictures, the first pasted images."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from divergen_records.coco import Dataset, load_sample
from divergen_records.command import note
from divergen_records.files import write_bytes
from divergen_records.images import encode_image, read_image

from .draw import Image, draw_sample, sheet
from .run import Run

if TYPE_CHECKING:
    from divergen_gen import Generator, Plan
    from divergen_paste import Chain, Paster

__all__ = ["generated_preview", "pasted_preview", "real_preview", "spread", "stored_preview"]

T = TypeVar("T")

_SIDE, _COLUMNS, _ROWS = 224, 6, 3


def spread(items: Sequence[T], count: int) -> list[T]:
    """At most ``count`` of the items, evenly spaced."""
    step = max(len(items) / count, 1)
    return [items[int(index * step)] for index in range(min(count, len(items)))]


def real_preview(run: Run, dataset: Dataset) -> None:
    """Real training images with the outlines of their objects."""
    samples = [load_sample(dataset, image) for image in spread(dataset.images, _COLUMNS * _ROWS)]
    _save(run, "real.jpg", [draw_sample(sample, _SIDE) for sample in samples])


def generated_preview(run: Run, plan: Plan, generators: Sequence[Generator]) -> None:
    """The first pictures of the plan, generators taking turns over the categories."""
    images: list[Image] = []
    for position, generator in enumerate(generators):
        records = list(plan.only(generator=generator.name).limit(1))
        wanted = _COLUMNS * _ROWS // len(generators)
        chosen = spread(records[position :: len(generators)] or records, 2 * wanted)
        made = (record.image for record in generator(chosen))
        images += [read_image(image) for image in islice(filter(None, made), wanted)]
    if images:
        _save(run, "generated.jpg", images)


def stored_preview(run: Run) -> None:
    """Pictures that were made for the run, where each costs money and none was made only to be looked at."""
    ids = run.table.select(["id"], where="width IS NOT NULL")["id"].to_pylist()
    chosen = spread(ids, _COLUMNS * _ROWS)
    if chosen:
        pictures = run.table.take(chosen, ["image"])["image"].to_pylist()
        _save(run, "generated.jpg", [read_image(picture) for picture in pictures])


def pasted_preview(run: Run, dataset: Dataset, paster: Paster | Chain) -> None:
    """Training images with pasted instances; their outlines in orange, those of the image's own objects in blue."""
    samples = [paster(load_sample(dataset, image)) for image in spread(dataset.images, _COLUMNS * _ROWS)]
    _save(run, "pasted.jpg", [draw_sample(sample, _SIDE) for sample in samples])


def _save(run: Run, name: str, images: Sequence[Image]) -> None:
    path = run.previews / name
    write_bytes(path, encode_image(sheet(images, _COLUMNS, _SIDE), "jpeg", quality=90), overwrite=True)
    note(f"      look: {path}")
