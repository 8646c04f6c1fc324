"""Shared by the tests: a small data set, and the real one where it lies beside the checkout."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

SQUARE = [2.0, 1.0, 6.0, 1.0, 6.0, 5.0, 2.0, 5.0]


@pytest.fixture(scope="session")
def coco100() -> Path:
    """The folder of 100 real photos: ``images/`` and ``annotations.json``."""
    for parent in Path(__file__).resolve().parents:
        folder = parent / "shared" / "data" / "coco100_train"
        if folder.is_dir():
            return folder
    pytest.skip("shared/data/coco100_train is not beside the checkout")


@pytest.fixture
def content() -> dict[str, Any]:
    """A sound LVIS file: two pictures of 10 x 8, three objects, two categories."""
    return deepcopy(
        {
            "images": [
                {"id": 1, "width": 10, "height": 8, "file_name": "a.png", "neg_category_ids": [2]},
                {"id": 2, "width": 10, "height": 8, "file_name": "b.png", "not_exhaustive_category_ids": [1]},
            ],
            "annotations": [
                {"id": 1, "image_id": 1, "category_id": 1, "bbox": [2, 1, 4, 4], "area": 16, "segmentation": [SQUARE]},
                {"id": 2, "image_id": 2, "category_id": 1, "bbox": [2, 1, 4, 4], "area": 16, "segmentation": [SQUARE]},
                {
                    "id": 3,
                    "image_id": 2,
                    "category_id": 2,
                    "bbox": [1, 0, 1, 8],
                    "area": 8,
                    "segmentation": {"size": [8, 10], "counts": [8, 8, 64]},
                    "iscrowd": 1,
                },
            ],
            "categories": [
                {"id": 1, "name": "cup", "synonyms": ["cup", "mug"], "synset": "cup.n.01", "def": "a drinking vessel"},
                {"id": 2, "name": "bow_(weapon)"},
            ],
        }
    )


@pytest.fixture
def write(tmp_path: Path) -> Callable[[Any], Path]:
    """Writes an annotation file and its pictures, gives the file's path."""

    def write(content: Any) -> Path:
        folder = tmp_path / "data"
        (folder / "images").mkdir(parents=True, exist_ok=True)
        for index, name in enumerate(("a.png", "b.png")):
            pixels = np.full((8, 10, 3), 50 * index, dtype=np.uint8)
            Image.fromarray(pixels).save(folder / "images" / name)
        path = folder / "annotations.json"
        path.write_text(json.dumps(content))
        return path

    return write
