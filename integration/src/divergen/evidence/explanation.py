"""Why do runs gain? Train-val gaps of their detectors, and how familiar what was pasted is to one (DiverGen, 3.1)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from divergen_records import Config, ConfigError
from divergen_records.coco import Dataset
from divergen_records.files import read_text, write_text
from divergen_records.temporary import scratch_folder

from ..pipeline import Pipeline
from ..run import Run
from ..training import training_titles
from .statistics import mean_and_interval

if TYPE_CHECKING:
    from divergen_evaluate.metrics import Metrics

__all__ = ["Explanation", "explain", "metrics_on_training_images", "read_explanation", "shown"]

Values: TypeAlias = tuple[float | None, ...]
"""One of each run; None where a run has no such category."""


class Explanation(Config):
    """What was measured of runs of the same settings, seed by seed.

    Attributes:
        runs: Their folders' names.
        gaps: Training (``real``, ``copy-paste``, ``generated``) -> group -> mask AP on training images less that on
            validation images (TVG), 0 to 1.
        energies: Objects (``validation``, and what is pasted) -> how far their mean free energy lies above that of the
            training objects, in standard deviations of these, to the detector that learned from real images alone.
    """

    runs: tuple[str, ...]
    gaps: dict[str, dict[str, Values]]
    energies: dict[str, Values]

    def gap_change(self, training: str, than: str, group: str = "AP") -> list[float]:
        """How much wider a training's gap is than another's, in each run; empty where there is no such training."""
        return _paired(*(self.gaps.get(name, {}).get(group, ()) for name in (training, than)))

    def energy_change(self, objects: str, than: str) -> list[float]:
        """How much farther from the training objects some are than others, in each run; empty where none are there."""
        return _paired(*(self.energies.get(name, ()) for name in (objects, than)))

    def table(self) -> str:
        """Both as text: means over the runs with their 95 % intervals, and differences of pairs."""
        return "\n".join([*self._gap_lines(), "", *self._energy_lines()])

    def _gap_lines(self) -> Iterator[str]:
        first, *others = self.gaps
        groups = [*self.gaps[first]]
        rows = {name: [shown(_known(gaps[group]), 100) for group in groups] for name, gaps in self.gaps.items()}
        for name in others:
            changes = [self.gap_change(name, first, group) for group in groups]
            rows[f"{name} less {first}"] = [shown(change, 100, sign="+") for change in changes]
        wide = max(len(name) for name in ("train-val gap", *rows)) + 2
        titles = "".join(f"{'TVG' + group[2:]:>15}" for group in groups)
        yield f"{'train-val gap':<{wide}}{titles}   mask AP, points"
        yield from (f"{name:<{wide}}{''.join(f'{cell:>15}' for cell in cells)}" for name, cells in rows.items())

    def _energy_lines(self) -> Iterator[str]:
        wide = max(len(name) for name in ("free energy", *self.energies)) + 2
        yield f"{'free energy':<{wide}}{'shift':>15}   standard deviations above the training objects"
        for name, values in self.energies.items():
            yield f"{name:<{wide}}{shown(_known(values), places=2, sign='+'):>15}"


def _paired(ours: Values, theirs: Values) -> list[float]:
    """Differences of what both have."""
    return [a - b for a, b in zip(ours, theirs, strict=False) if a is not None and b is not None]


def _known(values: Values) -> list[float]:
    """Those that are there."""
    return [value for value in values if value is not None]


def shown(values: Sequence[float], scale: float = 1, *, places: int = 1, sign: str = "") -> str:
    """Mean and half its 95 % interval as text, a dash where there is none."""
    if not values:
        return "–"
    mean, half = mean_and_interval(values)
    spread = "" if half is None else f" ± {scale * half:.{places}f}"
    return f"{scale * mean:{sign}.{places}f}{spread}"


def explain(runs: Sequence[Run], *, limit: int = 200) -> Explanation:
    """Measure the gaps and energies of runs that have trained; a detector's work on training images is kept.

    Args:
        runs: Runs of the same settings, with other seeds.
        limit: Images whose objects' energies are looked at, evenly spread.

    Raises:
        ConfigError: If runs differ in more than the seed, or not in it; or one has not trained on real images alone, or
            not what another has, or by a trainer whose checkpoints are not ours.
    """
    from divergen_train.analysis.gap import train_val_gap

    _refuse_others(runs)
    models: dict[str, list[tuple[Metrics, Metrics]]] = {}
    energies: dict[str, list[float]] = {}
    for run in runs:
        pipeline = Pipeline(_checked(run), quiet=True)
        for name, pair in _metrics(run, pipeline.splits.train):
            models.setdefault(name, []).append(pair)
        for name, shift in _energies(pipeline, run.training("real") / "checkpoint.pt", limit):
            energies.setdefault(name, []).append(shift)
    counts = [(name, len(found)) for name, found in models.items()]
    counts += [(f"energies of {name}", len(found)) for name, found in energies.items()]
    lacking = sorted(name for name, count in counts if count < len(runs))
    if lacking:
        raise ConfigError(f"not every run has {', '.join(lacking)}; finish them with `divergen run`")
    return Explanation(
        runs=tuple(run.folder.name for run in runs),
        gaps={one.name: one.gaps for one in train_val_gap(models).sets},
        energies={name: tuple(shifts) for name, shifts in energies.items()},
    )


def read_explanation(path: Path) -> Explanation:
    """What `divergen explain --out` wrote; raises `ConfigError` where it is something else."""
    try:
        return Explanation.model_validate_json(read_text(path))
    except ValueError as error:
        raise ConfigError(f"{path}: is not what `divergen explain --out` writes; make it again") from error


def metrics_on_training_images(folder: Path, train: Dataset) -> Metrics:
    """AP of a training's detector on the images that it learned from; kept in the training's folder."""
    from divergen_evaluate import evaluate_lvis, read_results
    from divergen_evaluate.metrics import Metrics
    from divergen_train import predict

    path = folder / "train_metrics.json"
    if not path.exists():
        results = folder / "train_results.json"
        write_text(results, json.dumps(predict(folder / "checkpoint.pt", train)), overwrite=True)
        write_text(path, evaluate_lvis(read_results(results), train).model_dump_json(indent=1), overwrite=True)
    return Metrics.model_validate_json(path.read_bytes())


def _refuse_others(runs: Sequence[Run]) -> None:
    """Refuse runs that are no repetitions of the first with other seeds: they would be told as if they were."""
    first = runs[0].config.model_dump(exclude={"seed", "name"})
    seeds: dict[int, Run] = {}
    for run in runs:
        if run.config.model_dump(exclude={"seed", "name"}) != first:
            raise ConfigError(
                f"{run.place}: has other settings than {runs[0].place}; give runs that differ in the seed alone"
            )
        if (other := seeds.setdefault(run.config.seed, run)) is not run:
            raise ConfigError(
                f"{other.place} and {run.place} have the same seed, {run.config.seed}; give each seed once"
            )


def _checked(run: Run) -> Run:
    real = run.training("real")
    if not (real / "metrics.json").exists():
        raise ConfigError(f"{run.place}: has not trained on real images alone; `divergen run` does, with baseline=true")
    if not (real / "checkpoint.pt").exists():
        raise ConfigError(f"{run.place}: its trainer leaves no checkpoint.pt of ours, which alone can be looked into")
    return run


def _names(run: Run) -> dict[str, str]:
    """Folder of a training -> what it saw beside the real images."""
    return {name: title.removeprefix("real + ") for name, title in training_titles(run.config).items()}


def _metrics(run: Run, train: Dataset) -> Iterator[tuple[str, tuple[Metrics, Metrics]]]:
    """Of each training, on training and on validation images."""
    from divergen_evaluate.metrics import Metrics

    for name, title in _names(run).items():
        folder = run.training(name)
        if (folder / "metrics.json").exists():
            unseen = Metrics.model_validate_json((folder / "metrics.json").read_bytes())
            yield title, (metrics_on_training_images(folder, train), unseen)


def _energies(pipeline: Pipeline, checkpoint: Path, limit: int) -> Iterator[tuple[str, float]]:
    """Shifts of what was not learned from: validation objects, and what is pasted, where it is pasted."""
    reference = _energy(checkpoint, pipeline.splits.train, limit)
    canvas, names = _thinned(pipeline.canvas, limit), _names(pipeline.run)
    found = {"validation": _energy(checkpoint, pipeline.splits.val, limit)}
    for name, pools in (("control", pipeline.control_pools), ("generated", pipeline.pools)):
        if pools:
            found[names[name]] = _energy_of_pasted(checkpoint, canvas, pipeline.paster_of(pools))
    for name, values in found.items():
        if len(values):  # else nothing could be pasted
            yield name, float((values.mean() - reference.mean()) / (reference.std() or 1))


def _energy_of_pasted(checkpoint: Path, canvas: Dataset, paster: Any) -> Any:
    from divergen_paste import bake
    from divergen_records.coco import read_dataset

    with scratch_folder() as folder:
        path = bake(canvas, paster, folder / "pasted", keep_originals=False, progress=False)
        baked = read_dataset(path)
        ours = {one.id for one in baked.annotations if "source" in (one.extra or {})}
        return _energy(checkpoint, baked, annotations=ours)


def _energy(
    checkpoint: Path, dataset: Dataset, limit: int | None = None, *, annotations: set[int] | None = None
) -> Any:
    from divergen_train.analysis.energy import free_energy, object_logits

    found = object_logits(checkpoint, dataset, limit=limit)
    energy = free_energy(found.logits)
    return energy if annotations is None else energy[np.isin(found.annotation, list(annotations))]


def _thinned(dataset: Dataset, limit: int) -> Dataset:
    """So many of its images that show an object, evenly spread, with their annotations."""
    shown = [image for image in dataset.images if dataset.annotations_of(image.id)]
    places = np.linspace(0, len(shown) - 1, min(limit, len(shown))).round().astype(int)
    images = [shown[place] for place in places]
    kept = {image.id for image in images}
    return dataset.replace(images=images, annotations=[one for one in dataset.annotations if one.image_id in kept])
