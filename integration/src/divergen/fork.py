"""Begin a run with what another has done under the same settings: two that differ late share their pictures."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from divergen_records import ConfigError, Shard
from divergen_records.folders import new_folder

from .config import RunConfig
from .pipeline import Pipeline
from .run import Run
from .steps import STEPS, RunStep

__all__ = ["fork", "shared_steps"]

_PICTURES = ("generators", "counts")
"""Keys that decide which pictures there are. A run may add some, so they are no settings of its step."""


def shared_steps(source: Run, config: RunConfig, *, adding: bool = False) -> tuple[RunStep, ...]:
    """The first steps of a run that would come out alike under another configuration; training is never among them.

    Args:
        source: The other run.
        config: The configuration.
        adding: It only adds pictures to the other's, so that all of those are shared.
    """
    shared: list[RunStep] = []
    for step in STEPS:
        keys = (*step.settings, *(_PICTURES if step.name in ("personal", "gen") and not adding else ()))
        alike = all(_value(source.config, key) == _value(config, key) for key in keys)
        if step.name == "train" or source.note(step.name) is None or not alike:
            break
        shared.append(step)
    return tuple(shared)


def fork(source: Run, folder: str | Path, config: RunConfig, *, adding: bool = False) -> tuple[RunStep, ...]:
    """Begin a run as a copy of another's shared steps. The other is not changed; whole or not at all.

    Args:
        source: The other run.
        folder: Folder of the new run.
        config: Its configuration.
        adding: It only adds pictures to the other's.

    Returns:
        The steps taken over; none, and no folder, where there is nothing to share.

    Raises:
        ConfigError: If the folder exists.
        RunLocked: If another process works on the other run.
    """
    folder = Path(folder)
    if folder.exists():
        raise ConfigError(f"{folder} exists; a run begins with another's work only in a new folder")
    shared = shared_steps(source, config, adding=adding)
    if not shared:
        return ()
    pictures = "gen" in [step.name for step in shared]
    with new_folder(folder, listed=False) as unfinished:
        with source.lock(Shard()):
            shutil.copytree(source.folder, unfinished, ignore=_left_out(source, pictures), dirs_exist_ok=True)
        run = Run(unfinished, config)
        _forget(run, [step for step in STEPS if step not in shared])
        run.save_config()
    return shared


def _left_out(source: Run, pictures: bool) -> Callable[[str, list[str]], set[str]]:
    """Say which entries of a folder are not copied: those of the run's own folder that belong to it alone."""
    own = {"train", source.report.name, source.cost.name}
    if not pictures:
        own |= {source.table_path.name, source.pool.name, source.previews.name, "plan.json"}

    def ignore(folder: str, entries: list[str]) -> set[str]:
        if Path(folder) != source.folder:
            return set()
        return {name for name in entries if name in own or name.endswith(".lock")}

    return ignore


def _value(config: RunConfig, key: str) -> object:
    return config.model_dump(mode="json", include={key})[key]


def _forget(run: Run, steps: Sequence[RunStep]) -> None:
    pipeline = Pipeline(run, quiet=True)
    for step in reversed(steps):
        if step.undo is not None:
            step.undo(pipeline)
        run.write_note(step.name, None)
