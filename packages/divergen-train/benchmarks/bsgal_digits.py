"""Does it pay to draw what helps? Digits with 2 to 40 real images a class, ten generators, three of them harmful.

OMP_NUM_THREADS=1 python packages/divergen-train/benchmarks/bsgal_digits.py --seeds 12 --figure digits.png

A small network is trained on real and generated digits, half each, in seven ways that see the same pictures. Harmful
generators give another digit than they say, half of one, or noise. Gain of test accuracy over learning from everything
alike, in points, with its 95 % interval over seeds (paired); rare classes are those with at most 10 real images. Also:
the correlation of judging by the last layer with judging by all weights (the gradients' product, by backward passes).
"""

import math
from collections.abc import Callable
from pathlib import Path
from statistics import fmean, stdev
from typing import NamedTuple

import click
import numpy as np
import torch
import torch.nn.functional as F
from divergen_train.bsgal import Candidates, Judge, Seen, softmax_activations
from sklearn.datasets import load_digits
from torch import Tensor, nn

REAL = (40, 29, 21, 15, 11, 8, 5, 4, 3, 2)
"""Real images of each class."""

GENERATORS, EACH, STEPS, BATCH = 10, 12, 400, 32
HARMFUL = (7, 8, 9)


class Data(NamedTuple):
    images: Tensor
    labels: Tensor
    generators: np.ndarray


def load(seed: int) -> tuple[Data, Data, Data]:
    """Real, generated and test digits; every generator makes as many of each class, in a manner of its own."""
    found, rng = load_digits(), np.random.default_rng(seed)
    images, labels = torch.from_numpy(found.images).float()[:, None] / 16, found.target
    order = rng.permutation(len(labels))
    classes = [order[labels[order] == label] for label in range(10)]
    shuffled = rng.permutation(10)  # which digit is rare differs from seed to seed
    real = np.concatenate([classes[digit][:count] for digit, count in zip(shuffled, REAL, strict=True)])
    test = np.concatenate([rows[90:] for rows in classes])
    parts, said, made = [], [], []
    for generator in range(GENERATORS):
        for digit in range(10):
            source = digit if generator != 7 else int((digit + rng.integers(1, 10)) % 10)
            rows = rng.choice(classes[source][40:90], EACH)
            parts.append(generate(images[rows].numpy(), generator, rng))
            said += [digit] * EACH
            made += [generator] * EACH
    generated = Data(torch.from_numpy(np.concatenate(parts)).float(), torch.tensor(said), np.array(made))
    none = np.full(len(test), -1)
    return (
        Data(images[real], torch.from_numpy(labels[real]), none[: len(real)]),
        generated,
        Data(images[test], torch.from_numpy(labels[test]), none),
    )


def generate(images: np.ndarray, generator: int, rng: np.random.Generator) -> np.ndarray:
    style = np.random.default_rng(generator)
    contrast, offset, noise = style.uniform(0.6, 1.0), style.uniform(0, 0.2), style.uniform(0.05, 0.2)
    shift = tuple(int(value) for value in style.integers(-1, 2, 2))
    changed = np.roll(images, shift, (2, 3)) * contrast + offset
    if generator == 8:
        changed[:, :, 4:] = offset
    if generator == 9:
        noise = 0.8
    return np.clip(changed + rng.normal(0, noise, changed.shape), 0, 1)


def network(seed: int) -> tuple[nn.Sequential, nn.Linear]:
    torch.manual_seed(seed)
    body = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 32, 3, padding=1, stride=2), nn.ReLU(), nn.Flatten(),
        nn.Linear(512, 64), nn.ReLU(),
    )  # fmt: skip
    return body, nn.Linear(64, 10)


Weights = Callable[[int, np.ndarray | None], np.ndarray]
"""From the step and the judge's weights, if there are any yet, to those of the draw."""


