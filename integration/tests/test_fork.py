from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from divergen import Run, load_config, run_pipeline
from divergen.fork import fork, shared_steps
from divergen.steps import STEPS
from divergen_records import ConfigError, RunLocked, Shard


def names(steps) -> list[str]:
    return [step.name for step in steps]


BEFORE_PICTURES = [step.name for step in STEPS[: [step.name for step in STEPS].index("gen")]]


def table_of(run: Run, columns: list[str]) -> list[dict]:
    return run.table.select(columns).sort_by("id").to_pylist()


def test_shared_steps__up_to_the_first_that_differs(finished: Run, small: tuple[str, ...]) -> None:
    def shared(*overrides: str) -> str:
        return names(shared_steps(finished, load_config("quickstart", [*small, *overrides])))[-1:]

    assert shared() == ["bake"], "training is always its own"
    assert shared("paste.max_instances=3") == ["pool"]
    assert shared("rules.rules=[]") == ["score"]
    assert shared("annotator={kind: true-alpha}") == ["gen"]
    assert shared("counts={per_category: 5}") == ["prompts"]
    assert shared("seed=1") == []


def test_shared_steps__pictures_of_another_revision_are_others(finished: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("divergen_minilvis.generator.revision", lambda **_: "of a later release")
    assert names(shared_steps(finished, finished.config)) == BEFORE_PICTURES


def test_fork__keeps_pictures_and_decides_anew(finished: Run, small: tuple[str, ...], tmp_path: Path) -> None:
    config = load_config("quickstart", [*small, "rules.rules=[]"])
    before = table_of(finished, ["id", "kept"])
    assert names(fork(finished, tmp_path / "new", config))[-1] == "score"
    run = Run(tmp_path / "new")
    assert run.config == config
    assert run.table.count("kept IS NOT NULL") == 0
    run_pipeline(run)
    assert table_of(run, ["id", "image", "inter_similarity"]) == table_of(finished, ["id", "image", "inter_similarity"])
    assert run.table.count("kept") > finished.table.count("kept")
    assert table_of(finished, ["id", "kept"]) == before, "the other run stays as it was"


def test_fork__pictures_that_both_plan_keep_masks_and_embeddings(
    finished: Run, small: tuple[str, ...], tmp_path: Path
) -> None:
    columns = ["id", "image", "mask", "embedding", "inter_similarity", "kept"]
    config = load_config("quickstart", [*small, "counts={per_category: 5}"])
    assert names(fork(finished, tmp_path / "more", config))[-1] == "prompts"
    more = Run(tmp_path / "more", config)
    assert more.table.ids() == finished.table.ids()
    assert not more.table.count("embedding IS NULL AND error IS NULL")
    run_pipeline(more, until="decide")
    assert more.table.count() == 15

    fork(more, tmp_path / "fewer", finished.config)
    fewer = Run(tmp_path / "fewer", finished.config)
    run_pipeline(fewer, until="decide")
    assert table_of(fewer, columns) == table_of(finished, columns), "as if it had made them itself"
    other = load_config("quickstart", [*small, "counts={per_category: 3}", "annotator={kind: true-alpha}"])
    fork(finished, tmp_path / "masks", other)
    assert Run(tmp_path / "masks").table.count() == Run(tmp_path / "masks").table.count("mask IS NULL") == 9


def test_fork__scores_of_another_embedder_do_not_stay(finished: Run, small: tuple[str, ...], tmp_path: Path) -> None:
    source = Run(
        tmp_path / "source",
        load_config("quickstart", [*small, "rules.rules=[{score: contrast, op: '>=', threshold: 0}]"]),
    )
    shutil.copytree(finished.folder, source.folder)
    run_pipeline(source)
    assert source.table.count("contrast IS NOT NULL")
    fork(source, tmp_path / "new", load_config("quickstart", [*small, "crops={fill: white}"]))
    new = Run(tmp_path / "new").table
    assert not new.count("contrast IS NOT NULL OR inter_similarity IS NOT NULL OR embedder IS NOT NULL")
    assert not Run(tmp_path / "new").references.exists(), "real crops were embedded by the other's settings"
    assert new.count("mask IS NOT NULL")


def test_fork__nothing_to_share_makes_no_folder(finished: Run, small: tuple[str, ...], tmp_path: Path) -> None:
    assert fork(finished, tmp_path / "new", load_config("quickstart", [*small, "seed=1"])) == ()
    assert not (tmp_path / "new").exists()


def test_fork__never_into_a_folder_that_exists(finished: Run, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="only in a new folder"):
        fork(finished, tmp_path, finished.config)


def test_fork__waits_for_nobody(finished: Run, tmp_path: Path) -> None:
    with finished.lock(Shard()), pytest.raises(RunLocked):
        fork(finished, tmp_path / "new", finished.config)
    assert not (tmp_path / "new").exists()
