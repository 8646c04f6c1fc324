"""CPU seconds of a training step at the quickstart's size; of predictions of trained detectors: cost.py.

OMP_NUM_THREADS=1 python packages/divergen-train/benchmarks/train_step.py

CPU seconds on one thread, because wall time on a shared machine says little; two free cores take a bit over half.
"""

import statistics
import time
from collections.abc import Callable

import click
import torch
from divergen_train import preset
from divergen_train.detectors.protocol import Target
from divergen_train.engine.optim import make_optimizer


def scene(size: int, objects: int, classes: int) -> tuple[torch.Tensor, Target]:
    corners = torch.rand(objects, 2) * size * 0.7
    boxes = torch.cat([corners, corners + 8 + torch.rand(objects, 2) * size * 0.25], dim=1)
    masks = torch.zeros(objects, size, size, dtype=torch.uint8)
    for mask, (x0, y0, x1, y1) in zip(masks, boxes.int().tolist(), strict=True):
        mask[y0:y1, x0:x1] = 1
    image = torch.randint(0, 256, (3, size, size), dtype=torch.uint8)
    labels = torch.randint(1, classes + 1, (objects,))
    return image, Target(boxes=boxes, labels=labels, masks=masks, image_id=0, sources=(None,) * objects)


def cpu_seconds(step: Callable[[], object], rounds: int) -> float:
    step()
    taken = []
    for _ in range(rounds):
        start = time.process_time()
        step()
        taken.append(time.process_time() - start)
    return statistics.median(taken)


@click.command(help=__doc__)
@click.option("--rounds", default=8, show_default=True)
@click.option("--objects", default=6, show_default=True, help="Objects in an image.")
@click.option("--classes", default=40, show_default=True)
def main(rounds: int, objects: int, classes: int) -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    config = preset("quickstart")
    detector = config.detector.build(classes)
    optimizer = make_optimizer(detector, config)
    scenes = [scene(config.image_size, objects, classes) for _ in range(config.batch_size)]
    images, targets = [image for image, _ in scenes], [target for _, target in scenes]

    def train() -> None:
        optimizer.zero_grad()
        torch.stack(list(detector(images, targets).values())).sum().backward()
        optimizer.step()

    detector.train(True)
    step = cpu_seconds(train, rounds)
    click.echo(f"training step, {config.batch_size} images of {config.image_size} px: {step:.2f} CPU s")


if __name__ == "__main__":
    main()
