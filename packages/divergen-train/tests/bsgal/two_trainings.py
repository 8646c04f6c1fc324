"""Judging steps of the trainer as one of several processes: two_trainings.py RANK WORLD PORT OUT."""

import os
import sys
from typing import Any

import numpy as np
import torch
from divergen_records import Category
from divergen_train import TorchvisionConfig, TrainConfig
from divergen_train.bsgal.belief_step import BeliefStep
from divergen_train.bsgal.draws import Candidates
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


class Weights:
    def __init__(self) -> None:
        ids = ["a", *(f"b{iteration}" for iteration in range(4))]
        self.candidates = Candidates(ids, [1, 2, 3, 1, 2], ["x", "y", "y", "x", "y"], [None] * 5)
        self.now = np.ones(5)

    def weights(self) -> Any:
        return self.now.copy()

    def set_weights(self, weights: Any) -> None:
        self.now = np.array(weights)


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


def train(rank: int, count: int, out: str) -> None:
    categories = [Category(id=i, name=f"c{i}") for i in (1, 2, 3)]
    config = TrainConfig(detector=DETECTOR, image_size=64, iterations=4, batch_size=2, warmup=1)
    draws = Weights()
    step = BeliefStep(categories, draws, 4, start=0, every=2, least=1)
    with join_world("cpu") as world:
        torch.manual_seed(0)
        engine = Engine(build_detector(config.detector, categories), config, world)
        engine.detector.train(True)
        for iteration in range(4):
            engine.optimizer.zero_grad()
            numbers = (0, 1) if count == 1 else (rank,)
            step(engine, [make_part(iteration, number) for number in numbers])
            engine.update(iteration)
    state = step.state_dict()
    torch.save(
        {"model": engine.detector.state_dict(), "weights": torch.from_numpy(draws.now), **state["judge"]["belief"]},
        f"{out}/{count}-{rank}.pt",
    )


if __name__ == "__main__":
    rank, count, port = (int(number) for number in sys.argv[1:4])
    torch.set_num_threads(1)
    if count > 1:
        os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), RANK=str(rank), WORLD_SIZE=str(count))
        os.environ.update(LOCAL_RANK=str(rank))
    train(rank, count, sys.argv[4])
