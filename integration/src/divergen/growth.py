"""The closed loop: from what a training found to the pictures that are made next."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from divergen_records import ConfigError, Shard
from divergen_records.command import console
from divergen_records.files import write_text
from rich.console import Console
from rich.table import Table

from .config import RunConfig
from .fork import fork, shared_steps
from .run import Run
from .runner import run_pipeline
from .training import metrics_of

__all__ = [
    "CategoryGrowth",
    "GeneratorGrowth",
    "Growth",
    "grow",
    "grown_config",
    "plan_evenly",
    "plan_growth",
    "print_growth",
]

_LEAST_KEPT = 0.2
"""A category of which the filter keeps less is not given even more pictures for that."""

_LEAST_DRAWN = 0.02


@dataclass(frozen=True)
class CategoryGrowth:
    """What a category gets, and why.

    Attributes:
        category: Its name.
        frequency: Its group, where known.
        pictures: So many more.
        before: Mask AP on real images alone, 0 to 1.
        now: With generated instances.
        gain: What these are believed to add: the difference, shrunk towards that of the frequency group.
        error: Standard error of that belief.
        kept: Share of its pictures that the filter kept.
    """

    category: str
    frequency: str | None
    pictures: int
    before: float
    now: float
    gain: float
    error: float
    kept: float


@dataclass(frozen=True)
class GeneratorGrowth:
    """What a generator makes, and why.

    Attributes:
        generator: Its name.
        pictures: So many more.
        drawn: How often the training drew its instances at the end, 1 on average.
    """

    generator: str
    pictures: int
    drawn: float


@dataclass(frozen=True)
class Growth:
    """The next pictures of a run.

    Attributes:
        categories: Those that get any, the most first.
        generators: All, the most first.
        extra: Category -> generator -> pictures.
    """

    categories: tuple[CategoryGrowth, ...]
    generators: tuple[GeneratorGrowth, ...]
    extra: Mapping[str, Mapping[str, int]]


def plan_growth(run: Run, budget: int) -> Growth:
    """Divide pictures among the categories that generated data still improves, and the generators that help.

    A category weighs its expected improvement, should its gain go on (a gain that is not known well may be larger than
    it looks), times what is left to win, per instance that the filter keeps. A generator weighs as it was drawn.

    Args:
        run: With both trainings done, and a training that judged.
        budget: Pictures.

    Raises:
        ConfigError: If something of that is missing.
    """
    real, generated = _trained(run)
    found = _gains(real["categories"], generated["categories"], _kept(run))
    return _divided(budget, found, [max(_worth(one), 1e-9) for one in found], _drawn(run))


def plan_evenly(run: Run, budget: int) -> Growth:
    """Divide pictures alike among the same categories and all generators: what `plan_growth` has to beat.

    Args:
        run: With both trainings done.
        budget: Pictures.

    Raises:
        ConfigError: If one is missing.
    """
    real, generated = _trained(run)
    found = _gains(real["categories"], generated["categories"], _kept(run))
    return _divided(budget, found, [1.0] * len(found), {one.name: 1.0 for one in run.config.generators})


def _divided(
    budget: int, found: Sequence[CategoryGrowth], worths: Sequence[float], drawn: Mapping[str, float]
) -> Growth:
    from divergen_gen.counts import share

    shares = share(budget, tuple(worths))
    weights = tuple(max(value, _LEAST_DRAWN) for value in drawn.values())
    extra = {
        one.category: {name: n for name, n in zip(drawn, share(pictures, weights), strict=True) if n}
        for one, pictures in zip(found, shares, strict=True)
        if pictures
    }
    made = {name: sum(own.get(name, 0) for own in extra.values()) for name in drawn}
    categories = [CategoryGrowth(**{**asdict(one), "pictures": n}) for one, n in zip(found, shares, strict=True) if n]
    generators = [GeneratorGrowth(name, made[name], drawn[name]) for name in drawn]
    return Growth(
        tuple(sorted(categories, key=lambda one: -one.pictures)),
        tuple(sorted(generators, key=lambda one: -one.pictures)),
        extra,
    )


def _trained(run: Run) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the trainings without and with generated instances came to."""
    real, generated = metrics_of(run, "real"), metrics_of(run, "generated")
    if real is None or generated is None:
        raise ConfigError(
            f"{run.folder}: grow plans from AP without and with generated instances, and this run has not trained "
            "both; run it to its end first, with baseline: true"
        )
    return real, generated


def grow(run: Run, out: Path, budget: int, rounds: int = 1, *, evenly: bool = False) -> list[Run]:
    """Plan, make, train and compare, several times; each round begins with all that the one before has.

    Args:
        run: The run to grow; it is not changed.
        out: Folder of the rounds' runs, ``round-1`` and so on.
        budget: Pictures in all.
        rounds: They are divided among these.
        evenly: By `plan_evenly`.

    Raises:
        ConfigError: If the run cannot be grown, or a round is there that was planned otherwise.
    """
    make_plan = plan_evenly if evenly else plan_growth
    found = [run]
    for number in range(1, rounds + 1):
        pictures = budget * number // rounds - budget * (number - 1) // rounds
        folder = out / f"round-{number}"
        plan = make_plan(found[-1], pictures)
        if not folder.exists():
            print_growth(plan, console(err=True))
            _begin(found[-1], folder, plan)
        grown = Run(folder)
        if grown.config.counts != grown_config(found[-1].config, plan).counts:
            raise ConfigError(
                f"{folder} was planned otherwise: by another budget, number of rounds or division, or before "
                f"{found[-1].folder} was trained as it is now; say what was said then, or give another --out"
            )
        run_pipeline(grown)
        found.append(grown)
    return found


