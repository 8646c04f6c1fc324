"""What is pasted: generated instances, real ones, or both."""

from __future__ import annotations

from pathlib import Path

import pytest
from divergen import Run, load_config, run_pipeline
from divergen.budget import describe_plan
from divergen.fork import fork
from divergen.pipeline import Pipeline
from divergen_records import ConfigError
from divergen_records.coco import load_sample
from divergen_records.errors import TableError


def sources(run: Run) -> set[str]:
    """Where the pasted instances of all training images come from: ``annotation`` or ``generated``."""
    pipeline = Pipeline(run)
    found = set()
    for image in pipeline.canvas.images:
        for instance in pipeline.paster(load_sample(pipeline.canvas, image)).instances:
            if instance.source:
                found.add("real" if instance.source.startswith("annotation:") else "generated")
    return found


def test_pastes__real_objects_need_no_pictures(tmp_path: Path, small: tuple[str, ...]) -> None:
    run = Run(tmp_path / "run", load_config("quickstart", [*small, "pastes=real", "bake={copies: 1}"]))
    run_pipeline(run)
    assert sources(run) == {"real"}
    assert run.table.count() == 0
    assert (run.baked / "annotations.json").exists()
    assert (run.previews / "pasted.jpg").exists()
    assert not run.references.exists()
    assert run.report.exists()
    assert "0 pictures" in describe_plan(run)


def test_pastes__both(finished: Run, tmp_path: Path, small: tuple[str, ...]) -> None:
    config = load_config("quickstart", [*small, "pastes=both"])
    assert [step.name for step in fork(finished, tmp_path / "run", config)][-1] == "decide"
    run = Run(tmp_path / "run")
    run_pipeline(run)
    assert sources(run) == {"real", "generated"}
    assert sources(finished) == {"generated"}


@pytest.mark.parametrize("wrong", ["generate", "[real]"])
def test_pastes__wrong(wrong: str, small: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError, match="pastes"):
        load_config("quickstart", [*small, f"pastes={wrong}"])


def test_where__chooses_among_the_kept(finished: Run, tmp_path: Path, small: tuple[str, ...]) -> None:
    config = load_config("quickstart", [*small, "rules={rules: []}", "where=category = 'cup'"])
    assert [step.name for step in fork(finished, tmp_path / "run", config)][-1] == "score"
    run = Run(tmp_path / "run")
    run_pipeline(run, until="pool")
    (pool,) = Pipeline(run).pools
    assert 0 < len(pool) == run.table.count("kept AND category = 'cup'") < run.table.count("kept")
    with pytest.raises(TableError, match="No field named colour"):
        run_pipeline(Run(tmp_path / "run", config.model_copy(update={"where": "colour = 'red'"})), until="pool")


def test_pastes__relighting_is_for_what_is_baked(small: tuple[str, ...]) -> None:
    relight = "paste.harmonize={kind: relight, model: some/model}"
    with pytest.raises(ConfigError, match=r"relighting takes a pass .* set bake"):
        load_config("quickstart", [relight])
    assert load_config("quickstart", [relight, "bake={}"]).paste.harmonize.half == 48
    assert load_config("quickstart", [*small, relight]).train is None
