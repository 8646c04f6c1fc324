"""The offline study of BSGAL (section 5.1): do contributions fall as the samples get worse?"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import torch
import torch.nn.functional as F
from divergen_records import Config, Progress, derive_seed
from divergen_records.devices import pick_device
from torch import Tensor, nn

from .estimator import ContributionEstimator
from .study_config import StudyConfig
from .study_data import Judged, StudyData, add_noise, arrange, classifier, load_data

__all__ = ["NoiseSplit", "StudyReport", "run_study"]


class NoiseSplit(Config):
    """Images with some noise.

    Attributes:
        noise: Its standard deviation, grey levels of 256.
        split: Number of the split that they are; 0 for all training images.
        count: Images.
        accuracy: Of the classifier on them.
        mean: Mean contribution to the loss on the images that judge, per image.
        std: Standard deviation over the images.
        quantiles: 5, 25, 50, 75 and 95 %.
        harmful: Share with a negative contribution.
        values: The contributions.
    """

    noise: float
    split: int = 0
    count: int
    accuracy: float
    mean: float
    std: float
    quantiles: tuple[float, ...]
    harmful: float
    values: tuple[float, ...]


class StudyReport(Config):
    """What a study found.

    Attributes:
        config: The study.
        test_accuracy: Of the classifier on the held-out images.
        falls: The mean contribution falls at each step of the noise.
        splits: By rising noise.
    """

    config: StudyConfig
    test_accuracy: float
    falls: bool
    splits: tuple[NoiseSplit, ...]

    def table(self) -> str:
        """The splits as text."""
        lines = [f"{'split':>6}{'noise':>6}{'images':>8}{'accuracy':>10}{'mean':>11}{'median':>11}{'harmful':>9}"]
        lines += [
            f"{s.split or 'all':>6}{s.noise:>6g}{s.count:>8}{s.accuracy:>10.1%}{s.mean:>11.2g}{s.quantiles[2]:>11.2g}"
            f"{s.harmful:>9.1%}"
            for s in self.splits
        ]
        verdict = "falls with the noise" if self.falls else "does NOT fall with the noise"
        goal = self.config.published_accuracy
        reach = "" if goal is None else f" (the paper's: {goal:.2%})"
        return "\n".join(
            [*lines, f"held-out accuracy {self.test_accuracy:.2%}{reach}; the mean contribution {verdict}"]
        )


def run_study(config: StudyConfig, *, data: Path | None = None) -> StudyReport:
    """Train a classifier on real images, then judge others under rising noise by the real images' gradient.

    Args:
        config: The study.
        data: Folder of CIFAR-10.
    """
    device = pick_device(config.device)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(config.seed, "init"))
        model = classifier(config).to(device)
        found = StudyData(*(part.to(device) for part in load_data(config, data)))
        learned, real, judged = arrange(found, config)
        _train(model, *learned, config)
    model.train(False)
    estimator = ContributionEstimator(model, _losses, normalize=config.normalize)
    _observe(estimator, *real, config)
    splits = tuple(_split(estimator, one, config) for one in judged)
    means = [split.mean for split in splits]
    return StudyReport(
        config=config,
        test_accuracy=_accuracy(model, found.test_images, found.test_labels, config),
        falls=all(before > after for before, after in pairwise(means)),
        splits=splits,
    )


def _losses(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    return F.cross_entropy(model(batch[0]), batch[1], reduction="none")


def _train(model: nn.Module, images: Tensor, labels: Tensor, config: StudyConfig) -> None:
    optimizer = torch.optim.SGD(
        model.parameters(), lr=config.lr, momentum=config.momentum, weight_decay=config.weight_decay
    )
    steps = config.epochs * -(-len(labels) // config.batch_size)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    with Progress("train", config.epochs, unit="epochs") as bar:
        for _ in range(config.epochs):
            order = torch.randperm(len(labels)).to(labels.device)
            for part in torch.split(order, config.batch_size):
                batch = _augment(images[part]) if config.dataset == "cifar10" else images[part]
                optimizer.zero_grad()
                _losses(model, (batch, labels[part])).mean().backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                schedule.step()
            bar.update()


def _augment(images: Tensor) -> Tensor:
    """Crops of 32 pixels after 4 of padding, half of them flipped."""
    padded = F.pad(images, (4, 4, 4, 4))
    x, y = (int(offset) for offset in torch.randint(0, 9, (2,)))
    cropped = padded[:, :, y : y + 32, x : x + 32]
    flip = (torch.rand(len(images)) < 0.5).to(images.device)
    return torch.where(flip[:, None, None, None], cropped.flip(3), cropped)


def _batches(images: Tensor, labels: Tensor, config: StudyConfig) -> Iterator[tuple[Tensor, Tensor]]:
    return zip(torch.split(images, config.batch_size), torch.split(labels, config.batch_size), strict=True)


def _observe(estimator: ContributionEstimator, images: Tensor, labels: Tensor, config: StudyConfig) -> None:
    """The gradient of the mean loss over the images that judge."""
    estimator.model.zero_grad()
    for batch in _batches(images, labels, config):
        (_losses(estimator.model, batch).sum() / len(labels)).backward()  # type: ignore[no-untyped-call]
    estimator.observe_gradients()
    estimator.model.zero_grad()


def _split(estimator: ContributionEstimator, judged: Judged, config: StudyConfig) -> NoiseSplit:
    labels, clean = judged.labels[: config.samples], judged.images[: config.samples].cpu()
    images = add_noise(clean, judged.noise, derive_seed(config.seed, "noise", judged.noise)).to(labels.device)
    values = torch.cat([estimator.estimate(batch) for batch in _batches(images, labels, config)]).double().cpu()
    marks = torch.tensor([0.05, 0.25, 0.5, 0.75, 0.95], dtype=torch.float64)
    return NoiseSplit(
        noise=judged.noise,
        split=judged.split,
        count=len(values),
        accuracy=_accuracy(estimator.model, images, labels, config),
        mean=float(values.mean()),
        std=float(values.std()),
        quantiles=tuple(torch.quantile(values, marks).tolist()),
        harmful=float((values < 0).double().mean()),
        values=tuple(values.tolist()),
    )


def _accuracy(model: nn.Module, images: Tensor, labels: Tensor, config: StudyConfig) -> float:
    with torch.inference_mode():
        right = [model(batch).argmax(1) == truth for batch, truth in _batches(images, labels, config)]
    return float(torch.cat(right).double().mean())