def _begin(source: Run, folder: Path, plan: Growth) -> None:
    """A run that has what another has, and plans more; what saw no generated instance is not trained again."""
    config = grown_config(source.config, plan)
    if "gen" not in [step.name for step in shared_steps(source, config, adding=True)]:
        raise ConfigError(f"{source.folder}: there is no picture to go on from; run it to its end first")

    def complete(run: Run) -> None:
        with source.lock(Shard()):
            for name in ("real", "control"):
                if source.training(name).exists():
                    shutil.copytree(source.training(name), run.training(name))
        rows = [*map(asdict, plan.categories), *map(asdict, plan.generators)]
        write_text(run.folder / "grow.json", json.dumps(rows, indent=1), overwrite=True)

    fork(source, folder, config, adding=True, complete=complete)


def grown_config(config: RunConfig, plan: Growth) -> RunConfig:
    """The configuration with a plan's pictures on top of those that it has."""
    extra: dict[str, dict[str, int]] = {name: dict(own) for name, own in config.counts.extra.items()}
    for category, own in plan.extra.items():
        for generator, count in own.items():
            place = extra.setdefault(category, {})
            place[generator] = place.get(generator, 0) + count
    counts = config.counts.model_copy(update={"extra": extra})
    return config.model_copy(update={"counts": counts})


def print_growth(plan: Growth, console: Console) -> None:
    """What is made next, and why."""
    table = Table("category", "pictures", "AP real", "AP now", "gain", "kept", title="more pictures of")
    for one in plan.categories:
        gain = f"{100 * one.gain:+.1f} ± {196 * one.error:.1f}"
        row = (f"{100 * one.before:.1f}", f"{100 * one.now:.1f}", gain, f"{one.kept:.0%}")
        table.add_row(f"{one.category} ({one.frequency or '–'})", str(one.pictures), *row)
    console.print(table)
    by = Table("generator", "pictures", "drawn", title="made by")
    for made in plan.generators:
        by.add_row(made.generator, str(made.pictures), f"{made.drawn:.2f} x")
    console.print(by)


def _drawn(run: Run) -> dict[str, float]:
    """How often each generator's judged instances were drawn."""
    table = run.table
    if "draw_weight" not in table.columns or not table.count("draw_weight IS NOT NULL"):
        raise ConfigError(
            f"{run.folder}: grow plans from what a training believes of instances, and this one judged none; "
            "run it again with --redo train train.bsgal='{kind: belief}'"
        )
    rows = table.select(["generator", "draw_weight"], where="draw_weight IS NOT NULL").to_pylist()
    weights: dict[str, list[float]] = {}
    for row in rows:
        weights.setdefault(row["generator"], []).append(row["draw_weight"])
    return {config.name: float(np.mean(weights.get(config.name, [1.0]))) for config in run.config.generators}


def _kept(run: Run) -> dict[str, float]:
    rows = run.table.group_counts(["category", "kept"], where="kept IS NOT NULL")
    totals: dict[str, list[int]] = {}
    for row in rows:
        totals.setdefault(row["category"], [0, 0])[bool(row["kept"])] += row["count"]
    return {name: kept / (kept + rejected) for name, (rejected, kept) in totals.items()}


def _gains(
    real: Sequence[Mapping[str, Any]], generated: Sequence[Mapping[str, Any]], kept: Mapping[str, float]
) -> list[CategoryGrowth]:
    """Of each category that was evaluated and has pictures; gains shrunk towards those of the frequency groups."""
    from divergen_train.bsgal.shrinkage import shrink

    before = {row["name"]: row for row in real}
    rows = [row for row in generated if row["name"] in kept and _known(row) and _known(before.get(row["name"], {}))]
    if not rows:
        raise ConfigError("grow: no category has both pictures and an AP; evaluate on data that shows them")
    pairs = [(before[row["name"]]["mask"], row["mask"]) for row in rows]
    differences = np.array([after - earlier for earlier, after in pairs])
    middles = np.array([sum(pair) / 2 for pair in pairs]).clip(0.05, 0.95)
    counts = np.array([max(row["instances"], 1) for row in rows])
    names = sorted({str(row["frequency"]) for row in rows})
    groups = np.array([names.index(str(row["frequency"])) for row in rows])
    gains, doubt = shrink(differences, 2 * middles * (1 - middles) / counts, [groups])
    return [
        CategoryGrowth(row["name"], row["frequency"], 0, *pair, float(gain), math.sqrt(error), kept[row["name"]])
        for row, pair, gain, error in zip(rows, pairs, gains, doubt, strict=True)
    ]


def _known(row: Mapping[str, Any]) -> bool:
    return row.get("mask") is not None and row["mask"] >= 0


def _worth(one: CategoryGrowth) -> float:
    """Expected improvement, times what is left to win, per instance kept."""
    error = max(one.error, 1e-6)
    z = one.gain / error
    density, below = math.exp(-z * z / 2) / math.sqrt(2 * math.pi), (1 + math.erf(z / math.sqrt(2))) / 2
    return error * (z * below + density) * (1 - one.now) / max(one.kept, _LEAST_KEPT)
