from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from divergen_prompts.files import read_prompts
from divergen_prompts.testing import FakeEndpoint

Run = Callable[..., Result]


@pytest.fixture
def names(tmp_path: Path) -> Path:
    path = tmp_path / "names.txt"
    path.write_text("cup: a small open container\nchair\nbow: a weapon for shooting arrows\n")
    return path


def test_template_and_grammar_and_measure(run: Run, names: Path, tmp_path: Path) -> None:
    few, many, figures = tmp_path / "t.jsonl", tmp_path / "g.jsonl", tmp_path / "f.json"
    made = run("template", "--categories", names, "--template", "divergen", "--out", few)
    assert (made.exit_code, made.stdout) == (0, f"3 prompts in {few}\n")
    made = run("grammar", "--categories", names, "--per-category", 32, "--seed", 3, "--out", many)
    assert (made.exit_code, made.stdout) == (0, f"96 prompts in {many}\n")
    measured = run("measure", few, many, "--out", figures, "--worst", 2)
    assert measured.exit_code == 0, measured.output
    assert "32 pictures per category" in measured.output
    assert "least diverse" in measured.output
    table = json.loads(figures.read_text())
    for part in ("mean", "overall"):
        one, other = table["t"][part], table["g"][part]
        assert other["vendi_score"] > one["vendi_score"]
        assert other["self_bleu"] < one["self_bleu"]
        assert other["attribute_coverage"] > one["attribute_coverage"]


def test_grammar__same_seed_same_bytes(run: Run, names: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        run("grammar", "--categories", names, "--per-category", 8, "--out", tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_commands__never_overwrite_unasked(run: Run, names: Path, tmp_path: Path) -> None:
    out = tmp_path / "p.jsonl"
    out.write_text("mine")
    for command in ("template", "grammar"):
        result = run(command, "--categories", names, "--out", out)
        assert result.exit_code == 2
        assert "--overwrite" in result.output
    assert out.read_text() == "mine"
    assert run("template", "--categories", names, "--out", out, "--overwrite").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("grammar", "--categories", "nowhere.json", "--out", "x"), "nowhere.json: cannot be read"),
        (("template", "--categories", "{names}", "--template", "a {{nmae}}", "--out", "{out}"), "unknown field 'nmae'"),
        (("grammar", "--categories", "{names}", "--per-category", "0", "--out", "{out}"), "at least 1"),
        (("measure", "nowhere.jsonl"), "cannot be read"),
        (("measure", "{names}"), "line 1"),
    ],
)
def test_commands__errors_are_one_sentence(
    run: Run, names: Path, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    result = run(*(argument.format(names=names, out=tmp_path / "x.jsonl") for argument in arguments))
    assert result.exit_code == 2
    assert said in result.output
    assert "Traceback" not in result.output


def test_check__lists_filters_and_ends_with_status_1(run: Run, names: Path, tmp_path: Path) -> None:
    out, good = tmp_path / "p.jsonl", tmp_path / "good.jsonl"
    run("grammar", "--categories", names, "--per-category", 4, "--out", out)
    assert run("check", out, "--categories", names).exit_code == 0
    line = {"text": "two cups and a chair", "category_id": 1, "category": "cup", "source": "me"}
    with out.open("a") as file:
        file.write(json.dumps(line) + "\n")
    result = run("check", out, "--categories", names, "--background", "white background", "--out", good)
    assert result.exit_code == 1
    assert "prompt 13 (cup): more than one object ('two cups'); does not ask for 'white background'" in result.output
    assert "lengths are estimated" in result.output
    assert len(read_prompts(good)) == 12


@pytest.mark.usefixtures("nltk_leaves_files_open")
def test_expand__with_a_report(run: Run, wordnet: Path, tmp_path: Path) -> None:
    pytest.importorskip("nltk")
    (tmp_path / "base.txt").write_text("dog\n")
    (tmp_path / "more.txt").write_text("bird\nchair\nzorblax\n")
    result = run(
        *("expand", "--base", tmp_path / "base.txt", "--candidates", tmp_path / "more.txt"),
        *("--wordnet", wordnet, "--threshold", 0.3, "--out", tmp_path / "e.json", "--report", tmp_path / "why.csv"),
    )
    assert result.exit_code == 0, result.output
    (chair,) = json.loads((tmp_path / "e.json").read_text())
    assert (chair["id"], chair["name"]) == (2, "chair")
    with (tmp_path / "why.csv").open() as file:
        assert [row["taken"] for row in csv.DictReader(file)] == ["0", "1", "0"]


def test_llm__dry_run_then_run_then_nothing_left(run: Run, names: Path, tmp_path: Path) -> None:
    pytest.importorskip("openai")
    out = tmp_path / "p.jsonl"
    with FakeEndpoint() as endpoint:
        arguments = ("llm", "--categories", names, "--model", "m", "--base-url", endpoint.url, "--per-category", 8)
        arguments += ("--price-in", 1, "--price-out", 2, "--out", out)
        dry = run(*arguments, "--dry-run")
        assert "24 prompts for 3 categories: at least 3 requests" in dry.output
        assert not endpoint.bodies
        assert not out.exists()
        done = run(*arguments, "--max-cost", 5)
        assert done.exit_code == 0, done.output
        assert "24 new prompts, 24 in" in done.output
        again = run(*arguments)
        assert "0 new prompts, 24 in" in again.output
        assert sum(endpoint.asked.values()) == 24


def test_llm__shortfall_is_status_1_and_named(run: Run, names: Path, tmp_path: Path) -> None:
    pytest.importorskip("openai")
    with FakeEndpoint(faulty=1, faults=["foreign"]) as endpoint:
        arguments = ("llm", "--categories", names, "--model", "m", "--base-url", endpoint.url, "--patience", 2)
        result = run(*arguments, "--out", tmp_path / "p.jsonl")
    assert result.exit_code == 1
    assert "requests in a row gave no prompt (nothing new in the answers: not English" in result.output


def test_llm__limit_without_prices(run: Run, names: Path, tmp_path: Path) -> None:
    result = run("llm", "--categories", names, "--model", "m", "--max-cost", 1, "--out", tmp_path / "p.jsonl")
    assert result.exit_code == 2
    assert "--price-in" in result.output


def test_measure__names_are_text_and_no_markup(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    row = '{"text":"a cup","category_id":%d,"category":"%s","source":"x"}\n'
    file = tmp_path / "[red]p.jsonl"
    file.write_text("".join(row % one for one in enumerate(["[/nope]", "[red]cup", ":cup:", "\\u001b[2Jcup"], 1)))
    done = run("measure", str(file), "--worst", "4")
    assert all(name in done.output for name in ("[red]p", "[/nope]", "[red]cup", ":cup:", "\\x1b[2Jcup"))
