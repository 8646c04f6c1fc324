"""Does a training tell harmful generators from helpful ones, and draw less of them? Which are harmful is known.

OMP_NUM_THREADS=1 python integration/benchmarks/belief_gate.py --seeds 3
OMP_NUM_THREADS=1 python integration/benchmarks/belief_gate.py --run ablations/selection/everything/seed-0
python integration/benchmarks/belief_gate.py --done ablations/selection/belief/seed-0 --done …

Pictures of ten generators, three of them spoilt on purpose (the ablation `selection`), pasted into MiniLVIS; a training
that judges them. After each change of the weights: the area under the ROC curve of the belief, helpful against harmful
(0.5 is chance), and how often a harmful instance is drawn for each time that a harmless one is. The gate: 0.85 at the
end and never below 0.5, and at most 0.4. ``--done`` looks at the end of trainings that were made before.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import numpy as np
from divergen.evidence.ablation import configs, load_ablation
from divergen.pipeline import Pipeline
from divergen.run import Run
from divergen.runner import run_pipeline
from numpy.typing import NDArray

SETTINGS = ("train.iterations=240", "train.image_size=192")


class Watched:
    """A pool's draws, and what becomes of them."""

    def __init__(self, draws: Any, harmful: Sequence[str]) -> None:
        self.draws, self.candidates = draws, draws.candidates
        self.generators = np.array(draws.candidates.generators)
        self.harmful = np.isin(self.generators, harmful)
        self.trace: list[tuple[float, float]] = []

    def weights(self) -> NDArray[np.float64]:
        return self.draws.weights()

    def set_weights(self, weights: NDArray[np.float64]) -> None:
        self.draws.set_weights(weights)
        self.trace.append((auc(weights, self.harmful), weights[self.harmful].mean() / weights[~self.harmful].mean()))


def auc(values: NDArray[np.float64], harmful: NDArray[np.bool_]) -> float:
    """Chance that a harmless one has the higher value; ties count half."""
    bad, good = np.sort(values[harmful]), values[~harmful]
    below = np.searchsorted(bad, good, "left") + np.searchsorted(bad, good, "right")
    return float(below.sum() / (2 * len(bad) * len(good)))


def spoilt(run: Run) -> list[str]:
    """The generators that are harmful on purpose."""
    return [generator.name for generator in run.config.generators if getattr(generator, "spoilt", None)]


def look(run: Run) -> bool:
    """What the run's own training believed at its end, of what it judged."""
    lines = (run.training("generated") / "contributions.jsonl").read_text("utf-8").splitlines()
    weights = {judged["source"]: judged["weight"] for judged in map(json.loads, lines)}
    made = {row["id"]: row["generator"] for row in run.table.select(["id", "generator"]).to_pylist()}
    harmful = np.isin([made[name] for name in weights], spoilt(run))
    values = np.array([*weights.values()])
    area, ratio = auc(values, harmful), values[harmful].mean() / values[~harmful].mean()
    print(f"seed {run.config.seed}: AUC {area:.2f} at the end; harmful drawn {ratio:.2f} x, of {len(values)} judged")
    return bool(area >= 0.85 and ratio <= 0.4)


def gate(run: Run) -> Watched:
    """A training of the arm that believes, on the run's pool."""
    from divergen_train import fit

    pipeline = Pipeline(run, quiet=True)
    watched, out = Watched(pipeline.draws, spoilt(run)), run.folder / "gate"
    train: Any = run.config.train
    fit(pipeline.canvas, out=out, config=train, paste=pipeline.paster, draws=watched, seed=run.config.seed)
    return watched


def report(seed: int, watched: Watched) -> bool:
    weights, (last, ratio) = watched.weights(), watched.trace[-1]
    lowest = min(value for value, _ in watched.trace)
    passed = last >= 0.85 and lowest >= 0.5 and ratio <= 0.4
    traced = " ".join(f"{value:.2f}" for value, _ in watched.trace)
    verdict = "passed" if passed else "NOT passed"
    print(f"seed {seed}: AUC {last:.2f}, lowest {lowest:.2f}; harmful drawn {ratio:.2f} x; {verdict}")
    print(f"  AUC at each change: {traced}")
    names = sorted(set(watched.generators.tolist()))
    print(
        "  drawn: " + ", ".join(f"{name} {weights[watched.generators == name].mean():.2f}" for name in names),
        flush=True,
    )
    return passed


@click.command(help=__doc__)
@click.option("--run", "folder", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Use its pool.")
@click.option(
    "--done", multiple=True, type=click.Path(exists=True, file_okay=False, path_type=Path), help="Look at these."
)
@click.option("--seeds", default=3, show_default=True, help="Make so many runs, where none is given.")
@click.argument("settings", nargs=-1)
def main(folder: Path | None, done: tuple[Path, ...], seeds: int, settings: tuple[str, ...]) -> None:
    if done:
        held = [look(Run(one)) for one in done]
        raise SystemExit(0 if all(held) else 1)
    found = configs(load_ablation("selection"), [*SETTINGS, *settings], range(seeds))
    passed = []
    with TemporaryDirectory() as scratch:
        for seed in [Run(folder).config.seed] if folder else range(seeds):
            run = Run(folder or Path(scratch) / f"seed-{seed}", found["belief", seed])
            if folder is None:
                run_pipeline(run, until="pool")
            passed.append(report(seed, gate(run)))
    raise SystemExit(0 if all(passed) else 1)


if __name__ == "__main__":
    main()
