from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from divergen.cli import main
from divergen.evidence.explained import explained_cells, find_explanation
from divergen.evidence.explanation import Explanation, explain
from divergen.evidence.results import results_page, shipped_findings
from divergen.loading import load_config
from divergen.run import Run
from divergen.runner import run_pipeline
from divergen_records import ConfigError

TINY = (
    "data={kind: minilvis, train_images: 12, val_images: 10, size: 64, categories: [apple, cup]}",
    "train.warmup=1",
    "train.iterations=2",
    "train.image_size=64",
    "prompts.per_category=2",
    "generators=[{kind: procedural, name: a, size: 64}]",
    "rules={rules: []}",
)

MEASURED = Explanation(
    runs=("a", "b", "c"),
    gaps={
        "real": {"AP": (0.30, 0.32, 0.31), "APr": (0.5, None, 0.6)},
        "copy-paste": {"AP": (0.25, 0.28, 0.26), "APr": (0.4, None, 0.5)},
        "generated": {"AP": (0.24, 0.28, 0.28), "APr": (0.3, None, 0.3)},
    },
    energies={"validation": (0.1, 0.2, 0.1), "copy-paste": (0.3, 0.4, 0.3), "generated": (0.9, 1.1, 0.9)},
)


@pytest.mark.parametrize(
    ("kind", "ours", "theirs", "said"),
    [
        ("gap", "generated", "real", ("**shown**", "-4.3 ± 3.8 TVG", "-25.0 ± 63.5 TVGr", 3)),
        ("gap", "real", "generated", ("**not shown**: the other way round", "+4.3 ± 3.8 TVG", "+25.0 ± 63.5 TVGr", 3)),
        ("gap", "generated", "copy-paste", ("not told apart", "+0.3 ± 3.8 TVG", "-15.0 ± 63.5 TVGr", 3)),
        ("energy", "generated", "copy-paste", ("**shown**", "+0.63 ± 0.14 σ", "–", 3)),
        ("energy", "both", "copy-paste", ("not run", "–", "–", 0)),
    ],
)
def test_explained_cells(kind: str, ours: str, theirs: str, said: tuple[str, ...]) -> None:
    assert explained_cells(MEASURED, kind, ours, theirs) == said


def test_explained_cells__one_run_shows_nothing() -> None:
    one = Explanation(runs=("a",), gaps={"real": {"AP": (0.3,)}, "generated": {"AP": (0.1,)}}, energies={})
    assert explained_cells(one, "gap", "generated", "real") == ("not run", "-20.0 TVG", "–", 1)


def test_results__an_explanation_has_its_rows_and_its_section(tmp_path: Path) -> None:
    (tmp_path / "explanation.json").write_text(MEASURED.model_dump_json())
    out = tmp_path / "results.md"
    result = CliRunner().invoke(main, ["results", str(tmp_path), "--out", str(out)])
    assert result.exit_code == 0, result.output
    page = out.read_text()
    assert "generated over real (`divergen explain`) | **shown** | -4.3 ± 3.8 TVG |" in page
    assert "$ divergen explain a b c --out explanation.json" in page
    assert "divergen explain" in results_page([], shipped_findings(), "divergen results .")
    (tmp_path / "explanation.json").write_text("{}")
    with pytest.raises(ConfigError, match="is not what `divergen explain --out` writes"):
        find_explanation([tmp_path])


def test_explain__a_trained_run(tmp_path: Path) -> None:
    run = Run(tmp_path / "run", load_config("quickstart", TINY))
    with pytest.raises(ConfigError, match="has not trained on real images alone"):
        explain([run])
    run_pipeline(run, until="train")
    out = tmp_path / "why.json"
    result = CliRunner().invoke(main, ["explain", str(run.folder), "--out", str(out), "--limit", "4", "--json"])
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert [*told["gaps"]] == ["real", "copy-paste", "generated"]
    assert [*told["energies"]] == ["validation", "copy-paste", "generated"]
    assert Explanation.model_validate_json(out.read_text()).gaps == find_gaps(told)
    assert (run.training("generated") / "train_metrics.json").exists()


def test_explain__runs_that_are_no_repetitions(tmp_path: Path) -> None:
    one, other = (Run(tmp_path / name, load_config("quickstart", ["seed=1"])) for name in "ab")
    with pytest.raises(ConfigError, match=r"a and .*b have the same seed, 1"):
        explain([one, other])
    longer = Run(tmp_path / "c", load_config("quickstart", ["seed=2", "prompts.per_category=2"]))
    with pytest.raises(ConfigError, match=r"c: has other settings than .*a; give runs that differ in the seed alone"):
        explain([one, longer])


def find_gaps(told: dict) -> dict:
    return {name: {group: tuple(values) for group, values in gaps.items()} for name, gaps in told["gaps"].items()}
