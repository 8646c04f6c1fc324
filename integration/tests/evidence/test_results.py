from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from divergen.cli import main
from divergen.config import RunConfig
from divergen.evidence.ablation import Ablation, load_ablation
from divergen.evidence.explained import find_explanation
from divergen.evidence.outcomes import CONTROL
from divergen.evidence.results import read_ablations, results_page, shared_note, shipped_findings
from divergen.loading import load_config
from divergen_records import ConfigError
from divergen_records.settings import apply_settings


def saved(folder: Path, name: str, pairs: list[tuple[str, str, float, float, int]], **changes: Any) -> Path:
    """An ablation's file as it is written, of (second, first, points, half width, seeds)."""
    rows = [
        {
            "first": first,
            "second": second,
            "metric": metric,
            "seeds": list(range(seeds)),
            "difference": points / 100,
            "paired": half / 100 if seeds > 1 else None,
            "unpaired": half / 100 if seeds > 1 else None,
            "images": [(points - half) / 100, (points + half) / 100],
            "verdict": "not told apart" if abs(points) <= half or seeds < 2 else "better" if points > 0 else "worse",
        }
        for second, first, points, half, seeds in pairs
        for metric in ("mask AP", "mask APr")
    ]
    arms = sorted({name for pair in pairs for name in pair[:2]})
    content = {
        "name": name,
        "question": f"What of {name}?",
        "base": "quickstart",
        "overrides": ["train={preset: quickstart, iterations: 9}", "data.box=modes"],
        "arms": [{"arm": arm, "values": {"mask AP": {"0": 0.1, "1": 0.2}}} for arm in arms],
        "comparisons": rows,
        "plan": {"resolution": 0.005, "spread": 0.01, "freedom": 3, "seeds": 2, "smallest": 0.031, "needed": 34,
                 "hours": 0.2},
        "cost": {"wall": 7200, "cpu": 3600},
        **changes,
    }  # fmt: skip
    (folder / name).mkdir(parents=True)
    (folder / name / "ablation.json").write_text(json.dumps(content))
    return folder / name


def test_shipped_findings__arms_are_those_of_the_shipped_ablations() -> None:
    for finding in shipped_findings():
        assert bool(finding.ablation) != bool(finding.explained), finding.finding
        if finding.ablation:
            arms = {*load_ablation(finding.ablation).arms, CONTROL}
            assert {finding.better, finding.than} <= arms, finding.finding


def test_shipped_findings__what_settles_them_on_lvis_is_an_ablation(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "annotations.json").write_text("{}")
    for finding in shipped_findings():
        if finding.lvis:
            ablation = Ablation.model_validate({"question": finding.claim, "base": "divergen-lvis", **finding.lvis})
            base = load_config(ablation.base, [f"data={tmp_path}"]).model_dump(mode="json")
            for changes in ablation.arms.values():
                apply_settings(RunConfig, base, [f"{k}={json.dumps(v)}" for k, v in changes.items()], where="arm")


def test_results__each_finding_as_it_came_out(tmp_path: Path) -> None:
    saved(tmp_path, "models", [("three models", "one model", 1.2, 0.4, 8)])
    (tmp_path / "models" / "note.md").write_text("On a box that has changed since.\n")
    (tmp_path / "note.md").write_text("All of it on two cores.\n")
    saved(tmp_path, "prompts", [("32 prompts", "1 prompt (template)", -1.0, 0.4, 8)])
    saved(tmp_path, "scale", [("100 %", "10 %", 0.3, 0.4, 3)])
    saved(tmp_path, "copy-paste", [("generated", "copy-paste", 3.0, 0.1, 1)])
    saved(tmp_path, "mine", [("b", "a", 0.1, 0.4, 3)])
    out = tmp_path / "results.md"
    run = CliRunner().invoke(main, ["results", str(tmp_path), "--out", str(out)])
    assert run.exit_code == 0, run.output
    page = out.read_text()
    rows = {line.split("<br>")[0].strip("| "): line for line in page.splitlines() if line.startswith("| ")}
    assert "| **shown** | +1.2 ± 0.4 (unpaired 0.4) [+0.8, +1.6] |" in rows["Model diversity"]
    assert "| **not shown**: worse |" in rows["Prompt diversity"]
    assert "| not told apart |" in rows["Scale"]
    not_run = next(line for line in page.splitlines() if line.startswith("**Not run**: "))
    assert not {"The control", "Category diversity", "Energy"} & rows.keys()
    assert "`copy-paste` (The control; " in not_run, "one seed shows nothing"
    assert "`categories` (Category diversity), " in not_run
    assert "`divergen explain` (Energy; " in not_run
    asked = "$ divergen ablate models --arm 'one model' --arm 'three models' --seeds 2 --out models"
    assert f"{asked} 'train={{preset: quickstart, iterations: 9}}' data.box=modes\n" in page
    assert "1.0 CPU hours" in page
    assert "b over a: +0.1 ± 0.4 (unpaired 0.4) [-0.3, +0.5], not told apart" in page, "one of the user's own"
    assert page.index("All of it on two cores.") < page.index("| finding |")
    assert "\n\nOn a box that has changed since.\n\n| arm |" in page
    assert str(tmp_path) not in page
    assert out.with_suffix(".png").name in page
    assert out.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
    again = CliRunner().invoke(main, ["results", str(tmp_path), "--out", str(out)])
    assert again.exit_code == 2
    assert "is there already" in again.output


