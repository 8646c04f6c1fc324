"""Runs that differ in one thing, over several seeds: which of the papers' findings hold here?"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import resources
from pathlib import Path
from typing import Any

from divergen_records import Config, ConfigError, RunLocked, Shard
from divergen_records.command import echo
from divergen_records.files import write_bytes, write_text
from pydantic import Field, ValidationError

from .config import RunConfig
from .fork import fork, shared_steps
from .loading import load_config, read_mapping, shipped
from .outcomes import CONTROL, REAL, Outcome, outcome_of
from .report.figures import ablation_plot
from .run import Run
from .runner import run_pipeline
from .training import read_metrics

__all__ = [
    "Ablation",
    "configs",
    "load_ablation",
    "outcomes",
    "run_ablation",
    "shipped_ablations",
]


class Ablation(Config):
    """A question, and the runs that answer it.

    Attributes:
        question: What is asked.
        base: What all arms share: the path of a run's configuration, or the name of a shipped one.
        settings: What all arms change in it: dotted key -> value.
        arms: Name of an arm -> what it changes: dotted key -> value.
    """

    question: str
    base: str = "quickstart"
    settings: Mapping[str, Any] = {}
    arms: Mapping[str, Mapping[str, Any]] = Field(min_length=1)


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
    try:
        return Ablation.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(f"{name}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error


def configs(ablation: Ablation, overrides: Sequence[str], seeds: Sequence[int]) -> dict[tuple[str, int], RunConfig]:
    """Of every arm and seed, all checked before anything runs; the first arm also trains `REAL` and `CONTROL`."""
    found = {}
    for place, (arm, changes) in enumerate(ablation.arms.items()):
        own = [f"{key}={json.dumps(value)}" for key, value in changes.items()]
        shared = [f"{key}={json.dumps(value)}" for key, value in ablation.settings.items()]
        for seed in seeds:
            first = [f"{key}={json.dumps(place == 0)}" for key in ("baseline", "control")]
            # An arm that goes on from the baseline says so itself.
            settings = [*first, *shared, *overrides, *own, f"seed={seed}", f"name={arm}"]
            found[arm, seed] = load_config(ablation.base, settings)
    return found


def run_ablation(
    ablation: Ablation, out: Path, *, seeds: Sequence[int], overrides: Sequence[str] = (), shard: Shard | None = None
) -> list[Outcome]:
    """Run all arms with all seeds, or what is left of them.

    Args:
        ablation: The arms.
        out: Folder for a run per arm and seed, ``ablation.json`` and ``ablation.png``.
        seeds: Each decides data, pictures and training of its runs alike.
        overrides: ``key=value`` for all arms.
        shard: Do the I-th of every N runs, for Slurm arrays.

    Returns:
        What is known so far, the arms `REAL` and `CONTROL` first.

    Raises:
        ConfigError: If an arm's configuration is wrong, or differs from that of the run which its folder holds.
    """
    runs = [Run(_folder(out, arm, seed), config) for (arm, seed), config in configs(ablation, overrides, seeds).items()]
    shard = shard or Shard()
    for number, run in enumerate(runs):
        if number % shard.count != shard.index:
            continue
        echo(f"\n=== run {number + 1} of {len(runs)}: {run.config.name}, seed {run.config.seed}", err=True)
        if not run.folder.exists():
            _share_work(run, [other for other in runs[:number] if other.config.seed == run.config.seed])
        run_pipeline(run)
        _save(outcomes(ablation, out, seeds), ablation, out)
    return outcomes(ablation, out, seeds)


def _share_work(run: Run, others: Sequence[Run]) -> None:
    """Begin a run with what the most similar of others has done, if it is free."""
    ready = [other for other in others if other.folder.exists()]
    source = max(ready, key=lambda other: len(shared_steps(other, run.config)), default=None)
    if source is None:
        return
    with suppress(RunLocked):
        steps = fork(source, run.folder, run.config)
        if steps:
            echo(f"as in {source.folder}: {', '.join(step.name for step in steps)}", err=True)


def outcomes(ablation: Ablation, out: Path, seeds: Sequence[int]) -> list[Outcome]:
    """What the runs in a folder reached so far, the arms `REAL` and `CONTROL` first."""
    first = next(iter(ablation.arms))

    def metrics(arm: str, training: str) -> dict[int, dict[str, Any] | None]:
        return {seed: read_metrics(_folder(out, arm, seed) / "train" / training) for seed in seeds}

    real, control = metrics(first, "real"), metrics(first, "control")
    arms = {REAL: real, CONTROL: control, **{arm: metrics(arm, "generated") for arm in ablation.arms}}
    return [outcome_of(arm, found, real, control) for arm, found in arms.items()]


def _folder(out: Path, arm: str, seed: int) -> Path:
    return out / re.sub(r"[^\w.-]+", "-", arm).strip("-") / f"seed-{seed}"


def _save(found: Sequence[Outcome], ablation: Ablation, out: Path) -> None:
    rows = [dataclasses.asdict(outcome) for outcome in found]
    summary = {"question": ablation.question, "arms": rows}
    write_text(out / "ablation.json", json.dumps(summary, indent=1), overwrite=True)
    write_bytes(out / "ablation.png", ablation_plot(ablation.question, found), overwrite=True)
