"""Run the steps: check first, continue what was begun, say what happens."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from typing import Any

from divergen_records import ConfigError, Shard
from divergen_records.command import answer, echo, next_step, note
from divergen_records.losses import Losses, finish, row_losses
from pydantic import ValidationError

from .check import check_run, refuse_problems
from .config import RunConfig
from .executors import Executor, build_executor
from .loading import load_config
from .pipeline import Pipeline
from .run import Run
from .steps import STEPS, RunStep
from .training import print_comparison

__all__ = ["finish_run", "is_done", "run_pipeline"]

_SHARED = ("data", "extra", "prompts")
"""Steps that the first of several shards does for all."""
_GROWING = {"generators": "gen", "scores": "score"}
"""Settings that may get more at any time -> the step that then does what is new."""


def run_pipeline(
    run: Run,
    *,
    shard: Shard | None = None,
    redo: str | None = None,
    until: str | None = None,
    retry: bool = False,
) -> None:
    """Run a pipeline, or what is left of it.

    Args:
        run: The run's folder and configuration.
        shard: The part of the table's work to do. With more than one shard the run stops where the work cannot be
            shared; run it again without a shard to go on.
        redo: Name of a step that is done again, with all that follow it.
        until: Name of the last step to do.
        retry: Try failed rows again.

    Raises:
        ConfigError: If a step's settings changed since it was done; or shards are asked for beside Ray's.
        RunLocked: If another process works on the folder.
    """
    shard = shard or Shard()
    if shard.count > 1 and run.config.executor.kind != "local":
        raise ConfigError(f"executor {run.config.executor.kind!r} shares the work by itself; leave --shard out")
    if redo and STEPS[_position(redo)].undo is None:
        raise ConfigError(
            "pictures are never thrown away, nor the weights that made them; to make others, change the seed or use "
            "another --out"
        )
    redone = STEPS[_position(redo) :] if redo else ()
    steps = STEPS[: _position(until) + 1] if until else STEPS
    run.prepare()
    with run.lock(shard):
        pipeline = Pipeline(run, shard)
        stale = _stale(run, steps, redone)
        refuse_problems(check_run(run, _to_do(run, steps, (*redone, *stale), shard)))
        run.save_config()
        with run.forgetting():
            for step in [step for step in STEPS if step in (*redone, *stale)]:
                _undo(pipeline, step)
        if retry and run.has_table():
            echo(f"trying {run.table.retry_errors():,} failed rows again", err=True)
        with closing(build_executor(run.config.executor)) as executor:
            for number, step in enumerate(steps, 1):
                if shard.count > 1 and not step.sharded and step.name not in _SHARED:
                    echo(f"shard {shard.index}/{shard.count} is done; go on with the same line without --shard")
                    return
                _do(pipeline, step, number, executor)
    answer(out=run.place, report=run.report if run.report.exists() else None)
    _finish(run, steps)


def is_done(run: Run, until: str) -> bool:
    """Whether every step up to this one was ended, with the settings that the run has now."""
    for step in STEPS[: _position(until) + 1]:
        if not _is_done(run, step) or (run.note(step.name) or {}).get("settings") != _settings(run, step):
            return False
    return True


def finish_run(run: Run) -> None:
    """End a command by the rule of `divergen_records.losses`: what the run's steps left out, and rows that failed.

    Raises:
        Exit: With status 3 if something was lost, 1 if nothing is left.
    """
    losses = row_losses(run.table) if run.has_table() else Losses()
    went = run.table.count("error IS NULL") if run.has_table() else 0
    came = went + len(losses)
    for step in STEPS:
        losses.extend((name, reason) for name, reason in (run.note(step.name) or {}).get("lost", ()))
    if run.report.exists():
        next_step("divergen", "export", run.place, "--format", "coco", "--out", "kept")
    else:
        next_step("divergen", "status", run.place)
    try:
        finish(losses, came=came, went=went, unit="generated pictures", out=run.folder / "run")
    finally:
        run.push()


def _position(name: str) -> int:
    names = [step.name for step in STEPS]
    if name not in names:
        raise ConfigError(f"{name!r} is not a step; the steps are {', '.join(names)}")
    return names.index(name)


def _settings(run: Run, step: RunStep) -> dict[str, Any]:
    values = run.config.model_dump(mode="json")
    return {key: values[key] for key in step.settings}


def _settings_before(run: Run, step: RunStep) -> dict[str, Any] | None:
    """What a step was done with: a key that came with a later release has its default, for that is what was done."""
    noted = (run.note(step.name) or {}).get("settings")
    if noted is None:
        return None
    try:
        before = RunConfig.model_validate({"data": run.config.data, **noted}).model_dump(mode="json")
    except ValidationError:  # of another release, whose keys are others
        return dict(noted)
    return {key: before[key] for key in step.settings}


def _stale(run: Run, steps: Sequence[RunStep], redone: Sequence[RunStep]) -> list[RunStep]:
    """Steps to undo because their settings changed and they are cheap; a costly one is an error."""
    stale = []
    for step in steps:
        if step in redone:
            continue
        before, now = _settings_before(run, step), _settings(run, step)
        if before is None or before == now:
            continue
        if not step.cheap:
            changed = [key for key in now if before.get(key) != now[key]]
            raise ConfigError(
                f"{run.place}: {', '.join(changed)} changed since `{step.name}` was done. "
                f"Add --redo {step.name} (of divergen run) to do it and all that follows again, or use another --out"
            )
        stale.append(step)
    return stale


def _to_do(run: Run, steps: Sequence[RunStep], again: Sequence[RunStep], shard: Shard) -> list[str]:
    """Names of the steps that this call does."""
    shared = [step for step in steps if shard.count == 1 or step.sharded or step.name in _SHARED]
    grown = _grown(run)
    return [step.name for step in shared if step in again or step.name in grown or not _is_done(run, step)]


def _grown(run: Run) -> set[str]:
    """Steps that have more to do than when they ended, because the run's settings have more since the last call."""
    try:
        before = load_config(str(run.config_path)) if run.config_path.exists() else run.config
    except ConfigError:  # damaged, or of another release
        return set()
    return {step for key, step in _GROWING.items() if _plain(before, key) != _plain(run.config, key)}


