"""Premises about the detector: it has learned its rare training objects by heart, and does not know the others."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from divergen_records.coco import Dataset

from ..evidence.explanation import metrics_on_training_images
from .report import Premise, at_least, unmeasured

if TYPE_CHECKING:
    from divergen_evaluate.metrics import Metrics

__all__ = ["detector_premises"]

TIMES, SHIFT = 2.0, 0.5

HEART = "the detector has its rare training objects by heart (APr on training over validation images)"
WIDER = "the train-val gap is wider for rare than for frequent categories"
STRANGE = "rare validation objects are strange to it (free energy above that of rare training objects)"
WHY = {
    HEART: "The papers' detector knows its rare training objects, and fails on others of them: at least twice as good.",
    WIDER: "DiverGen, section 3.1: the gap (TVG) says what validation shows and training does not, most for the rare.",
    STRANGE: "DiverGen, section 3.1: objects of higher energy are of another distribution; half a standard deviation "
    "is what is called a medium effect (Cohen, 1988).",
}


def detector_premises(folder: Path, train: Dataset, val: Dataset) -> list[Premise]:
    """The premises, of the training on real images alone in a folder: ``checkpoint.pt`` and ``metrics.json``."""
    from divergen_evaluate.metrics import Metrics

    if not (folder / "checkpoint.pt").exists():
        return [unmeasured(name, "the trainer leaves no checkpoint.pt of ours", why) for name, why in WHY.items()]
    after = Metrics.model_validate_json((folder / "metrics.json").read_bytes())
    before = metrics_on_training_images(folder, train)
    return [_heart(before, after), _wider(before, after), _strange(_energies(folder, train, val))]


def _heart(before: Metrics, after: Metrics) -> Premise:
    seen, unseen = before.mask.APr, after.mask.APr
    if seen is None or unseen is None:
        return unmeasured(HEART, "no AP of rare categories", WHY[HEART])
    times = seen / unseen if unseen else float("inf")
    return at_least(HEART, times, TIMES, f"{100 * seen:.1f} / {100 * unseen:.1f} = {times:.1f}", WHY[HEART])


def _wider(before: Metrics, after: Metrics) -> Premise:
    from divergen_train.analysis.gap import train_val_gap

    gaps = train_val_gap({"real": [(before, after)]}).sets[0].mean
    rare, frequent = gaps["APr"], gaps["APf"]
    if rare is None or frequent is None:
        return unmeasured(WIDER, "no AP of rare or of frequent categories", WHY[WIDER])
    shown = ", ".join(f"{name[2:]} {100 * gap:.1f}" for name, gap in gaps.items() if gap is not None and name != "AP")
    return at_least(
        WIDER, 100 * (rare - frequent), 5, f"TVG {shown} points of mask AP", WHY[WIDER], unit=" points wider"
    )


def _energies(folder: Path, train: Dataset, val: Dataset) -> Mapping[str, tuple[Any, Any]]:
    """Free energies of rare and frequent objects, in the training and the validation set."""
    from divergen_train.analysis.energy import free_energy, object_logits

    found: dict[str, list[Any]] = {"r": [], "f": []}
    for dataset in (train, val):
        ids = {group: {c.id for c in train.categories if c.frequency == group} for group in found}
        images = _images_with(dataset, ids["r"])
        logits = object_logits(folder / "checkpoint.pt", dataset.replace(images=images), limit=300)
        energy = free_energy(logits.logits)
        for group, members in ids.items():
            found[group].append(energy[np.isin(logits.category, list(members))])
    return {group: (before, after) for group, (before, after) in found.items()}


def _images_with(dataset: Dataset, categories: set[int]) -> list[Any]:
    shown = {note.image_id for note in dataset.annotations if note.category_id in categories}
    return [image for image in dataset.images if image.id in shown]


def _strange(energies: Mapping[str, tuple[Any, Any]]) -> Premise:
    shifts = {
        group: float((after.mean() - before.mean()) / before.std()) if len(before) > 1 and len(after) else float("nan")
        for group, (before, after) in energies.items()
    }
    text = f"rare {shifts['r']:+.2f} σ, frequent {shifts['f']:+.2f} σ"
    return at_least(STRANGE, shifts["r"], SHIFT, text, WHY[STRANGE], unit=" σ")
