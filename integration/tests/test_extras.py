from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from divergen.budget import describe_plan
from divergen.extras import extra_choices, reasons_in_short
from divergen.loading import load_config
from divergen.pipeline import Pipeline
from divergen.run import Run
from divergen.runner import run_pipeline
from divergen_records import InstanceTable


@pytest.fixture
def chosen(tmp_path: Path, drawn: tuple[str, ...]) -> Run:
    """A run that takes two of five candidates: one is the data set's own, one is too like it."""
    (tmp_path / "more.txt").write_text("cup\nteapot: a vessel for tea\nbicycle\nred apple\nguitar\n")
    how = {"from": str(tmp_path / "more.txt"), "similarity": "words", "below": 0.21, "take": 2, "seed": 1}
    return Run(tmp_path / "run", load_config("quickstart", [*drawn, f"extra_categories={json.dumps(how)}"]))


def test_run__chooses_extra_categories_once(chosen: Run) -> None:
    run_pipeline(chosen, until="gen")
    pipeline = Pipeline(Run(chosen.folder))
    taken = [category.name for category in pipeline.extra_categories]
    assert len(taken) == 2
    assert not {"cup", "red apple"} & set(taken)
    assert [category.image_count for category in pipeline.canvas.categories[-2:]] == [2000, 2000]
    assert len(pipeline.canvas.categories) == len(pipeline.splits.val.categories) + 2
    rows = InstanceTable.open(chosen.folder / "instances.lance").select().to_pylist()
    assert {row["category"] for row in rows} == {"apple", "banana", "cup", *taken}
    before = chosen.extra_reasons.read_bytes()
    run_pipeline(Run(chosen.folder, chosen.config), until="prompts")
    assert chosen.extra_reasons.read_bytes() == before


def test_extra_choices__every_candidate_with_its_reason(chosen: Run) -> None:
    run_pipeline(chosen, until="extra")
    choices = extra_choices(chosen)
    assert [choice.name for choice in choices] == ["cup", "teapot", "bicycle", "red apple", "guitar"]
    assert all(choice.reason for choice in choices)
    assert sum(reasons_in_short(choices).values()) == 5
    assert reasons_in_short(choices)["unlike all"] == 2
    from divergen.report import write_report

    page = write_report(chosen).read_text()
    assert "Extra categories" in page
    assert "is called as" in page
    assert "too like" in page


def test_describe_plan__with_extra_categories(chosen: Run) -> None:
    assert "20 pictures of 5 categories" in describe_plan(chosen)
    assert not chosen.folder.exists()


def test_config__goes_through_the_runs_file(chosen: Run) -> None:
    chosen.prepare()
    chosen.save_config()
    assert Run(chosen.folder).config == chosen.config
    again = load_config(str(chosen.config_path), ["extra_categories.take=1"])
    assert again.extra_categories.take == 1  # type: ignore[union-attr]


def test_config__alone(drawn: tuple[str, ...]) -> None:
    config = load_config("quickstart", [*drawn, "extra_categories.take=3"])
    assert config.extra_categories.candidates == "imagenet"  # type: ignore[union-attr]


def chosen_by(tmp_path: Path, drawn: tuple[str, ...], **how: object) -> Run:
    """A run that has drawn pictures of the extra categories that it chose."""
    run = Run(tmp_path / "run", load_config("quickstart", [*drawn, f"extra_categories={json.dumps(how)}"]))
    run_pipeline(run, until="gen")
    return run


def taken(run: Run) -> set[str]:
    """Extra categories that there are pictures of; each candidate has its reason."""
    rows = InstanceTable.open(run.folder / "instances.lance").select(["category"]).to_pylist()
    extra = {row["category"] for row in rows} - {"apple", "banana", "cup"}
    assert extra == {choice.name for choice in extra_choices(run) if choice.taken}
    return extra


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_run__chooses_by_wordnet(
    tmp_path: Path, drawn: tuple[str, ...], builders: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("nltk")
    monkeypatch.setattr("nltk.data.path", [])
    wordnet = builders("divergen-prompts/tests/conftest.py").write_wordnet(tmp_path / "nltk_data")
    (tmp_path / "more.txt").write_text("dog\nchair\nzorblax\n")
    how = {"similarity": "wordnet", "wordnet": str(wordnet), "below": 0.4, "take": 2}
    run = chosen_by(tmp_path, drawn, **{"from": str(tmp_path / "more.txt"), **how})
    assert taken(run) == {"dog", "chair"}
    reasons = {choice.name: choice.reason for choice in extra_choices(run)}
    assert "WordNet" in reasons["zorblax"] or "synset" in reasons["zorblax"]


def test_run__chooses_by_sentence_embeddings(
    tmp_path: Path, drawn: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    from divergen_prompts.embedders import HashedWords

    asked: list[str] = []
    monkeypatch.setattr("divergen_prompts.similarity.build_embedder", lambda name: asked.append(name) or HashedWords())
    monkeypatch.setattr("divergen_records.requirements.find_spec", lambda name: name)
    (tmp_path / "more.txt").write_text("red apple\nteapot\n")
    how = {"similarity": "embedding", "below": 0.21, "take": 2}
    run = chosen_by(tmp_path, drawn, **{"from": str(tmp_path / "more.txt"), **how})
    assert asked == ["minilm"]
    assert taken(run) == {"teapot"}


def test_run__chooses_from_imagenet(tmp_path: Path, drawn: tuple[str, ...]) -> None:
    run = chosen_by(tmp_path, drawn, **{"from": "imagenet", "similarity": "words", "take": 2, "seed": 3})
    assert len(taken(run)) == 2
    assert len(extra_choices(run)) > 900
