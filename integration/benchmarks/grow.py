"""Does it pay to let a training decide what is made next? The same pictures by `divergen grow` and divided evenly.

OMP_NUM_THREADS=1 python integration/benchmarks/grow.py --seeds 5 --budget 300 --rounds 3 --out grown
OMP_NUM_THREADS=1 python integration/benchmarks/grow.py --seeds 2 --budget 60 --rounds 1 --out small train=thrifty

Ten generators, three of them spoilt on purpose (the ablation `selection`, arm `belief`). Each seed: one run, then the
budget by rounds of `grow`, and at once evenly; both train as long. Killed at any time, the same line goes on. Prints
mask AP and APr of both, and their difference over paired seeds with its 95 % interval.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from divergen.evidence.ablation import configs, load_ablation
from divergen.evidence.statistics import mean_and_interval
from divergen.growth import grow
from divergen.run import Run
from divergen.runner import run_pipeline
from divergen.training import metrics_of

METRICS = ("AP", "APr")


def source(out: Path, seed: int, overrides: Sequence[str]) -> Run:
    """The run that grows, done."""
    config = configs(load_ablation("selection"), [*overrides, "control=false"], [seed])["belief", seed]
    run = Run(out / f"seed-{seed}" / "begun", config.model_copy(update={"baseline": True, "control": False}))
    run_pipeline(run, until="train")
    return run


def scores(run: Run) -> dict[str, float]:
    """Mask AP with generated instances, points."""
    found: Any = metrics_of(run, "generated")
    return {name: 100 * found["mask"][name] for name in METRICS if found["mask"].get(name) is not None}


def seed_of(out: Path, seed: int, budget: int, rounds: int, overrides: Sequence[str]) -> dict[str, dict[str, float]]:
    """What one seed came to: before, grown, and evenly."""
    run = source(out, seed, overrides)
    grown = grow(run, out / f"seed-{seed}" / "grown", budget, rounds)[-1]
    even = grow(run, out / f"seed-{seed}" / "even", budget, evenly=True)[-1]
    return {"before": scores(run), "grown": scores(grown), "even": scores(even)}


def show(found: Sequence[dict[str, dict[str, float]]]) -> None:
    """Means, and the difference over paired seeds."""
    for name in METRICS:
        whole = [seed for seed in found if all(name in arm for arm in seed.values())]
        if not whole:
            print(f"mask {name}: no seed has it: the validation images show none of its categories")
            continue
        each = {arm: [seed[arm][name] for seed in whole] for arm in ("before", "even", "grown")}
        means = ", ".join(f"{arm} {sum(values) / len(values):.1f}" for arm, values in each.items())
        gain, half = mean_and_interval([a - b for a, b in zip(each["grown"], each["even"], strict=True)])
        print(f"mask {name}: {means}; grown over even {gain:+.1f}" + (f" ± {half:.1f}" if half is not None else ""))


@click.command()
@click.option("--seeds", default=5, show_default=True, type=click.IntRange(1))
@click.option("--budget", default=300, show_default=True, type=click.IntRange(1))
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(1))
@click.option("--out", default="grown", show_default=True, type=click.Path(path_type=Path))
@click.argument("overrides", nargs=-1)
def main(seeds: int, budget: int, rounds: int, out: Path, overrides: tuple[str, ...]) -> None:
    found = []
    for seed in range(seeds):
        found.append(seed_of(out, seed, budget, rounds, overrides))
        (out / "grow.json").write_text(json.dumps(found, indent=1), encoding="utf-8")
        show(found)


if __name__ == "__main__":
    main()
