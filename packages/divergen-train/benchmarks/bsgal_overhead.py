"""What choosing costs: a training step with every mode of BSGAL beside the plain step, same detector, same batch.

OMP_NUM_THREADS=1 python packages/divergen-train/benchmarks/bsgal_overhead.py

CPU seconds on one thread, over as many steps as lie between two gradients of the real images, each mode in turns with
the plain step; the ratio is the median of mode / plain. Memory is the peak of what torch allocates in three steps, the
first gradient of the real images among them (torch's profiler counts every block, so it does not depend on the
machine), less that of the plain step, in sizes of the trained weights. "published" takes the real gradient of every
batch into a moving average instead.
"""

import json
import statistics
import tempfile
import time
from collections.abc import Callable
from itertools import accumulate
from pathlib import Path
from typing import Any

import click
import torch
from divergen_records import Category
from divergen_train import preset
from divergen_train.bsgal.config import BsgalConfig, ThresholdConfig
from divergen_train.bsgal.detection import BsgalStep
from divergen_train.detectors.build import build_detector
from divergen_train.detectors.protocol import Target
from divergen_train.engine.distributed import join_world
from divergen_train.engine.step import BatchSlice, Engine, PlainStep

MODES: dict[str, dict[str, Any]] = {
    "directional": {},
    "directional, every 4th": {"every": 4},
    "directional, published": {"real_images": 0},
    "last-layer": {"mode": "last-layer"},
    "last-layer, every 4th": {"mode": "last-layer", "every": 4},
    "random-projection": {"mode": "random-projection"},
    "random-projection, every 4th": {"mode": "random-projection", "every": 4},
    "gradient": {"mode": "gradient"},
    "lookahead": {"mode": "lookahead", "normalize": "none"},
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


def make_step(settings: dict[str, Any] | None, objects: int, classes: int) -> tuple[Callable[[int], None], int]:
    """A step as the trainer takes it, plain without settings; also the number of trained weights."""
    torch.manual_seed(0)
    config = preset("quickstart")
    categories = [Category(id=i + 1, name=f"c{i}") for i in range(classes)]
    scenes = [scene(config.image_size, objects, classes, pasted=i > 0) for i in range(config.batch_size)]
    part = BatchSlice([image for image, _ in scenes], [target for _, target in scenes], 1, 1.0)
    with join_world("cpu") as world:
        engine = Engine(build_detector(config.detector, categories), config, world)
    engine.detector.train(True)
    threshold = ThresholdConfig(rate=0.7, warmup=4)
    step: Any = PlainStep() if settings is None else BsgalStep(BsgalConfig(threshold=threshold, **settings), categories)

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
@click.option("--mode", "chosen", type=click.Choice([*MODES]), multiple=True, help="Only these.")
def main(rounds: int, objects: int, classes: int, memory: bool, chosen: tuple[str, ...]) -> None:
    torch.set_num_threads(1)
    plain, weights = make_step(None, objects, classes)
    unit = weights * 4
    base = peak_bytes(plain) / unit if memory else 0.0
    if memory:
        print(f"trained weights {unit / 2**20:.1f} MiB, peak of the plain step {base:.1f} times as much", flush=True)
    for name in chosen or MODES:
        settings = MODES[name]
        step, _ = make_step(settings, objects, classes)
        config = BsgalConfig(**settings)
        cpu_seconds(step, max(config.real_images - 1, 1))  # one real image a step
        peak = peak_bytes(step) / unit if memory else 0.0
        cycle = config.every * (config.refresh if config.real_images else 1)
        pairs = [(cpu_seconds(plain, min(cycle, 4)), cpu_seconds(step, cycle)) for _ in range(rounds)]
        ratio, own = (statistics.median(values) for values in ([b / a for a, b in pairs], [a for a, _ in pairs]))
        extra = f"  peak {peak - base:+.2f} weights" if memory else ""
        print(f"{name:<30}{ratio:6.2f} x of {own:.2f} CPU s{extra}", flush=True)


if __name__ == "__main__":
    main()
