"""Data sets without pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from divergen_records import Category
from divergen_records.coco import Annotation, Dataset, ImageInfo
from divergen_records.masks import encode_rle, mask_to_bbox


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