def _plain(config: RunConfig, key: str) -> Any:
    return config.model_dump(mode="json", include={key})


def _is_done(run: Run, step: RunStep) -> bool:
    """Whether a step ended, at its last call: `_do` notes what was lost when it has."""
    return "lost" in (run.note(step.name) or {})


def _undo(pipeline: Pipeline, step: RunStep) -> None:
    if step.undo is not None:
        step.undo(pipeline)
    pipeline.run.write_note(step.name, None)


def _do(pipeline: Pipeline, step: RunStep, number: int, executor: Executor) -> None:
    note(f"[{number}/{len(STEPS)}] {step.name}: {step.what}")
    pipeline.run.pull()
    start, before = time.monotonic(), pipeline.run.note(step.name) or {"seconds": 0.0}
    state = {"number": number, "settings": _settings(pipeline.run, step), "seconds": before["seconds"]}
    pipeline.run.write_note(step.name, state)
    pipeline.losses = Losses(map(tuple, before.get("lost", ())))
    with pipeline.run.sending():
        executor.do(step, pipeline)
    seconds = before["seconds"] + time.monotonic() - start
    lost = list(dict.fromkeys(pipeline.losses))  # a step that goes on may tell the same again
    pipeline.run.write_note(step.name, {**state, "seconds": seconds, "lost": lost})
    pipeline.run.push()


def _finish(run: Run, steps: Sequence[RunStep]) -> None:
    print_comparison(run)
    if steps[-1].name == "report":
        echo(f"\nreport: {(run.place / run.report.name).resolve()}")
