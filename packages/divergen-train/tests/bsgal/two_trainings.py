"""Selective steps of the trainer as one of several processes: two_trainings.py RANK WORLD PORT OUT REAL_IMAGES."""

import os
import sys
from typing import Any

import torch
from divergen_records import Category
from divergen_train import TorchvisionConfig, TrainConfig
from divergen_train.bsgal.config import BsgalConfig, ThresholdConfig
from divergen_train.bsgal.detection import BsgalStep
from divergen_train.detectors.build import build_detector
from divergen_train.detectors.protocol import Target
from divergen_train.engine.distributed import join_world
from divergen_train.engine.step import BatchSlice, Engine

DETECTOR = TorchvisionConfig(
    frozen_stages=5,
    fpn_channels=16,
    anchor_sizes=(12, 16, 24, 48),
    rpn_proposals=(32, 16),
    roi_batch=16,
    box_features=32,
    mask_convs=1,
    mask_channels=16,
    mask_size=14,
)


def make_part(iteration: int, number: int) -> BatchSlice:
    """An image of its own; pasted instances are in the second one."""
    rng = torch.Generator().manual_seed(10 * iteration + number)
    corners = torch.randint(0, 40, (3, 2), generator=rng).float()
    boxes = torch.cat([corners, corners + 16], 1)
    masks = torch.zeros(3, 64, 64, dtype=torch.uint8)
    for mask, (x0, y0, x1, y1) in zip(masks, boxes.int().tolist(), strict=True):
        mask[y0:y1, x0:x1] = 1
    labels = torch.randint(1, 4, (3,), generator=rng)
    sources = (None, "a", f"b{iteration}") if (number + iteration) % 2 else (None, None, None)
    target = Target(boxes=boxes, labels=labels, masks=masks, image_id=number, sources=sources)
    image = torch.randint(0, 256, (3, 64, 64), generator=rng, dtype=torch.uint8)
    return BatchSlice([image], [target], 10 * iteration + number, 0.5)


def train(rank: int, count: int, out: str, real_images: int) -> None:
    categories = [Category(id=i, name=f"c{i}") for i in (1, 2, 3)]
    config = TrainConfig(detector=DETECTOR, image_size=64, iterations=4, batch_size=2, warmup=1)
    chosen = BsgalConfig(threshold=ThresholdConfig(fixed=0.0), real_images=real_images, refresh=1)
    step = BsgalStep(chosen, categories)
    logged: list[dict[str, Any]] = []
    with join_world("cpu") as world:
        torch.manual_seed(0)
        engine = Engine(build_detector(config.detector, categories), config, world)
        engine.detector.train(True)
        for iteration in range(4):
            engine.optimizer.zero_grad()
            numbers = (0, 1) if count == 1 else (rank,)
            found = step(engine, [make_part(iteration, number) for number in numbers])
            logged.append({name: float(value) for name, value in found.items()})
            engine.update(iteration)
    state = step.state_dict()
    torch.save(
        {"model": engine.detector.state_dict(), "logged": logged, **{k: state[k] for k in ("threshold", "ledger")}},
        f"{out}/{count}-{rank}.pt",
    )


if __name__ == "__main__":
    rank, count, port = (int(number) for number in sys.argv[1:4])
    torch.set_num_threads(1)
    if count > 1:
        os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), RANK=str(rank), WORLD_SIZE=str(count))
        os.environ.update(LOCAL_RANK=str(rank))
    train(rank, count, sys.argv[4], int(sys.argv[5]))
