"""How familiar are objects to a classifier? Free energy of its logits (DiverGen, section 3.1; Liu et al., 2020).

The energy of an object is low where the classifier has learned such objects. If generated objects, or validation
objects, lie higher than the training objects, they come from another distribution.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from divergen_records import Config, Progress
from divergen_records.coco import Dataset
from divergen_records.errors import ConfigError, DatasetError
from numpy.typing import ArrayLike, NDArray

__all__ = ["EnergyGroup", "EnergyReport", "ObjectLogits", "energy_report", "free_energy", "object_logits"]

TEMPERATURE = 0.9
"""The paper's."""

Floats = NDArray[np.float64]


def free_energy(logits: ArrayLike, temperature: float = TEMPERATURE) -> Floats:
    """Free energy of logits, E = -t log sum exp(logit / t).

    Args:
        logits: (..., C), a classifier's, without background.
        temperature: t.

    Returns:
        (...,) float64.
    """
    if temperature <= 0:
        raise ConfigError(f"temperature={temperature}: must be above 0")
    scaled = np.asarray(logits, np.float64) / temperature
    highest = scaled.max(axis=-1, keepdims=True)
    energy: Floats = -temperature * (highest[..., 0] + np.log(np.exp(scaled - highest).sum(axis=-1)))
    return energy


@dataclass(frozen=True)
class ObjectLogits:
    """What a detector's classifier says of the objects of a data set, in their own boxes.

    Attributes:
        logits: (N, C) float32.
        annotation: (N,) int64, annotation ids.
        category: (N,) int64, category ids.
    """

    logits: NDArray[np.float32]
    annotation: NDArray[np.int64]
    category: NDArray[np.int64]


def object_logits(
    model: Path | str | Any,
    dataset: Dataset,
    *,
    image_size: int | None = None,
    batch_size: int = 8,
    limit: int | None = None,
    device: str = "auto",
) -> ObjectLogits:
    """Logits of a detector for the annotated boxes; crowds are left out.

    Args:
        model: A checkpoint's path, or a detector in evaluation mode with a method ``box_logits(images, boxes)``.
        dataset: Images and boxes; its categories need not be the detector's.
        image_size: Longest side that images are resized to; the checkpoint's by default.
        batch_size: Images at once.
        limit: Look at so many images only, evenly spread.
        device: For a checkpoint; ``auto`` takes the GPU where there is one.

    Raises:
        ConfigError: If the detector cannot tell logits of boxes.
        DatasetError: If there is no object.
    """
    import torch

    from ..training.inference import open_detector, resized_tensors

    opened, image_size, _ = open_detector(model, image_size, device)
    detector: Any = opened
    if not hasattr(detector, "box_logits"):
        raise ConfigError(f"{type(detector).__name__} gives no logits of boxes: it lacks box_logits(images, boxes)")
    shown = [image for image in dataset.images if _boxes_of(dataset, image.id).size]
    if limit is not None and len(shown) > limit:
        shown = [shown[index] for index in np.linspace(0, len(shown) - 1, limit).round().astype(int)]
    if not shown:
        raise DatasetError(f"{dataset.path}: has no object to look at")
    found: list[NDArray[np.float32]] = []
    with Progress("logits", len(shown), unit="images") as bar, torch.inference_mode():
        for start in range(0, len(shown), batch_size):
            images = shown[start : start + batch_size]
            tensors = resized_tensors(detector, dataset, images, image_size)
            boxes = []
            for image, tensor in zip(images, tensors, strict=True):
                scale = np.array([tensor.shape[2] / image.width, tensor.shape[1] / image.height] * 2)
                boxes.append(torch.from_numpy((_boxes_of(dataset, image.id) * scale).astype(np.float32)))
            logits = detector.box_logits(tensors, [some.to(tensors[0].device) for some in boxes])
            found += [one.float().cpu().numpy() for one in logits]
            bar.update(len(images))
    rows = [annotation for image in shown for annotation in dataset.annotations_of(image.id) if not annotation.iscrowd]
    return ObjectLogits(
        np.concatenate(found), np.array([row.id for row in rows]), np.array([row.category_id for row in rows])
    )


