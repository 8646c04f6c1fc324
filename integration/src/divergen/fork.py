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

__all__ = ["fork", "same_generators", "shared_steps"]

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
        if alike and step.name == "gen" and not adding:
            alike = same_generators(source, config)
        if step.name == "train" or source.note(step.name) is None or not alike:
            break
        shared.append(step)
    return tuple(shared)


def same_generators(source: Run, config: RunConfig) -> bool:
    """Whether a run's pictures are by the revisions of generators that a configuration means now."""
    if not source.has_table():
        return True
    rows = source.table.group_counts(["generator", "generator_revision"])
    made = {(row["generator"], row["generator_revision"]) for row in rows}
    return made <= {(one.name, one.revision) for one in Pipeline(Run(source.folder, config), quiet=True).generators}


def fork(
    source: Run,
    folder: str | Path,
    config: RunConfig,
    *,
    adding: bool = False,
    complete: Callable[[Run], None] | None = None,
) -> tuple[RunStep, ...]:
    """Begin a run as a copy of another's shared steps. The other is not changed; whole or not at all.

    Where other pictures are planned of the same prompts, those that both plan are taken over, with their masks and
    embeddings as far as these would come out alike.

    Args:
        source: The other run.
        folder: Folder of the new run.
        config: Its configuration.
        adding: It only adds pictures to the other's.
        complete: Puts more into the new run, before its folder appears.

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
    names = [step.name for step in shared]
    others = "gen" not in names  # other pictures are planned, of which the source may have some
    some = others and names[-1] in ("prompts", "personal") and source.has_table() and not _learns(config)
    with new_folder(folder, listed=False) as unfinished:
        with source.lock(Shard()):
            ignore = _left_out(source, others=others, table=some or not others)
            shutil.copytree(source.folder, unfinished, ignore=ignore, dirs_exist_ok=True)
        run = Run(unfinished, config)
        if some:
            run.table.keep({record.id for record in Pipeline(run, quiet=True).plan})
        _forget(run, [step for step in STEPS if step not in shared], _of_rows(source, config) if some else ())
        run.save_config()
        if complete is not None:
            complete(run)
    return shared


def _learns(config: RunConfig) -> bool:
    """Whether a generator is personalised in a step of the run, so that its revision is not known before."""
    return any(getattr(one, "personal", None) is not None for one in config.generators)


def _of_rows(source: Run, config: RunConfig) -> tuple[RunStep, ...]:
    """Steps whose columns depend on nothing but their row and settings, and would come out alike."""
    steps = [step for step in STEPS if step.name in ("annotate", "embed")]
    alike = [all(_value(source.config, key) == _value(config, key) for key in step.settings) for step in steps]
    return tuple(step for place, step in enumerate(steps) if all(alike[: place + 1]))


def _left_out(source: Run, *, others: bool, table: bool) -> Callable[[str, list[str]], set[str]]:
    """Say which entries of a folder are not copied: those of the run's own folder that belong to it alone."""
    own = {"train", source.report.name, source.cost.name}
    if others:
        own |= {source.pool.name, source.previews.name, "plan.json"}
    if not table:
        own.add(source.table_path.name)

    def ignore(folder: str, entries: list[str]) -> set[str]:
        if Path(folder) != source.folder:
            return set()
        return {name for name in entries if name in own or name.endswith(".lock")}

    return ignore


def _value(config: RunConfig, key: str) -> object:
    return config.model_dump(mode="json", include={key})[key]


def _forget(run: Run, steps: Sequence[RunStep], kept: Sequence[RunStep]) -> None:
    """Undo steps, the last first; of those whose columns are kept, only the notes go."""
    pipeline = Pipeline(run, quiet=True)
    for step in reversed(steps):
        if step.undo is not None and step not in kept:
            step.undo(pipeline)
        run.write_note(step.name, None)
