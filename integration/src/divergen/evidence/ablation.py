"""Runs that differ in one thing, over several seeds: which of the papers' findings hold here?"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from divergen_records import Config, ConfigError, Shard
from divergen_records.command import echo, note
from divergen_records.files import read_json, write_bytes, write_text
from divergen_records.settings import validate_settings
from pydantic import Field

from ..config import RunConfig
from ..loading import load_config, read_mapping, shipped
from ..run import Run
from ..runner import is_done, run_pipeline
from ..training import read_metrics
from .comparison import Comparison, compare
from .outcomes import CONTROL, REAL, Outcome, outcome_of
from .plot import ablation_plot
from .power import SeedPlan, plan_seeds
from .resampled import ImageScores, image_scores, keep_image_scores
from .sharing import begin, neighbours

__all__ = [
    "Ablation",
    "Findings",
    "configs",
    "findings",
    "load_ablation",
    "run_ablation",
    "run_folder",
    "run_until_told_apart",
    "shipped_ablations",
]

RESOLUTION = 0.005
"""Half a point of AP: what a finding of the papers should be told apart by."""


class Ablation(Config):
    """A question, and the runs that answer it.

    Attributes:
        name: What it is called; its file's name where left out.
        question: What is asked.
        base: What all arms share: the path of a run's configuration, or the name of a shipped one.
        settings: What all arms change in it: dotted key -> value.
        arms: Name of an arm -> what it changes: dotted key -> value.
    """

    name: str = ""
    question: str
    base: str = "quickstart"
    settings: Mapping[str, Any] = {}
    arms: Mapping[str, Mapping[str, Any]] = Field(min_length=1)

    def asked(self, *, base: str | None = None, arms: Sequence[str] = ()) -> Ablation:
        """The same question of another base, or by some of the arms alone.

        Raises:
            ConfigError: If an arm is unknown.
        """
        for arm in arms:
            if arm not in self.arms:
                raise ConfigError(f"{self.name} has no arm {arm!r}; there are {', '.join(map(repr, self.arms))}")
        chosen = {arm: changes for arm, changes in self.arms.items() if not arms or arm in arms}
        return self.model_copy(update={"base": base or self.base, "arms": chosen})


def shipped_ablations() -> dict[str, str]:
    """Names of the ablations that come with the package, and their questions."""
    return shipped("ablations")


def load_ablation(name: str) -> Ablation:
    """An ablation from a YAML file, or a shipped one by name.

    Raises:
        ConfigError: Naming the file, the key and what is wrong.
    """
    if name in shipped_ablations():
        values = read_mapping(Path(str(resources.files("divergen") / "ablations" / f"{name}.yaml")))
    elif Path(name).suffix in {".yaml", ".yml"}:
        values = read_mapping(Path(name))
    else:
        raise ConfigError(f"{name!r} is neither a YAML file nor one of {', '.join(shipped_ablations())}")
    ablation: Ablation = validate_settings(Ablation, {"name": Path(name).stem, **values}, where=name)
    return ablation


def configs(ablation: Ablation, overrides: Sequence[str], seeds: Sequence[int]) -> dict[tuple[str, int], RunConfig]:
    """Of every arm and seed, all checked before anything runs; the first arm also trains `REAL` and `CONTROL`.

    Seed by seed, so that whatever is done can be compared in pairs.
    """
    found = {}
    shared = [f"{key}={json.dumps(value)}" for key, value in ablation.settings.items()]
    for seed in seeds:
        for place, (arm, changes) in enumerate(ablation.arms.items()):
            own = [f"{key}={json.dumps(value)}" for key, value in changes.items()]
            first = [f"{key}={json.dumps(place == 0)}" for key in ("baseline", "control")]
            # An arm that goes on from the baseline says so itself.
            settings = [*first, *shared, *overrides, *own, f"seed={seed}", f"name={arm}"]
            found[arm, seed] = load_config(ablation.base, settings)
    return found


@dataclasses.dataclass(frozen=True)
class Findings:
    """What an ablation found so far.

    Attributes:
        outcomes: The arms, `REAL` and `CONTROL` first.
        comparisons: Each arm against each before it.
        plan: How many seeds it takes; None while there are not two.
        cost: Seconds that its runs took, ``wall`` and ``cpu``.
    """

    outcomes: Sequence[Outcome]
    comparisons: Sequence[Comparison]
    plan: SeedPlan | None
    cost: Mapping[str, float]


def run_ablation(
    ablation: Ablation,
    out: Path,
    *,
    seeds: Sequence[int],
    overrides: Sequence[str] = (),
    shard: Shard | None = None,
    resolution: float = RESOLUTION,
) -> Findings:
    """Run all arms with all seeds, or what is left of them.

    What arms have in common is made once, also across ablations whose folders lie beside this one's: data, pictures,
    masks, embeddings, and trainings whose settings are equal. Killed at any time, it goes on where it was.

    Args:
        ablation: The arms.
        out: Folder for a run per arm and seed, ``ablation.json`` and ``ablation.png``.
        seeds: Each decides data, pictures and training of its runs alike.
        overrides: ``key=value`` for all arms.
        shard: Do the I-th of every N runs, for Slurm arrays.
        resolution: Difference in mask AP, 0 to 1, that the plan of seeds is for.

    Raises:
        ConfigError: If an arm's configuration is wrong, or differs from that of the run which its folder holds.
    """
    runs = [
        Run(run_folder(out, arm, seed), config) for (arm, seed), config in configs(ablation, overrides, seeds).items()
    ]
    shard = shard or Shard()
    for number, run in enumerate(runs):
        if number % shard.count == shard.index and not _is_complete(run):
            note(f"\n=== run {number + 1} of {len(runs)}: {run.config.name}, seed {run.config.seed}")
            same = [other for other in runs if other.config.seed == run.config.seed and other.folder != run.folder]
            _do(run, [*same, *neighbours(out, run.config.seed)])
            _save(findings(ablation, out, seeds, resolution), ablation, out, overrides)
    now = findings(ablation, out, seeds, resolution)
    _save(now, ablation, out, overrides)
    return now


def run_until_told_apart(
    ablation: Ablation, out: Path, *, resolution: float, most: int, overrides: Sequence[str] = ()
) -> Findings:
    """Two seeds to learn how noisy a difference is, then as many as the resolution takes, asked anew after each.

    Args:
        ablation: The arms.
        out: As of `run_ablation`.
        resolution: Difference in mask AP to be told apart, 0 to 1.
        most: Seeds at most, at least 2.
        overrides: ``key=value`` for all arms.
    """
    count = 2
    while True:
        found = run_ablation(ablation, out, seeds=range(count), overrides=overrides, resolution=resolution)
        echo(f"\n{found.plan or 'no two arms have two seeds in common: nothing to plan by'}", err=True)
        if found.plan is None or count >= min(found.plan.needed, most):
            return found
        count += 1


def _is_complete(run: Run) -> bool:
    trained = run.folder.glob("train/*/metrics.json")
    return is_done(run, "train") and all((path.parent / "resamples.npz").exists() for path in trained)


def _do(run: Run, others: Sequence[Run]) -> None:
    before, spent = (read_json(run.cost, "remove it") if run.cost.exists() else {}), _clock()
    begin(run, others)
    run_pipeline(run, until="train")
    keep_image_scores(run)
    took = {name: now - spent[name] + before.get(name, 0.0) for name, now in _clock().items()}
    write_text(run.cost, json.dumps(took), overwrite=True)


def _clock() -> dict[str, float]:
    """Seconds of this process and those that it waited for."""
    times = os.times()
    return {"wall": time.monotonic(), "cpu": sum(times[:4])}


def findings(ablation: Ablation, out: Path, seeds: Sequence[int], resolution: float = RESOLUTION) -> Findings:
    """What the runs in a folder say so far."""
    places = {arm: (name, training) for arm, name, training in _places(ablation)}

    def each(arm: str, read: Any) -> dict[int, Any]:
        name, training = places[arm]
        return {seed: read(run_folder(out, name, seed), training) for seed in seeds}

    metrics = {arm: each(arm, _metrics) for arm in places}
    outcomes = [outcome_of(arm, found, metrics[REAL], metrics[CONTROL]) for arm, found in metrics.items()]
    scores: dict[str, dict[int, ImageScores]] = {
        arm: {seed: one for seed, one in each(arm, _scores).items() if one is not None} for arm in places
    }
    costs = [_cost(run_folder(out, arm, seed)) for arm in ablation.arms for seed in seeds]
    cost = {name: sum(one.get(name, 0.0) for one in costs) for name in ("wall", "cpu")}
    paid = len([one for one in costs if one]) / len(ablation.arms)
    hours = cost["cpu"] / paid / 3600 if paid else None
    return Findings(outcomes, compare(outcomes, scores), plan_seeds(outcomes, resolution, hours), cost)


def _places(ablation: Ablation) -> Iterator[tuple[str, str, str]]:
    """Each arm, the arm whose runs hold its training, and what the training is called there."""
    first = next(iter(ablation.arms))
    yield from ((REAL, first, "real"), (CONTROL, first, "control"))
    yield from ((arm, arm, "generated") for arm in ablation.arms)


def _metrics(folder: Path, training: str) -> dict[str, Any] | None:
    return read_metrics(folder / "train" / training)


def _scores(folder: Path, training: str) -> ImageScores | None:
    return image_scores(folder / "train" / training)


def _cost(folder: Path) -> dict[str, float]:
    path = folder / "cost.json"
    return read_json(path, "remove it") if path.exists() else {}


def run_folder(out: Path, arm: str, seed: int) -> Path:
    """Where the run of an arm and seed is."""
    return out / re.sub(r"[^\w.-]+", "-", arm).strip("-") / f"seed-{seed}"


def _save(found: Findings, ablation: Ablation, out: Path, overrides: Sequence[str]) -> None:
    summary = {
        "name": ablation.name,
        "question": ablation.question,
        "base": ablation.base,
        "overrides": list(overrides),
        "arms": [dataclasses.asdict(outcome) for outcome in found.outcomes],
        "comparisons": [{**dataclasses.asdict(pair), "verdict": pair.verdict} for pair in found.comparisons],
        "plan": found.plan and dataclasses.asdict(found.plan),
        "cost": dict(found.cost),
    }
    write_text(out / "ablation.json", json.dumps(summary, indent=1), overwrite=True)
    write_bytes(out / "ablation.png", ablation_plot(ablation.question, found.outcomes), overwrite=True)