def test_results__the_page_of_the_docs_is_made_of_the_files_beside_it() -> None:
    docs = Path(__file__).parents[3] / "docs"
    folders, line = [docs / "evidence"], "divergen results evidence --out results.md"
    explanation, note = find_explanation(folders), shared_note(folders)
    page = results_page(read_ablations(folders), shipped_findings(), line, "results.png", explanation, note)
    assert page == (docs / "results.md").read_text(encoding="utf-8")


def test_saved__the_command_names_a_base_that_is_not_its_own(tmp_path: Path) -> None:
    pairs = [("two models", "one model", 1.0, 0.4, 8), ("three models", "one model", 1.0, 0.4, 8)]
    (ablation,) = read_ablations([saved(tmp_path, "models", pairs, base="proof", overrides=[])])
    assert ablation.command == "divergen ablate models --base proof --seeds 2 --out models"


def test_saved__the_command_of_ones_own_ablation_names_its_file_and_is_quoted(tmp_path: Path) -> None:
    settings = ["rules.rules.0.op=>=", "data=my photos"]
    (ablation,) = read_ablations([saved(tmp_path, "a&b", [("b", "a", 1.0, 0.4, 8)], overrides=settings)])
    told = ["a&b.yaml", "--seeds", "2", "--out", "a&b", *settings]
    assert shlex.split(ablation.command) == ["divergen", "ablate", *told]
    assert "&" not in ablation.command.replace("'a&b", "")


def test_saved__a_comparison_may_be_asked_the_other_way_round(tmp_path: Path) -> None:
    (ablation,) = read_ablations([saved(tmp_path, "filter", [("b", "a", 1.5, 1.0, 3)])])
    there, back = ablation.compared("a", "b", "mask AP"), ablation.compared("b", "a", "mask AP")
    assert there is not None
    assert back is not None
    assert (there["difference"], there["verdict"]) == (0.015, "better")
    assert (back["first"], back["second"], back["difference"], back["verdict"]) == ("b", "a", -0.015, "worse")
    assert back["images"] == [-number for number in reversed(there["images"])]
    assert ablation.compared("a", "c", "mask AP") is None


def test_results_page__whatever_is_not_run_is_named() -> None:
    page = results_page([], shipped_findings(), "divergen results .")
    (line,) = re.findall(r"^\*\*Not run\*\*: .*$", page, flags=re.M)
    named = re.findall(r"[^;()]+", "".join(re.findall(r"\(([^)]+\))", line)))
    assert len(named) == len(shipped_findings())
    assert "| finding |" not in page


@pytest.mark.parametrize(
    ("content", "said"),
    [("{", "damaged|not JSON|ablation.json"), ('{"question": "q", "arms": []}', "written by an older release")],
)
def test_read_ablations__what_cannot_be_read(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "ablation.json").write_text(content)
    with pytest.raises(Exception, match=said):
        read_ablations([tmp_path])


def test_read_ablations__nothing_there_or_twice(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"holds no ablation\.json"):
        read_ablations([tmp_path])
    folders = [saved(tmp_path / place, "models", []) for place in ("a", "b")]
    with pytest.raises(ConfigError, match="both hold the ablation 'models'"):
        read_ablations(folders)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"plan": {"seeds": 2}}, "plan.smallest: Field required"),
        ({"cost": {"wall": "x", "cpu": 1.0}}, "cost.wall"),
        ({"arms": [{"arm": "a"}]}, "arms.0.values"),
        ({"comparisons": [3]}, "comparisons.0"),
        ({"comparisons": [{"verdict": "great"}]}, "comparisons.0.*"),
    ],
)
def test_read_ablations__what_is_not_one_is_named(tmp_path: Path, changes: dict[str, Any], says: str) -> None:
    saved(tmp_path, "models", [], **changes)
    with pytest.raises(ConfigError, match=rf"ablation\.json: {says}.*run the ablation again"):
        read_ablations([tmp_path])