def train(seed: int, data: tuple[Data, Data, Data], weights: Weights | None, reject: bool = False) -> np.ndarray:
    """Test accuracy of each class; without weights on real digits alone."""
    real, generated, test = data
    (body, head), rng = network(seed), np.random.default_rng(seed)
    optimizer = torch.optim.SGD([*body.parameters(), *head.parameters()], lr=0.05, momentum=0.9)
    ids = [str(row) for row in range(len(generated.labels))]
    names = [str(generator) for generator in generated.generators]
    candidates = Candidates(ids, generated.labels.tolist(), names, [None] * len(ids))
    judge = Judge(candidates, half_life=STEPS / 4, start=STEPS // 4)
    believed: np.ndarray | None = None
    for step in range(STEPS):
        rows = rng.integers(len(real.labels), size=BATCH)
        drawn = np.zeros(0, np.int64)
        if weights is not None:
            drawn = draw(generated.labels.numpy(), weights(step, believed), rng)
        images = torch.cat([real.images[rows], generated.images[drawn]])
        labels = torch.cat([real.labels[rows], generated.labels[drawn]])
        features = body(images)
        logits = head(features)
        found = softmax_activations(features.detach(), logits.detach(), labels, head.weight.detach())
        judge.observe(step, Seen(found, (labels + 1).tolist(), [None] * len(rows) + [ids[row] for row in drawn]))
        if step >= STEPS // 4 and step % 10 == 0:
            believed = judge.weights(step)
        losses = F.cross_entropy(logits, labels, reduction="none")
        keep = torch.ones(len(labels))
        if reject and believed is not None and len(drawn):
            means = judge.belief.means()
            bar = np.nanquantile(means, len(HARMFUL) / GENERATORS)
            keep[len(rows) :] = torch.from_numpy(~(means[drawn] < bar)).float()
        optimizer.zero_grad()
        ((losses * keep).sum() / len(labels)).backward()
        optimizer.step()
    with torch.inference_mode():
        right = (head(body(test.images)).argmax(1) == test.labels).numpy()
    return np.array([right[test.labels.numpy() == label].mean() for label in range(10)])


def draw(labels: np.ndarray, weights: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A class, then one of its digits by weight."""
    found = []
    for digit in rng.integers(10, size=BATCH):
        rows = np.flatnonzero(labels == digit)
        share = weights[rows] / weights[rows].sum()
        found.append(rng.choice(rows, p=share))
    return np.array(found)


def arms(generated: Data, seed: int) -> dict[str, tuple[Weights | None, bool]]:
    ones = np.ones(len(generated.labels))
    harmless = (~np.isin(generated.generators, HARMFUL)).astype(float)
    some = (np.random.default_rng(seed + 1000).random(len(ones)) >= len(HARMFUL) / GENERATORS).astype(float)
    return {
        "real only": (None, False),
        "everything": (lambda *_: ones, False),
        "oracle": (lambda *_: harmless, False),
        "random": (lambda *_: some, False),
        "same signal, rejecting": (lambda *_: ones, True),
        "belief": (lambda _, believed: ones if believed is None else believed, False),
    }


def full_gradient_correlation(seed: int) -> float:
    """Between contributions by the last layer and by all weights, over the generated digits of half-trained weights."""
    real, generated, _ = load(seed)
    body, head = network(seed)
    parameters = [*body.parameters(), *head.parameters()]
    optimizer = torch.optim.SGD(parameters, lr=0.05, momentum=0.9)
    rng = np.random.default_rng(seed)
    for _ in range(STEPS // 2):
        rows = rng.integers(len(real.labels), size=BATCH)
        optimizer.zero_grad()
        F.cross_entropy(head(body(real.images[rows])), real.labels[rows]).backward()
        optimizer.step()

    def gradients(images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        loss = F.cross_entropy(head(body(images)), labels)
        parts = torch.autograd.grad(loss, parameters)
        return torch.cat([part.flatten() for part in parts]), loss.detach()

    last = sum(parameter.numel() for parameter in head.parameters())
    pairs = []
    for label in range(10):
        wanted, _ = gradients(real.images[real.labels == label][:8], real.labels[real.labels == label][:8])
        for row in np.flatnonzero(generated.labels.numpy() == label)[::4]:
            own, loss = gradients(generated.images[row][None], generated.labels[row][None])
            values = (
                (wanted * own).sum() / wanted.norm(),
                (wanted[-last:] * own[-last:]).sum() / wanted[-last:].norm(),
            )
            pairs.append([label, *(float(value / loss.clamp(min=1e-6)) for value in values)])
    table = np.array(pairs)
    ranks = table[:, 1:].argsort(0).argsort(0)
    return float(np.corrcoef(ranks.T)[0, 1])


def interval(values: list[float]) -> str:
    """Mean and 95 % interval; 2.2 is Student's t for twelve."""
    half = 2.2 * stdev(values) / math.sqrt(len(values)) if len(values) > 1 else float("nan")
    return f"{fmean(values):+.1f} ± {half:.1f}"


@click.command(help=__doc__)
@click.option("--seeds", default=12, show_default=True)
@click.option("--figure", type=click.Path(path_type=Path), help="PNG or SVG.")
def main(seeds: int, figure: Path | None) -> None:
    torch.set_num_threads(1)
    gains: dict[str, tuple[list[float], list[float]]] = {}
    for seed in range(seeds):
        data = load(seed)
        counts = np.bincount(data[0].labels.numpy(), minlength=10)
        rare = counts <= 10
        found = {name: 100 * train(seed, data, *how) for name, how in arms(data[1], seed).items()}
        for name, accuracy in found.items():
            every, few = gains.setdefault(name, ([], []))
            difference = accuracy - found["everything"]
            every.append(float(difference.mean()))
            few.append(float(difference[rare].mean()))
    print(f"{'gain over everything, points':<30}{'all':>14}{'rare':>14}")
    for name, (every, few) in gains.items():
        if name != "everything":
            print(f"{name:<30}{interval(every):>14}{interval(few):>14}")
    print(f"last layer against all weights: rank correlation {full_gradient_correlation(0):.2f}")
    if figure is not None:
        plot(gains, figure)


def plot(gains: dict[str, tuple[list[float], list[float]]], path: Path) -> None:
    from matplotlib.figure import Figure

    canvas = Figure(figsize=(6.4, 2.8), layout="constrained")
    axes = canvas.subplots()
    names = [name for name in gains if name != "everything"]
    for offset, part, label in ((-0.15, 0, "all classes"), (0.15, 1, "rare")):
        means = [fmean(gains[name][part]) for name in names]
        halves = [2.2 * stdev(gains[name][part]) / math.sqrt(len(gains[name][part])) for name in names]
        axes.errorbar(means, np.arange(len(names)) + offset, xerr=halves, fmt="o", label=label)
    axes.axvline(0, color="0.6", linewidth=0.8)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_xlabel("gain of accuracy over everything, points (95 %)")
    axes.legend(frameon=False)
    canvas.savefig(path, dpi=160)


if __name__ == "__main__":
    main()
