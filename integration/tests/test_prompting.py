from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner
from divergen.budget import describe_plan
from divergen.cli import main
from divergen.loading import dump_config, load_config
from divergen.prompting import prompts_status
from divergen.run import Run
from divergen.runner import run_pipeline
from divergen_prompts import read_prompts
from divergen_prompts.testing import FakeEndpoint
from divergen_records import ConfigError, InstanceTable

pytest.importorskip("openai")


def llm(url: str, **more: object) -> dict[str, object]:
    fixed: dict[str, object] = {"kind": "llm", "model": "m", "base_url": url, "per_category": 6, "retries": 0}
    return {**fixed, "price_in": 1, "price_out": 10, **more}


def loaded(drawn: tuple[str, ...], *sources: dict[str, object], count: int = 8) -> list[str]:
    prompts = [text for text in drawn if not text.startswith(("prompts", "counts"))]
    return [*prompts, f"counts={{per_category: {count}}}", f"prompts={json.dumps(sources)}"]


def pictures(run: Run) -> Counter[tuple[str, str]]:
    table = InstanceTable.open(run.folder / "instances.lance")
    return Counter((row["category"], row["prompt_source"]) for row in table.select().to_pylist())


def test_run__template_and_llm_share_the_pictures(tmp_path: Path, drawn: tuple[str, ...]) -> None:
    with FakeEndpoint() as endpoint:
        asked = llm(endpoint.url, categories=["cup"], share=0.75)
        run = Run(tmp_path / "run", load_config("quickstart", loaded(drawn, {"kind": "template"}, asked)))
        run_pipeline(run, until="gen")
    assert pictures(run) == {
        ("apple", "template"): 8,
        ("banana", "template"): 8,
        ("cup", "template"): 2,
        ("cup", "llm"): 6,
    }
    assert endpoint.asked == {"cup": 6}
    first, second = prompts_status(run)
    assert (first.source, first.categories, first.prompts, first.wanted) == ("template divergen", 3, 3, None)
    assert (second.source, second.categories, second.prompts, second.wanted) == ("llm m", 1, 6, 6)
    assert second.cost > 0
    assert len(read_prompts(run.prompts)) == 9
    shown = CliRunner().invoke(main, ["status", str(run.folder)]).output
    assert "llm m" in shown
    assert (
        json.loads(CliRunner().invoke(main, ["status", str(run.folder), "--json"]).stdout)["prompts"][1]["prompts"] == 6
    )


def test_run__paid_prompts_are_kept_and_more_of_them_cost_no_pictures(tmp_path: Path, drawn: tuple[str, ...]) -> None:
    with FakeEndpoint() as endpoint:
        for each in (2, 4):
            texts = loaded(drawn, {"kind": "grammar", "count": 3}, llm(endpoint.url, per_category=each))
            run = Run(tmp_path / "run", load_config("quickstart", texts))
            run_pipeline(run, until="prompts", redo="prompts" if each == 4 else None)
    assert endpoint.asked == dict.fromkeys(("apple", "banana", "cup"), 4)
    run_pipeline(run, until="gen")
    assert Counter({key: n for key, n in pictures(run).items() if key[1] == "llm"}).total() == 15
    assert pictures(run).total() == 24


def test_run__a_refused_category_has_the_other_sources_prompts(
    tmp_path: Path, drawn: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    refusal = {"choices": [{"message": {"content": None, "refusal": "Not cups."}}], "usage": {"prompt_tokens": 1}}
    with FakeEndpoint(reply=lambda name, *_: (200, refusal) if name == "cup" else None) as endpoint:
        both = loaded(drawn, {"kind": "template"}, llm(endpoint.url))
        run = Run(tmp_path / "run", load_config("quickstart", both))
        run_pipeline(run, until="prompts")
        assert prompts_status(run)[1].shortfalls == {"cup": "0 of 6: refused: Not cups."}
        assert "cup: 0 of 6: refused: Not cups." in capsys.readouterr().err
        alone = Run(tmp_path / "alone", load_config("quickstart", loaded(drawn, llm(endpoint.url))))
        with pytest.raises(ConfigError, match=r"1 of 3 categories have none: cup \(0 of 6: refused: Not cups.\)"):
            run_pipeline(alone, until="prompts")


def test_run__what_a_source_could_not_give_shows_in_the_status_although_others_cover(
    tmp_path: Path, drawn: tuple[str, ...]
) -> None:
    refusal = {"choices": [{"message": {"content": None, "refusal": "Not cups."}}], "usage": {"prompt_tokens": 1}}
    with FakeEndpoint(reply=lambda name, *_: (200, refusal) if name == "cup" else None) as endpoint:
        config = load_config("quickstart", loaded(drawn, {"kind": "template"}, llm(endpoint.url), count=2))
        (tmp_path / "run.yaml").write_text(dump_config(config))
        arguments = ["run", str(tmp_path / "run.yaml"), "--out", str(tmp_path / "run"), "--until", "gen"]
        first, again = (CliRunner().invoke(main, arguments) for _ in range(2))
    assert pictures(Run(tmp_path / "run")).total() == 6  # the template covers the cups
    for answer in (first, again):  # a run that goes on has the same status, and counts the loss once
        assert answer.exit_code == 3, answer.output
        assert answer.output.count("llm m: 0 of 6: refused: Not cups.") == 1
    assert "llm m, cup: 0 of 6" in CliRunner().invoke(main, ["status", str(tmp_path / "run")]).output


def test_describe_plan__says_what_prompts_cost_and_asks_nothing(tmp_path: Path, drawn: tuple[str, ...]) -> None:
    with FakeEndpoint() as endpoint:
        texts = loaded(drawn, {"kind": "template"}, llm(endpoint.url, max_cost=2))
        said = describe_plan(Run(tmp_path / "run", load_config("quickstart", texts)))
    assert endpoint.bodies == []
    assert "24 pictures of 3 categories" in said
    assert "prompts by llm m: 18 prompts of m for 3 categories: at least 3 requests" in said
    assert "at most 2 with what" in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("sources", "said"),
    [
        ([{"kind": "llm"}], "model"),
        ([{"kind": "llm", "model": "m", "max_cost": 1}], "price_in"),
        ([{"kind": "grammar", "share": 2}], "share"),
        ([{"kind": "poem"}], "poem"),
        ([], "prompts"),
    ],
)
def test_config__a_wrong_source_is_named(sources: list[dict[str, object]], said: str, drawn: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError, match=said):
        load_config("quickstart", loaded(drawn, *sources))