def _boxes_of(dataset: Dataset, image_id: int) -> Floats:
    """(N, 4) XYXY."""
    boxes = np.array([a.bbox for a in dataset.annotations_of(image_id) if not a.iscrowd], np.float64).reshape(-1, 4)
    return np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)


class EnergyGroup(Config):
    """Energies of the objects of one data set.

    Attributes:
        name: The data set's.
        objects: How many.
        mean: Of the energies.
        std: Of the energies.
        quantiles: At 5, 25, 50, 75 and 95 %.
        histogram: Objects in each bin of the report.
        shift: Difference of the means to the first data set, in standard deviations of that.
        overlap: Shared area of the two histograms, 1 where they are equal.
        frequency: Mean of each frequency group that is there.
    """

    name: str
    objects: int
    mean: float
    std: float
    quantiles: tuple[float, ...]
    histogram: tuple[int, ...]
    shift: float
    overlap: float
    frequency: dict[str, float]


class EnergyReport(Config):
    """Energies of several data sets, the first one being what the others are compared with.

    Attributes:
        temperature: Of the energy.
        edges: Of the bins, one more than there are.
        groups: Of each data set.
    """

    temperature: float
    edges: tuple[float, ...]
    groups: tuple[EnergyGroup, ...]

    def table(self) -> str:
        """A line for each data set."""
        width = max(len("data"), *(len(group.name) for group in self.groups))
        lines = [f"{'data':<{width}}  objects     mean      std    shift  overlap"]
        lines += [
            f"{g.name:<{width}}  {g.objects:>7}  {g.mean:>7.3f}  {g.std:>7.3f}  {g.shift:>+6.2f}σ  {g.overlap:>7.2f}"
            for g in self.groups
        ]
        return "\n".join(lines)


def energy_report(
    energies: Mapping[str, Floats],
    *,
    frequencies: Mapping[str, Sequence[str | None]] | None = None,
    temperature: float = TEMPERATURE,
    bins: int | None = None,
) -> EnergyReport:
    """Compare energies.

    Args:
        energies: (N,) of each data set by name.
        frequencies: Frequency group of each object, where known.
        temperature: That they were made with.
        bins: Bins of the histograms, over all data sets; by Rice's rule for the smallest one, at most 60.
    """
    if not energies or not all(len(values) for values in energies.values()):
        raise DatasetError("there is nothing to compare: give at least one data set with objects")
    smallest = min(len(values) for values in energies.values())
    bins = bins or int(np.clip(2 * smallest ** (1 / 3), 5, 60))
    edges = np.histogram_bin_edges(np.concatenate(list(energies.values())), bins)
    first = next(iter(energies.values()))
    scale = float(first.std()) or 1.0
    reference = np.histogram(first, edges)[0] / len(first)
    groups = []
    for name, values in energies.items():
        counts = np.histogram(values, edges)[0]
        marks = np.array((frequencies or {}).get(name, [None] * len(values)), dtype=object)
        groups.append(
            EnergyGroup(
                name=name,
                objects=len(values),
                mean=float(values.mean()),
                std=float(values.std()),
                quantiles=tuple(np.quantile(values, [0.05, 0.25, 0.5, 0.75, 0.95]).tolist()),
                histogram=tuple(counts.tolist()),
                shift=float(values.mean() - first.mean()) / scale,
                overlap=float(np.minimum(counts / len(values), reference).sum()),
                frequency={mark: float(values[marks == mark].mean()) for mark in "rcf" if (marks == mark).any()},
            )
        )
    return EnergyReport(temperature=temperature, edges=tuple(edges.tolist()), groups=tuple(groups))
