"""What is outside of the house: the operating system, damaged files, foreign text."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from html.parser import HTMLParser
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from divergen.config import RunConfig
from divergen.evidence.outcomes import Outcome
from divergen.evidence.plot import ablation_plot
from divergen.loading import load_config
from divergen.run import Run
from divergen.status import run_status
from divergen_records import ConfigError, DatasetError
from divergen_records.pages import page_end, page_start, template
from pydantic import ValidationError

HOSTILE = [
    "<script>alert(1)</script>",
    "</style><script>x</script>",
    "\"' onerror='x",
    "javascript:alert(1)",
    "{{ 7*7 }}",
]


def call(command: str, *words: object) -> Any:
    main = import_module(f"{command.replace('-', '_')}.cli").main
    return CliRunner().invoke(main, list(map(str, words)))


def sentence(done: Any) -> str:
    """The one line that a refusal is."""
    assert done.exit_code == 2, (done.output, done.exception)
    lines = done.output.strip().splitlines()
    assert lines[-1].startswith("Error: "), done.output
    return lines[-1]


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("divergen-prompts", ("template", "--categories", "names.txt", "--out")),
        ("divergen-paste", ("stats", "coco.json", "--out")),
        ("divergen-records", ("convert", "coco.json", "--format", "coco")),
        (
            "divergen-minilvis",
            ("make", "--train-images", 10, "--val-images", 10, "--size", 64, "--out"),
        ),
    ],
)
@pytest.mark.parametrize(
    ("out", "words_of_it"),
    [("file/x.json", "no folder"), ("a" * 300, "too long"), ("/proc/x/x.json", "/proc/x"), ("closed/x.json", "")],
)
def test_system_errors__are_sentences(
    command: str, words: tuple[object, ...], out: str, words_of_it: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "names.txt").write_text("cup\n")
    (tmp_path / "file").write_text("")
    (tmp_path / "images").mkdir()
    (tmp_path / "coco.json").write_text(json.dumps({"images": [], "annotations": [], "categories": []}))
    (tmp_path / "closed").mkdir(mode=0o500)
    if out.startswith("closed") and os.access(tmp_path / "closed", os.W_OK):
        pytest.skip("root may write anywhere")
    words = ("convert", "coco.json", out, "--format", "coco") if "convert" in words else (*words, out)
    done = call(command, *words)
    assert words_of_it in sentence(done)
    assert not [path.name for path in tmp_path.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("damage", ["", "{", "[1]", '{"frequencies": 3}'])
def test_run_status__a_damaged_plan_is_a_sentence(coco100: Path, tmp_path: Path, damage: str) -> None:
    run = Run(tmp_path, load_config("coco100", [f"data={coco100}"]))
    (tmp_path / "plan.json").write_text(damage)
    with pytest.raises(DatasetError, match=r"plan\.json: damaged .*run the same line again"):
        run_status(run)


@pytest.mark.parametrize(
    "damage", ["", "{", "null", '{"seconds": {}}', '{"number": "x"}', '{"lost": [1]}', '{"lost": 2}']
)
def test_note__a_damaged_one_says_how_it_is_made_again(coco100: Path, tmp_path: Path, damage: str) -> None:
    run = Run(tmp_path, load_config("coco100", [f"data={coco100}"]))
    run.write_note("bake", {"seconds": 1.0})
    (tmp_path / "steps" / "bake.json").write_text(damage)
    with pytest.raises(DatasetError, match=r"bake\.json: damaged .*--redo bake"):
        run.note("bake")


@pytest.mark.parametrize("damage", [b"", b"data: [", b"name: x\n", b"name: \xff\n"])
def test_run__a_damaged_config_says_how_it_is_made_again(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / "config.yaml").write_bytes(damage)
    with pytest.raises(ConfigError, match=r"config\.yaml.*divergen run CONFIG --out"):
        Run(tmp_path)


@pytest.mark.parametrize("name", ["../../x", "a/b", "..", ".hidden", "", "a\\b", "x" * 300])
def test_run_config__a_name_stays_in_its_folder(name: str, coco100: Path) -> None:
    values = load_config("coco100", [f"data={coco100}"]).model_dump()
    with pytest.raises(ValidationError, match="plain name"):
        RunConfig.model_validate({**values, "name": name})


def test_locale__a_shipped_config_loads_without_utf8(coco100: Path) -> None:
    code = f"from divergen.loading import load_config; print(load_config('coco100', ['data={coco100}']).name)"
    environment = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "coco100"), done.stderr


def test_figures__a_name_with_two_dollars_is_no_formula() -> None:
    metrics = {name: {0: 0.1} for name in ("mask AP", "mask APr")}
    outcome = object.__new__(Outcome)
    for key, value in {"arm": r"$\bad{ 5$", "values": metrics}.items():
        object.__setattr__(outcome, key, value)
    assert ablation_plot("is $5 or $6$ better?", [outcome]).startswith(b"\x89PNG")


class _Reader(HTMLParser):
    """Notes what a browser would run."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        hostile = [key for key, value in attrs if key.startswith("on") or (value or "").startswith("javascript:")]
        if tag == "script" or hostile:
            self.found.append(f"{tag} {hostile}")


def runs(page: str) -> list[str]:
    reader = _Reader()
    reader.feed(page)
    return reader.found


def test_reader__sees_what_it_looks_for() -> None:
    assert runs("<script>x</script><img onerror=x>")


@pytest.mark.parametrize("text", HOSTILE)
def test_pages__foreign_text_runs_nothing(text: str, tmp_path: Path) -> None:
    from divergen_annotate.preview import PreviewWriter
    from divergen_filter.charts import bars, histogram, scatter

    mask = np.zeros((8, 8), bool)
    mask[2:5, 2:5] = True
    with PreviewWriter(tmp_path / "page.html") as page:
        page.add(text, lambda: np.zeros((8, 8, 3), np.uint8), [mask], text)
    charts = [
        bars([(text, 1, 2)]),
        histogram(text, {"kept": np.array([0.1, 0.2])}),
        scatter(np.zeros((3, 2)), ["kept"] * 3, [text] * 3),
    ]
    pages = [(tmp_path / "page.html").read_text(), *(page_start(text, "") + chart + page_end() for chart in charts)]
    pages.append(template('<a href="{{ x }}">{{ x }}</a>').render(x=f"./{text}"))
    for found in pages:
        assert runs(found) == []
        assert ">49" not in found
    assert all("Content-Security-Policy" in found for found in pages[:-1])
