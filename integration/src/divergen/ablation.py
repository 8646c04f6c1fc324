"""Runs that differ in one thing, over several seeds: which of the papers' findings hold here?"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from divergen_records import Config, ConfigError, RunLocked, Shard
from divergen_records.command import echo
from divergen_records.files import write_bytes, write_text
from pydantic import Field, ValidationError
from rich.console import Console
from rich.table import Table

from .config import RunConfig
from .fork import fork, shared_steps
from .loading import load_config, read_mapping, shipped
from .run import Run
from .runner import run_pipeline
from .training import read_metrics

__all__ = [
    "Ablation",
    "Outcome",
    "configs",
    "load_ablation",
    "mean_and_interval",
    "outcomes",
    "print_outcomes",
    "run_ablation",
    "shipped_ablations",
]

REAL = "real only"
"""The arm that every ablation has: the same detector without generated instances."""

METRICS = (("mask", "AP"), ("mask", "APr"), ("mask", "APc"), ("mask", "APf"), ("box", "AP"))

_T = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)
"""97.5 % quantiles of Student's t with 1 to 9 degrees of freedom; 1.96 is near enough above."""


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


@dataclass(frozen=True)
class Outcome:
    """What an arm reached.

    Attributes:
        arm: Its name.
        values: Metric, for example ``"mask APr"`` -> seed -> AP, 0 to 1.
        gains: The same, minus the arm `REAL` of the same seed.
    """

    arm: str
    values: Mapping[str, Mapping[int, float]]
    gains: Mapping[str, Mapping[int, float]]


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
    """The configuration of every arm and seed, all checked before anything runs; the first arm also trains `REAL`."""
    found = {}
    for place, (arm, changes) in enumerate(ablation.arms.items()):
        own = [f"{key}={json.dumps(value)}" for key, value in changes.items()]
        shared = [f"{key}={json.dumps(value)}" for key, value in ablation.settings.items()]
        for seed in seeds:
            settings = [*shared, *overrides, *own, f"seed={seed}", f"baseline={json.dumps(place == 0)}", f"name={arm}"]
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
        What is known so far, the arm `REAL` first.

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
    """What the runs in a folder reached so far, the arm `REAL` first."""
    first = next(iter(ablation.arms))
    real = {seed: read_metrics(_folder(out, first, seed) / "train" / "real") for seed in seeds}
    arms = {REAL: real}
    for arm in ablation.arms:
        arms[arm] = {seed: read_metrics(_folder(out, arm, seed) / "train" / "generated") for seed in seeds}
    return [_outcome(arm, found, real) for arm, found in arms.items()]


def _outcome(
    arm: str, found: Mapping[int, dict[str, Any] | None], real: Mapping[int, dict[str, Any] | None]
) -> Outcome:
    values: dict[str, dict[int, float]] = {}
    gains: dict[str, dict[int, float]] = {}
    for kind, metric in METRICS:
        name = f"{kind} {metric}"
        values[name], gains[name] = {}, {}
        for seed, metrics in found.items():
            value = metrics[kind][metric] if metrics else None
            before = real[seed]
            base = before[kind][metric] if before else None
            if value is not None:
                values[name][seed] = value
                if base is not None and arm != REAL:
                    gains[name][seed] = value - base
    return Outcome(arm, values, gains)


def mean_and_interval(values: Sequence[float]) -> tuple[float, float | None]:
    """Mean, and half the width of its 95 % interval over seeds (Student's t); None for fewer than two."""
    if len(values) < 2:
        return fmean(values), None
    freedom = len(values) - 1
    quantile = _T[freedom - 1] if freedom <= len(_T) else 1.96
    return fmean(values), quantile * stdev(values) / math.sqrt(len(values))


def print_outcomes(found: Sequence[Outcome], console: Console) -> None:
    """As tables: AP in percent, and the gain over the real images alone, paired by seed."""
    for title, attribute in (("LVIS, %", "values"), (f"gain over {REAL}, points", "gains")):
        names = [f"{kind} {metric}" for kind, metric in METRICS]
        table = Table(title, *names, "seeds")
        for outcome in found:
            cells = getattr(outcome, attribute)
            if any(cells.values()):
                seeds = max(len(cell) for cell in cells.values())
                table.add_row(outcome.arm, *(_cell(list(cells[name].values())) for name in names), str(seeds))
        for column in table.columns[1:]:
            column.justify = "right"
        if table.row_count:
            console.print(table)


def _cell(values: Sequence[float]) -> str:
    if not values:
        return "–"
    mean, half = mean_and_interval([100 * value for value in values])
    return f"{mean:.1f}" + (f" ± {half:.1f}" if half is not None else "")


def _folder(out: Path, arm: str, seed: int) -> Path:
    return out / re.sub(r"[^\w.-]+", "-", arm).strip("-") / f"seed-{seed}"


def _save(found: Sequence[Outcome], ablation: Ablation, out: Path) -> None:
    from .report.figures import ablation_plot

    rows = [{"arm": outcome.arm, "values": outcome.values, "gains": outcome.gains} for outcome in found]
    summary = {"question": ablation.question, "arms": rows}
    write_text(out / "ablation.json", json.dumps(summary, indent=1), overwrite=True)
    write_bytes(out / "ablation.png", ablation_plot(ablation.question, found), overwrite=True)
