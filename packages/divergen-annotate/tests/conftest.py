from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
sys.path.append(str(Path(__file__).parent))  # `models`

import numpy as np
import pytest
from divergen_annotate.testing import plain_picture
from divergen_records import InstanceRecord, InstanceTable, instance_id
from divergen_records.images import encode_image


@pytest.fixture
def pictures():
    return [plain_picture(seed, height=96, width=128) for seed in range(5)]


@pytest.fixture
def table(tmp_path, pictures):
    """Five good rows with their truth, one that is no picture, one blank."""
    import numpy as np

    blank = encode_image(np.full((64, 64, 3), 250, dtype=np.uint8), "png")
    rows = [(encode_image(image), encode_image(mask.astype("uint8") * 255, "png")) for image, mask in pictures]
    made = InstanceTable.create(tmp_path / "instances.lance")
    records = []
    for number, (image, alpha) in enumerate([*rows, (b"no picture", None), (blank, None)]):
        identity = {"category": "blob", "prompt": str(number), "generator": "g", "seed": number}
        records.append(
            InstanceRecord(
                id=instance_id(**identity, generator_revision="1"),
                category_id=1,
                generator_revision="1",
                image=image,
                image_format="jpeg",
                width=128,
                height=96,
                alpha=alpha,
                **identity,
            )
        )
    made.append(records)
    return made


@pytest.fixture(scope="session")
def mixed():
    """Pictures of many sizes and shapes, in one batch."""
    sizes = [(96, 128), (128, 60), (50, 50), (200, 145), (128, 128)]
    return [plain_picture(seed, height=height, width=width)[0] for seed, (height, width) in enumerate(sizes)]


@pytest.fixture(scope="session")
def original(tmp_path_factory):
    """A checkpoint file of a tiny original SAM, and that model."""
    from models import save_original_sam

    path = tmp_path_factory.mktemp("sam") / "sam_tiny.pth"
    return path, save_original_sam(path)


@pytest.fixture
def thin():
    """Pictures that no network has a proper size for."""
    return [np.full((*shape, 3), 200, dtype=np.uint8) for shape in [(1, 1), (1, 3000), (3000, 1)]]
