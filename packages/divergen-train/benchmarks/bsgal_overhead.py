"""What judging costs: a training step with each kind of BSGAL beside the plain step, same detector, same batch.

OMP_NUM_THREADS=1 python packages/divergen-train/benchmarks/bsgal_overhead.py

CPU seconds on one thread, each kind in turns with the plain step; the ratio is the median of kind / plain. Memory is
the peak of what torch allocates in three steps (its profiler counts every block, so it does not depend on the machine),
less that of the plain step, in sizes of the trained weights.
"""

import json
import statistics
import tempfile
import time
from collections.abc import Callable
from itertools import accumulate
from pathlib import Path
from typing import Any, cast

import click
import numpy as np
import torch
from divergen_records import Category
from divergen_train import preset
from divergen_train.bsgal import Candidates
from divergen_train.bsgal.config import BeliefConfig, PublishedConfig
from divergen_train.bsgal.versions import Versions
from divergen_train.detectors.build import build_detector
from divergen_train.detectors.protocol import Target
from divergen_train.engine.distributed import join_world
from divergen_train.engine.step import BatchSlice, Engine, PlainStep
from numpy.typing import NDArray

KINDS: dict[str, BeliefConfig | PublishedConfig] = {
    "belief": BeliefConfig(start=0),
    "published": PublishedConfig(),
    "published, steps": PublishedConfig(compare="steps"),
}


def scene(size: int, objects: int, classes: int, pasted: bool) -> tuple[torch.Tensor, Target]:
    corners = torch.rand(objects, 2) * size * 0.7
    boxes = torch.cat([corners, corners + 8 + torch.rand(objects, 2) * size * 0.25], dim=1)
    masks = torch.zeros(objects, size, size, dtype=torch.uint8)
    for mask, (x0, y0, x1, y1) in zip(masks, boxes.int().tolist(), strict=True):
        mask[y0:y1, x0:x1] = 1
    image = torch.randint(0, 256, (3, size, size), dtype=torch.uint8)
    labels = torch.randint(1, classes + 1, (objects,))
    sources = tuple(f"{i}" if pasted and i % 2 else None for i in range(objects))
    return image, Target(boxes=boxes, labels=labels, masks=masks, image_id=0, sources=sources)


def versions(size: int, objects: int, classes: int, pasted: bool) -> tuple[torch.Tensor, Target]:
    """A scene with its original and, if it is pasted into, a match."""
    image, target = scene(size, objects, classes, pasted)
    others = (scene(size, objects // 2, classes, False), scene(size, objects // 2, classes, False))
    return image, cast(Target, Versions(**target, original=others[0], matched=others[1] if pasted else None))


class Weights:
    """Draws whose weights go nowhere."""

    def __init__(self, candidates: Candidates) -> None:
        self.candidates, self.now = candidates, np.ones(len(candidates))

    def weights(self) -> NDArray[np.float64]:
        return self.now

    def set_weights(self, weights: NDArray[np.float64]) -> None:
        self.now = weights


def make_step(
    config_of: BeliefConfig | PublishedConfig | None, objects: int, classes: int
) -> tuple[Callable[[int], None], int]:
    """A step as the trainer takes it, plain without a config; also the number of trained weights."""
    torch.manual_seed(0)
    config = preset("quickstart")
    categories = [Category(id=i + 1, name=f"c{i}") for i in range(classes)]
    scenes = [versions(config.image_size, objects, classes, pasted=i > 0) for i in range(config.batch_size)]
    part = BatchSlice([image for image, _ in scenes], [target for _, target in scenes], 1, 1.0)
    with join_world("cpu") as world:
        engine = Engine(build_detector(config.detector, categories), config, world)
    engine.detector.train(True)
    ids = [f"{i}" for i in range(objects)]
    draws: Any = Weights(Candidates(ids, [1 + i % classes for i in range(objects)], ["a", "b"] * (objects // 2), ids))
    step: Any = PlainStep() if config_of is None else config_of.build(categories, draws, 1000)

    def take(iteration: int) -> None:
        engine.optimizer.zero_grad()
        step(engine, [part])
        engine.update(iteration)

    return take, sum(p.numel() for p in engine.detector.parameters() if p.requires_grad)


def cpu_seconds(step: Callable[[int], None], repeats: int) -> float:
    start = time.process_time()
    for iteration in range(repeats):
        step(iteration)
    return (time.process_time() - start) / repeats


def peak_bytes(step: Callable[[int], None], repeats: int = 3) -> int:
    """The most that torch held at once during the first steps, beyond what it held before."""
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder) / "trace.json"
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
            for iteration in range(repeats):
                step(iteration)
        profile.export_chrome_trace(str(trace))
        events = [event for event in json.loads(trace.read_text())["traceEvents"] if event["name"] == "[memory]"]
    return max(accumulate(event["args"]["Bytes"] for event in sorted(events, key=lambda event: event["ts"])))


@click.command(help=__doc__)
@click.option("--rounds", default=5, show_default=True)
@click.option("--objects", default=6, show_default=True, help="Objects in an image, half of them pasted in 3 of 4.")
@click.option("--classes", default=40, show_default=True)
@click.option("--memory/--no-memory", default=True, show_default=True)
@click.option("--kind", "chosen", type=click.Choice([*KINDS]), multiple=True, help="Only these.")
def main(rounds: int, objects: int, classes: int, memory: bool, chosen: tuple[str, ...]) -> None:
    torch.set_num_threads(1)
    plain, weights = make_step(None, objects, classes)
    unit = weights * 4
    base = peak_bytes(plain) / unit if memory else 0.0
    if memory:
        print(f"trained weights {unit / 2**20:.1f} MiB, peak of the plain step {base:.1f} times as much", flush=True)
    for name in chosen or KINDS:
        step, _ = make_step(KINDS[name], objects, classes)
        cpu_seconds(step, 2)
        peak = peak_bytes(step) / unit if memory else 0.0
        pairs = [(cpu_seconds(plain, 5), cpu_seconds(step, 5)) for _ in range(rounds)]
        ratio, own = (statistics.median(values) for values in ([b / a for a, b in pairs], [a for a, _ in pairs]))
        extra = f"  peak {peak - base:+.2f} weights" if memory else ""
        print(f"{name:<30}{ratio:6.2f} x of {own:.2f} CPU s{extra}", flush=True)


if __name__ == "__main__":
    main()
