"""A tiny data set of coloured shapes, made once, and what tests need to fill in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from divergen_records import Category
from divergen_records.coco import Annotation, Dataset, ImageInfo, read_dataset, write_lvis
from divergen_records.images import encode_image
from divergen_records.masks import encode_rle, mask_to_bbox
from divergen_train.training.config import TorchvisionConfig, TrainConfig

SIZE = 64
COLOURS = {"red": (210, 40, 40), "green": (40, 180, 60), "blue": (40, 60, 210)}


def write_shapes(folder: Path, count: int, seed: int) -> Path:
    """Up to three coloured discs on grey noise in each image; red is everywhere, blue on the first image only."""
    rng = np.random.default_rng(seed)
    (folder / "images").mkdir(parents=True)
    categories = [Category(id=5 * (i + 1), name=name) for i, name in enumerate(COLOURS)]
    images, annotations = [], []
    ys, xs = np.mgrid[:SIZE, :SIZE]
    for image_id in range(1, count + 1):
        pixels = rng.integers(90, 160, (SIZE, SIZE, 3)).astype(np.uint8)
        present = [0] + [1] * (image_id % 2) + [2] * (image_id == 1)
        for slot, index in enumerate(present):
            centre = np.array([12 + 20 * slot, 14 + 18 * slot]) + rng.integers(-2, 3, 2)
            mask = (ys - centre[0]) ** 2 + (xs - centre[1]) ** 2 <= int(rng.integers(7, 10)) ** 2
            pixels[mask] = list(COLOURS.values())[index]
            annotations.append(
                Annotation(
                    len(annotations) + 1,
                    image_id,
                    categories[index].id,
                    mask_to_bbox(mask),
                    int(mask.sum()),
                    encode_rle(mask),
                )
            )
        name = f"{image_id:03d}.png"
        (folder / "images" / name).write_bytes(encode_image(pixels, "png"))
        absent = tuple(category.id for i, category in enumerate(categories) if i not in present)
        images.append(ImageInfo(id=image_id, width=SIZE, height=SIZE, file_name=name, neg_category_ids=absent))
    write_lvis(folder / "lvis.json", images, annotations, categories)
    return folder / "lvis.json"


@pytest.fixture(scope="session")
def shapes_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_shapes(tmp_path_factory.mktemp("data") / "shapes", 6, seed=0)


@pytest.fixture(scope="session")
def shapes(shapes_path: Path) -> Dataset:
    return read_dataset(shapes_path, image_dir=shapes_path.parent / "images")


@pytest.fixture
def make_dataset(tmp_path: Path) -> Callable[..., Dataset]:
    """A data set without pictures, from rows ``(image_id, category_id, mask)``."""

    def make(
        rows: list[tuple[int, int, np.ndarray]],
        *,
        frequencies: dict[int, str],
        images: int = 1,
        negatives: dict[int, tuple[int, ...]] | None = None,
        not_exhaustive: dict[int, tuple[int, ...]] | None = None,
    ) -> Dataset:
        size = rows[0][2].shape if rows else (8, 8)
        infos = [
            ImageInfo(
                id=i,
                width=size[1],
                height=size[0],
                file_name=f"{i}.jpg",
                neg_category_ids=(negatives or {}).get(i, ()),
                not_exhaustive_category_ids=(not_exhaustive or {}).get(i, ()),
            )
            for i in range(1, images + 1)
        ]
        annotations = [
            Annotation(n, image_id, category_id, mask_to_bbox(mask), int(mask.sum()), encode_rle(mask))
            for n, (image_id, category_id, mask) in enumerate(rows, start=1)
        ]
        categories = [Category(id=i, name=f"c{i}", frequency=f) for i, f in frequencies.items()]  # type: ignore[arg-type]
        return Dataset(tmp_path / "truth.json", tmp_path, infos, annotations, categories)

    return make


@pytest.fixture(scope="session")
def tiny() -> TrainConfig:
    """The real detector at its smallest, on images of 64 pixels."""
    return TrainConfig(
        detector=TorchvisionConfig(
            frozen_stages=5,
            fpn_channels=16,
            anchor_sizes=(12, 16, 24, 48),
            rpn_proposals=(32, 16),
            roi_batch=16,
            box_features=32,
            mask_convs=1,
            mask_channels=16,
            mask_size=14,
            score_threshold=0.05,
        ),
        image_size=64,
        iterations=6,
        batch_size=2,
        lr=2e-3,
        warmup=2,
        ema_decay=0.9,
        scale=(0.9, 1.1),
        checkpoint_every=2,
        log_every=2,
    )
