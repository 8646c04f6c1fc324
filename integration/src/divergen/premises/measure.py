"""Measure the premises of a configuration's data: its real objects, a detector on them alone, its generators."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from divergen_minilvis.config import ProceduralConfig
from divergen_prompts.config import TemplatePrompts
from divergen_records import short_hash
from divergen_records.files import write_text

from ..data import Splits
from ..pipeline import Pipeline
from ..run import Run
from .appearance import Looks, look_premises, thinned
from .counting import count_premises, rare_categories
from .detector import detector_premises
from .pictures import WHY, draw_pictures, picture_premises
from .report import Premise, PremiseReport, unmeasured

if TYPE_CHECKING:
    from pathlib import Path

    from divergen_filter import References
    from divergen_records.coco import Dataset

__all__ = ["PARTS", "measure_premises"]

PARTS = ("looks", "detector", "pictures")
"""What can be left out: embeddings, a training, and pictures by the generators."""


def measure_premises(run: Run, *, without: Collection[str] = ()) -> PremiseReport:
    """Measure; what was made stays in the run's folder, and another call goes on with it.

    Args:
        run: Whose data, detector, prompts and generators are looked at. A real-only training that it has is used.
        without: Names of `PARTS` to leave out.
    """
    from ..runner import run_pipeline

    run_pipeline(run, until="data")
    pipeline = Pipeline(run)
    splits = Splits(pipeline.splits.train.counted(), pipeline.splits.val)
    folder = run.folder / "premises"
    premises = count_premises(splits.train, splits.val)
    looks = None
    if {"looks", "pictures"} - set(without):
        looks = Looks(_embedded(pipeline, splits.train, folder), _embedded(pipeline, thinned(splits.val), folder))
    if looks is not None and "looks" not in without:
        premises += look_premises(splits.train, looks)
    if "detector" not in without and run.config.train is not None:
        premises += detector_premises(_real_training(pipeline, folder), splits.train, splits.val)
    if looks is not None and "pictures" not in without:
        premises += _pictures(run, splits, looks, folder)
    report = PremiseReport(data=_title(run, splits), premises=tuple(premises))
    write_text(folder / "premises.json", report.model_dump_json(indent=1), overwrite=True)
    return report


def _title(run: Run, splits: Splits) -> str:
    box = getattr(run.config.data, "box", None)
    return f"MiniLVIS, box {box}, seed {run.config.seed}" if box else f"{splits.train.path}, {splits.val.path}"


def _embedded(pipeline: Pipeline, dataset: Dataset, folder: Path) -> References:
    """Embeddings of a set's objects, from the folder where they are there."""
    from divergen_filter import References, reference_embeddings

    crops = pipeline.config.real_crops.model_dump(exclude={"whole"})
    settings = f"{pipeline.embedder.identity} {crops} {dataset.path.absolute()}"
    path = folder / f"looks-{short_hash(settings, size=6)}.npz"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        reference_embeddings(dataset, pipeline.embedder, resume=path.with_suffix(".parts"), **crops).save(path)
    return References.load(path)


def _real_training(pipeline: Pipeline, folder: Path) -> Path:
    """The folder of a training on the real images alone: the run's own, or one that is made for this."""
    from ..training import train_real

    own = pipeline.run.training("real")
    if (own / "metrics.json").exists():
        return own
    assert pipeline.config.train is not None
    settings = pipeline.config.train.model_dump_json()
    return train_real(pipeline, folder / f"real-{short_hash(settings, size=6)}")


def _pictures(run: Run, splits: Splits, looks: Looks, folder: Path) -> list[Premise]:
    rare = rare_categories(splits.train)
    others = [one.name for one in run.config.generators if not isinstance(one, ProceduralConfig)]
    if not rare or others:
        why = f"{', '.join(others)}: models are not run for this" if others else "no category is rare"
        return [unmeasured(name, why, reason) for name, reason in WHY.items()]
    revisions = short_hash(*(one.revision for one in run.config.drawing_generators), size=6)
    many = draw_pictures(run, splits, rare, looks.train, folder / f"pictures-{revisions}")
    alike = folder / f"pictures-one-prompt-{revisions}"
    one = draw_pictures(run, splits, rare, looks.train, alike, prompts=TemplatePrompts())
    return picture_premises(looks, many, one)
