"""Shared: small pools, samples and a dataset, made of literal shapes."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from divergen_paste import InstancePool
from divergen_paste.pool.build import build_pool
from divergen_paste.pool.crops import Crop, make_crop
from divergen_records import Category
from divergen_records.coco import Annotation, Dataset, ImageInfo
from divergen_records.images import encode_image
from divergen_records.masks import encode_rle
from divergen_records.sample import Instance, Sample

os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"  # no look for a newer version, which takes the network

CATEGORIES = (
    Category(id=1, name="cup", frequency="f", image_count=200),
    Category(id=3, name="bow_(weapon)", frequency="r", image_count=2),
    Category(id=7, name="apple", frequency="r", image_count=8),
)


def ellipse(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    return ((x + 0.5) / width - 0.5) ** 2 + ((y + 0.5) / height - 0.5) ** 2 < 0.25


def crop_of(number: int, category_id: int, height: int = 40, width: int = 60) -> Crop:
    mask = np.pad(ellipse(height, width), 5)
    rng = np.random.default_rng(number)
    image = rng.integers(0, 256, (*mask.shape, 3), dtype=np.uint8)
    return make_crop(image, mask, category_id=category_id, source=f"crop-{number}", score=number / 10)


def write_pool(path: Path, crops: list[Crop], **options: object) -> InstancePool:
    settings = {"origin": "literal crops", "fingerprint": "0", "progress": False, **options}
    return build_pool(crops, lambda crop: [crop], path, CATEGORIES, **settings)


@pytest.fixture(scope="session")
def pool(tmp_path_factory: pytest.TempPathFactory) -> InstancePool:
    """Nine instances: one of category 1, two of 3, six of 7."""
    crops = [crop_of(i, category, 30 + 5 * i, 70 - 4 * i) for i, category in enumerate((7, 7, 1, 3, 7, 7, 3, 7, 7))]
    return write_pool(tmp_path_factory.mktemp("pool") / "pool", crops, image_format="png")


@pytest.fixture
def make_pool(tmp_path: Path):
    return lambda crops, name="pool", **options: write_pool(tmp_path / name, crops, **options)


@pytest.fixture
def make_crop_of():
    return crop_of


@pytest.fixture
def sample() -> Sample:
    """A grey 128 x 160 image with four objects: a large one, a small one, one at the edge, and a crowd."""
    image = np.full((128, 160, 3), 128, dtype=np.uint8)
    instances = (
        Instance(1, ellipse(60, 80), 40, 30, annotation_id=11),
        Instance(3, ellipse(12, 10), 10, 100, annotation_id=12),
        Instance(7, np.ones((40, 20), dtype=bool), 140, 0, annotation_id=13),
        Instance(7, np.ones((30, 30), dtype=bool), 100, 90, iscrowd=True, annotation_id=14),
    )
    return Sample(image, instances, image_id=5)


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    """Three pictures of 96 x 128 with two objects each."""
    folder = tmp_path / "data" / "images"
    (folder / "sub").mkdir(parents=True)
    images, annotations = [], []
    for number in range(3):
        name = f"sub/{number}.png" if number == 2 else f"{number}.png"
        rng = np.random.default_rng(number)
        (folder / name).write_bytes(encode_image(rng.integers(0, 256, (96, 128, 3), dtype=np.uint8), "png"))
        images.append(ImageInfo(id=number + 1, width=128, height=96, file_name=name, neg_category_ids=(3,)))
        for which, (x, y) in enumerate(((5, 5), (60, 40))):
            mask = np.zeros((96, 128), dtype=bool)
            mask[y : y + 40, x : x + 50] = ellipse(40, 50)
            box = (float(x), float(y), 50.0, 40.0)
            category_id = (1, 7)[which]
            annotations.append(
                Annotation(len(annotations) + 1, number + 1, category_id, box, float(mask.sum()), encode_rle(mask))
            )
    return Dataset(tmp_path / "data" / "train.json", folder, images, annotations, CATEGORIES)


@pytest.fixture
def coco100() -> Path:
    """The folder of 100 COCO photos, where the checkout has one beside it."""
    for parent in Path(__file__).resolve().parents:
        folder = parent / "shared" / "data" / "coco100_train"
        if folder.is_dir():
            return folder
    pytest.skip("shared/data is not here")
