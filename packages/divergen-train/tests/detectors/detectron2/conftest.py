"""CenterNet2 and Mask R-CNN at their smallest, and what the libraries warn about when they are used as published."""

from __future__ import annotations

from importlib.util import find_spec

import pytest
import torch
from divergen_train.detectors.config import CenterNet2Config, Detectron2MaskRCNNConfig, SwinConfig
from divergen_train.detectors.protocol import Target


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    missing = [name for name in ("detectron2", "centernet") if find_spec(name) is None]
    for item in items:
        if item.get_closest_marker("detectron2") and missing:
            item.add_marker(pytest.mark.skip(reason=f"{' and '.join(missing)} not installed"))


TINY_SWIN = SwinConfig(weights="none", embed_dim=12, depths=(1, 1, 1, 1), heads=(1, 1, 2, 2), window=4, drop_path=0)
SMALL = {"fpn_channels": 32, "box_features": 16, "mask_channels": 16, "mask_convs": 1, "roi_batch": 16}


@pytest.fixture
def centernet2() -> CenterNet2Config:
    return CenterNet2Config(
        backbone=TINY_SWIN,
        **SMALL,
        federated_categories=3,
        proposals_train=(100, 40),
        proposals_test=(100, 20),
        score_threshold=0.0,
    )


@pytest.fixture
def mask_rcnn() -> Detectron2MaskRCNNConfig:
    return Detectron2MaskRCNNConfig(
        backbone=TINY_SWIN,
        **SMALL,
        rpn_batch=32,
        rpn_proposals_train=(100, 40),
        rpn_proposals_test=(100, 20),
        score_threshold=0.0,
    )


@pytest.fixture
def images() -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randint(0, 256, (3, h, 96), dtype=torch.uint8, generator=generator) for h in (96, 64)]


@pytest.fixture
def targets(images: list[torch.Tensor]) -> list[Target]:
    return [target(image, [(10, 12, 50, 60), (30, 20, 60, 52)], [2, 5]) for image in images]


def target(image: torch.Tensor, boxes: list[tuple[int, int, int, int]], labels: list[int]) -> Target:
    masks = torch.zeros(len(boxes), *image.shape[1:], dtype=torch.uint8)
    for mask, (x0, y0, x1, y1) in zip(masks, boxes, strict=True):
        mask[y0:y1, x0:x1] = 1
    return Target(
        boxes=torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
        labels=torch.tensor(labels, dtype=torch.int64),
        masks=masks,
        image_id=1,
        sources=(None,) * len(boxes),
    )
