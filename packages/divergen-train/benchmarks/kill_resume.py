"""Kill a training at random moments, start it again each time, and compare it with one that was left alone.

OMP_NUM_THREADS=1 python packages/divergen-train/benchmarks/kill_resume.py --kills 10

Each kill is a SIGKILL between 0 and 1.5 steps after a random iteration: in a step, in the loader, in a half-written
checkpoint. Weights, their average, the optimiser's state and the log must be equal to the bit.
"""

import multiprocessing
import os
import random
import signal
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from divergen_records import Category
from divergen_records.coco import Annotation, Dataset, ImageInfo, read_dataset, write_lvis
from divergen_records.images import encode_image
from divergen_records.masks import encode_rle, mask_to_bbox
from divergen_records.settings import apply_settings
from divergen_train import fit, preset, read_log
from divergen_train.engine.step import BatchSlice, Engine, PlainStep
from divergen_train.training.checkpoint import Checkpoint, load_checkpoint
from divergen_train.training.config import TrainConfig

SETTINGS = ["image_size=128", "warmup=5", "checkpoint_every=2", "log_every=1", "micro_batch=2", "ema_decay=0.9"]


class Doomed(PlainStep):
    """Trains as ever, and ends the process some time after some steps."""

    def __init__(self, steps: int, seconds: float) -> None:
        self.steps, self.seconds = steps, seconds

    def __call__(self, engine: Engine, parts: Sequence[BatchSlice]) -> Mapping[str, Any]:
        self.steps -= 1
        if not self.steps:
            threading.Timer(self.seconds, os.kill, (os.getpid(), signal.SIGKILL)).start()
        return super().__call__(engine, parts)


def make_data(folder: Path, images: int = 12, side: int = 128) -> Dataset:
    rng = np.random.default_rng(0)
    (folder / "images").mkdir(parents=True)
    infos, annotations = [], []
    for number in range(1, images + 1):
        pixels = rng.integers(0, 256, (side, side, 3)).astype(np.uint8)
        mask = np.zeros((side, side), bool)
        y, x = (int(value) for value in rng.integers(0, side // 2, 2))
        mask[y : y + 40, x : x + 50] = True
        pixels[mask] = rng.integers(0, 256, 3)
        (folder / f"images/{number}.png").write_bytes(encode_image(pixels, "png"))
        infos.append(ImageInfo(id=number, width=side, height=side, file_name=f"{number}.png"))
        area = int(mask.sum())
        annotations.append(Annotation(number, number, 1 + number % 2, mask_to_bbox(mask), area, encode_rle(mask)))
    write_lvis(folder / "lvis.json", infos, annotations, [Category(id=i, name=f"c{i}") for i in (1, 2)])
    return read_dataset(folder / "lvis.json")


def run_once(dataset: Dataset, out: Path, config: TrainConfig, step: PlainStep) -> int:
    """Exit code of a process that trains."""
    process = multiprocessing.get_context("fork").Process(
        target=fit, args=(dataset,), kwargs={"out": out, "config": config, "step": step}
    )
    process.start()
    process.join()
    return int(process.exitcode or 0)


def differences(ours: Checkpoint, theirs: Checkpoint) -> list[str]:
    def tensors(checkpoint: Checkpoint) -> dict[str, torch.Tensor]:
        found = {f"model.{name}": value for name, value in checkpoint.model.items()}
        found |= {f"average.{name}": value for name, value in checkpoint.average.items()}
        for index, state in checkpoint.optimizer["state"].items():
            found |= {f"optimizer.{index}.{name}": torch.as_tensor(value) for name, value in state.items()}
        return found

    first, second = tensors(ours), tensors(theirs)
    assert first.keys() == second.keys()
    return [name for name in first if not torch.equal(first[name], second[name])]


@click.command(help=__doc__)
@click.option("--kills", default=10, show_default=True)
@click.option("--iterations", default=40, show_default=True)
@click.option("--seed", default=0, show_default=True, help="Decides when it is killed.")
def main(kills: int, iterations: int, seed: int) -> None:
    torch.set_num_threads(1)
    random.seed(seed)
    config = apply_settings(TrainConfig, preset("quickstart"), [*SETTINGS, f"iterations={iterations}"])
    with tempfile.TemporaryDirectory() as name:
        dataset = make_data(Path(name) / "data")
        whole, killed = Path(name) / "whole", Path(name) / "killed"
        started = time.monotonic()
        assert run_once(dataset, whole, config, PlainStep()) == 0
        each = (time.monotonic() - started) / iterations
        resumed = []
        for _ in range(kills):
            code = run_once(dataset, killed, config, Doomed(random.randint(1, 6), random.uniform(0, 1.5 * each)))
            checkpoint = killed / "checkpoint.pt"
            resumed.append(load_checkpoint(checkpoint).iteration if checkpoint.exists() else 0)
            if code == 0:
                break
        assert run_once(dataset, killed, config, PlainStep()) == 0
        first, second = (load_checkpoint(folder / "checkpoint.pt") for folder in (whole, killed))
        logs = [[(line["iteration"], line["loss"]) for line in read_log(out / "log.jsonl")] for out in (whole, killed)]
    click.echo(f"killed {len(resumed)} times; went on from iterations {', '.join(map(str, resumed))} of {iterations}")
    wrong = differences(first, second)
    click.echo(f"tensors that differ from the uninterrupted run's: {len(wrong)}; logs equal: {logs[0] == logs[1]}")
    if wrong or logs[0] != logs[1]:
        raise click.ClickException(f"not the same run: {wrong[:5]}")


if __name__ == "__main__":
    main()
