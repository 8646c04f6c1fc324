"""What an ablation would make, and all that would stop it, before anything is made."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..check import check_run, refuse_problems
from ..config import RunConfig
from ..data import select_categories
from ..plans import planned_pictures, sketch_data, sketch_extra
from ..run import Run
from .ablation import Ablation, configs, run_folder

__all__ = ["plan_ablation"]


def plan_ablation(ablation: Ablation, out: Path, *, seeds: Sequence[int], overrides: Sequence[str] = ()) -> list[str]:
    """A line for each run, with its pictures and trainings.

    Args:
        ablation: The arms.
        out: Folder where the runs will be.
        seeds: Of each arm.
        overrides: ``key=value`` for all arms.

    Raises:
        ConfigError: If an arm's configuration is wrong, or something that it needs is not there; names all of it.
    """
    found = configs(ablation, overrides, seeds)
    # The arms need the same with every seed.
    runs = [Run(run_folder(out, arm, seed), config) for (arm, seed), config in found.items() if seed == seeds[0]]
    entries = {str(entry): entry for run in runs for entry in check_run(run)}
    refuse_problems(entries.values())
    return [f"{arm}, seed {seed}: {_made(config)}" for (arm, seed), config in found.items()]


def _made(config: RunConfig) -> str:
    train = sketch_data(config)
    categories = [*select_categories(train, config.categories), *sketch_extra(config.extra_categories, train)]
    trainings = (1 + config.baseline + config.control) * (config.train is not None)
    return f"{planned_pictures(config, categories):,} pictures, {trainings} training{'' if trainings == 1 else 's'}"
