import sys
from pathlib import Path

import numpy as np
import pytest
from divergen_records import Category
from divergen_records.coco import Annotation, ImageInfo, read_dataset, write_lvis
from divergen_records.images import encode_image
from divergen_records.masks import encode_rle

# A generator from outside, which the command finds by its entry point as it finds that of any installed package.
sys.path.insert(0, str(Path(__file__).parent / "outside"))


@pytest.fixture(scope="session")
def dataset(tmp_path_factory):
    """Red discs are cups, blue ones are cars; a teapot is too small to learn from."""
    folder = tmp_path_factory.mktemp("data")
    images, annotations = [], []
    ys, xs = np.mgrid[:64, :96]
    for number in range(6):
        category = 1 + number % 2
        mask = (ys - 32) ** 2 + (xs - 40 - number) ** 2 <= 20**2
        picture = np.full((64, 96, 3), 220, np.uint8)
        picture[mask] = (200, 30, 30) if category == 1 else (30, 30, 200)
        (folder / f"{number}.png").write_bytes(encode_image(picture, "png"))
        images.append(ImageInfo(id=number + 1, width=96, height=64, file_name=f"{number}.png"))
        box = (20 + number, 12, 41, 41)
        annotations.append(Annotation(number + 1, number + 1, category, box, int(mask.sum()), encode_rle(mask)))
    speck = np.zeros((64, 96), bool)
    speck[:4, :4] = True
    annotations.append(Annotation(7, 1, 3, (0, 0, 4, 4), 16, encode_rle(speck)))
    names = {1: "cup", 2: "car", 3: "teapot"}
    write_lvis(folder / "train.json", images, annotations, [Category(id=i, name=name) for i, name in names.items()])
    return read_dataset(folder / "train.json", image_dir=folder)
