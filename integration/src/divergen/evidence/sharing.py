"""What a run of an ablation need not do itself, because another has done it under the same settings."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from divergen_records import ConfigError, RunLocked
from divergen_records.command import note
from divergen_records.folders import new_folder

from ..config import RunConfig
from ..fork import fork, same_generators, shared_steps
from ..run import Run

__all__ = ["begin", "neighbours", "shared_trainings"]

_DECIDES = {
    "real": {"data", "seed"},
    "control": {"data", "extra_categories", "paste", "bake", "from_baseline", "seed"},
    "generated": set(RunConfig.model_fields) - {"name", "train", "baseline", "control", "executor", "differs"},
}
"""Keys that decide what a training comes to, beside those of the trainer."""


def neighbours(out: Path, seed: int) -> list[Run]:
    """Runs of a seed in ablations whose folders lie beside this one's."""
    found = []
    for path in sorted(out.absolute().parent.glob(f"*/*/seed-{seed}")):
        if (path.parents[1] / "ablation.json").exists() and path.parents[1] != out.absolute():
            with suppress(ConfigError):  # of a run that an older release made, or that was just begun
                found.append(Run(path))
    return found


def begin(run: Run, others: Sequence[Run]) -> None:
    """Begin a run with the steps and the trainings that others have done alike; of what is free, not locked."""
    if not run.folder.exists():
        _take_steps(run, others)
    run.prepare()
    if not run.config_path.exists():
        run.save_config()  # a kill from here on leaves a run to go on with
    for name in _wanted(run.config):
        _take_training(run, name, others)


def _take_steps(run: Run, others: Sequence[Run]) -> None:
    ready = [other for other in others if other.folder.exists()]
    source = max(ready, key=lambda other: len(shared_steps(other, run.config)), default=None)
    if source is None:
        return
    with suppress(RunLocked):
        steps = fork(source, run.folder, run.config)
        if steps:
            note(f"as in {source.folder}: {', '.join(step.name for step in steps)}")


def _wanted(config: RunConfig) -> Iterator[str]:
    if config.train is not None:
        yield from ("real",) if config.baseline else ()
        yield from ("control",) if config.control else ()
        yield "generated"


def _take_training(run: Run, name: str, others: Sequence[Run]) -> None:
    if run.training(name).exists():
        return
    for other in others:
        if name in shared_trainings(other, run.config):
            with new_folder(run.training(name), listed=False) as unfinished:
                shutil.copytree(other.training(name), unfinished, dirs_exist_ok=True)
            note(f"as in {other.folder}: train {name}")
            return


def shared_trainings(source: Run, config: RunConfig) -> tuple[str, ...]:
    """Trainings that a run has finished and that would come out alike under another configuration.

    One whose detector judges what it draws is never shared: its verdicts are in the table of its own run.
    """
    return tuple(
        name
        for name in _DECIDES
        if (source.training(name) / "metrics.json").exists()
        and not (name == "generated" and (_judges(config) or not same_generators(source, config)))
        and _key(source.config, name) == _key(config, name)
    )


def _judges(config: RunConfig) -> bool:
    return getattr(config.train, "bsgal", None) is not None


def _key(config: RunConfig, name: str) -> str:
    chosen: dict[str, Any] = config.model_dump(mode="json", include=_DECIDES[name] | {"train"})
    if name != "generated" and isinstance(chosen["train"], dict):
        chosen["train"].pop("bsgal", None)  # without generated instances there is nothing to judge
    return json.dumps(chosen, sort_keys=True)
