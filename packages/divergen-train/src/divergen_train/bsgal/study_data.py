"""The data and the classifiers of the offline study."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import torch
from divergen_records.errors import ConfigError, DatasetError, require_extra
from torch import Tensor, nn

if TYPE_CHECKING:
    from .study_config import StudyConfig

__all__ = ["Judged", "StudyData", "add_noise", "arrange", "classifier", "load_data", "stratified_splits"]


class StudyData(NamedTuple):
    """Images (N, C, H, W) float32, 0 to 1, and labels (N,) int64, to train on and held out."""

    images: Tensor
    labels: Tensor
    test_images: Tensor
    test_labels: Tensor


class Judged(NamedTuple):
    """Images to be judged with some noise.

    Attributes:
        noise: Standard deviation, grey levels of 256.
        split: Number of their split; 0 for all training images.
        images: (N, C, H, W) float32, without the noise.
        labels: (N,) int64.
    """

    noise: float
    split: int
    images: Tensor
    labels: Tensor


def arrange(data: StudyData, config: StudyConfig) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor], list[Judged]]:
    """What is learned from, whose gradient judges, and what is judged, as the study's design says."""
    levels = sorted(config.noise)
    if config.design == "same images":
        judged = [Judged(noise, 0, data.images, data.labels) for noise in levels]
        return (data.images, data.labels), (data.test_images, data.test_labels), judged
    noisy = [noise for noise in levels if noise > 0]
    splits = stratified_splits(data.labels, 1 + max(len(noisy), 1), config.seed)
    real, *others = [(data.images[rows], data.labels[rows]) for rows in splits]
    numbers = {noise: noisy.index(noise) if noise in noisy else 0 for noise in levels}
    return real, real, [Judged(noise, numbers[noise] + 2, *others[numbers[noise]]) for noise in levels]


def stratified_splits(labels: Tensor, count: int, seed: int) -> list[Tensor]:
    """Rows of ``count`` splits that share out the images of each class evenly, and all of them to one."""
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(labels), generator=generator).to(labels.device)
    by_class = order[torch.argsort(labels[order], stable=True)]
    return [by_class[number::count].sort().values for number in range(count)]


def load_data(config: StudyConfig, folder: Path | None) -> StudyData:
    """The data that a study names.

    Args:
        config: The study.
        folder: Where CIFAR-10 lies, as torchvision keeps it; nothing is downloaded.
    """
    if config.dataset == "digits":
        return _digits(config.seed)
    if folder is None:
        raise ConfigError("dataset=cifar10 needs the folder that holds cifar-10-batches-py: --data FOLDER")
    return _cifar10(folder)


def add_noise(images: Tensor, scale: float, seed: int) -> Tensor:
    """Gaussian noise of a standard deviation of ``scale`` grey levels of 256 on images of range 0 to 1; clipped."""
    generator = torch.Generator().manual_seed(seed)
    return (images + torch.randn(images.shape, generator=generator) * (scale / 255)).clamp(0, 1)


def classifier(config: StudyConfig) -> nn.Module:
    """A small convolutional network for digits, ResNet-18 in its form for 32 pixels for CIFAR-10."""
    if config.dataset == "digits":
        return nn.Sequential(
            nn.Conv2d(1, 32, 3, padding=1),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.Conv2d(32, 32, 3, padding=1, stride=2),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(512, 10),
        )
    from torchvision.models import resnet18

    network: nn.Module = resnet18(num_classes=10)
    network.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
    network.maxpool = nn.Identity()
    return network


def _digits(seed: int) -> StudyData:
    with require_extra("divergen-train", "study"):
        from sklearn.datasets import load_digits
    found = load_digits()
    images = torch.from_numpy(found.images).float()[:, None] / 16  # grey levels 0 to 16
    labels = torch.from_numpy(found.target).long()
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    train, test = order[: len(order) // 2], order[len(order) // 2 :]
    return StudyData(images[train], labels[train], images[test], labels[test])


def _cifar10(folder: Path) -> StudyData:
    from torchvision.datasets import CIFAR10

    try:
        splits = [CIFAR10(str(folder), train=train, download=False) for train in (True, False)]
    except RuntimeError as error:
        raise DatasetError(f"{folder}: {error}") from error
    parts: list[Tensor] = []
    for split in splits:
        parts += [torch.from_numpy(split.data).permute(0, 3, 1, 2).float() / 255, torch.tensor(split.targets)]
    return StudyData(*parts)
