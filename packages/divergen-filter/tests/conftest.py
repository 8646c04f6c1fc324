from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from divergen_filter import References
from divergen_filter.columns import FolderColumns
from divergen_filter.testing import ColourEmbedder
from divergen_records import Category, InstanceRecord, InstanceTable, instance_id
from divergen_records.coco import Annotation, Dataset, ImageInfo, read_dataset, write_lvis
from divergen_records.images import encode_image
from divergen_records.masks import encode_rle

COLOURS = {1: (200, 40, 40), 2: (40, 200, 40), 3: (40, 40, 200)}


def picture(colour, *, size=64):
    image = np.full((size, size, 3), 230, dtype=np.uint8)
    mask = np.zeros((size, size), dtype=bool)
    mask[16:48, 12:52] = True
    image[mask] = colour
    return image, mask


@pytest.fixture
def draw():
    """A picture and its mask, of an object of the colour of a category."""
    return lambda category: picture(COLOURS[category])


@pytest.fixture
def embedder():
    return ColourEmbedder()


@pytest.fixture
def unit_vectors():
    def make(count, dim, seed=0):
        rows = np.random.default_rng(seed).normal(size=(count, dim))
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)

    return make


@pytest.fixture
def references(unit_vectors):
    """Three categories around three directions, four crops each."""
    vectors = np.eye(8, dtype=np.float32)[np.repeat([0, 1, 2], 4)] + 0.2 * unit_vectors(12, 8)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return References("fake", vectors, np.repeat([1, 2, 3], 4).astype(np.int64), np.arange(12))


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    """Three categories of coloured rectangles, two pictures each; a crowd and a speck besides."""
    folder = tmp_path / "images"
    folder.mkdir()
    images, annotations = [], []
    for number in range(6):
        category = number % 3 + 1
        image, mask = picture(np.add(COLOURS[category], number))
        (folder / f"{number}.png").write_bytes(encode_image(image, "png"))
        images.append(ImageInfo(id=number + 1, width=64, height=64, file_name=f"{number}.png"))
        annotations.append(Annotation(number + 1, number + 1, category, (12, 16, 40, 32), 1280, encode_rle(mask)))
    speck = np.zeros((64, 64), dtype=bool)
    speck[:2, :2] = True
    annotations.append(Annotation(7, 1, 1, (0, 0, 2, 2), 4, encode_rle(speck)))
    path = tmp_path / "annotations.json"
    write_lvis(path, images, annotations, [Category(id=key, name=f"thing_{key}") for key in COLOURS])
    return read_dataset(path, image_dir=folder)


@pytest.fixture
def table(tmp_path: Path) -> InstanceTable:
    """Rows as annotation leaves them: three good ones, one of a colour not its own, one of an unknown category."""
    records = []
    for number, (category, colour) in enumerate([(1, 1), (2, 2), (3, 3), (1, 2), (9, 1)]):
        image, mask = picture(COLOURS[colour])
        identity = {"category": f"thing_{category}", "prompt": str(number), "generator": "g", "seed": number}
        records.append(
            InstanceRecord(
                id=instance_id(**identity, generator_revision="1"),
                category_id=category,
                generator_revision="1",
                image=encode_image(image, "png"),
                image_format="png",
                width=64,
                height=64,
                mask=encode_rle(mask)["counts"],
                area_fraction=float(mask.mean()),
                components=1,
                border_contact=0.0,
                **identity,
            )
        )
    made = InstanceTable.create(tmp_path / "instances.lance")
    made.ensure_columns(FolderColumns)
    made.append(records)
    return made
