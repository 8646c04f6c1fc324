from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from divergen_records.errors import ConfigError
from divergen_train.analysis.curve import learning_curves
from divergen_train.cli import main


def log(rare: list[float | None], frequent: list[float]) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = [{"iteration": 5, "loss": 1.0}]
    for place, (r, f) in enumerate(zip(rare, frequent, strict=True), start=1):
        scores = {"AP": f, "APr": r, "APc": f, "APf": f}
        lines.append({"iteration": 100 * place, "metrics": {"mask": scores, "box": scores}})
    return lines


def test_learning_curves__frequent_converged_rare_still_learns() -> None:
    (curve,) = learning_curves({"a": log([0.0, 0.01, 0.02, 0.03], [0.1, 0.2, 0.205, 0.209])}).curves
    assert curve.iterations == (100, 200, 300, 400)
    assert (curve.verdict("APr"), curve.verdict("APf")) == ("still learns", "converged")
    assert curve.late["APr"] == pytest.approx(0.02)


def test_learning_curves__one_evaluation_is_no_curve() -> None:
    with pytest.raises(ConfigError, match=r"a: the log has 1 evaluations.*eval_every"):
        learning_curves({"a": log([0.1], [0.1])})


def test_curve__command(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in log([None, None], [0.1, 0.2])))
    run = CliRunner().invoke(main, ["analyse", "curve", f"a={path}", "--out", str(tmp_path / "curve")])
    assert run.exit_code == 0, run.output
    assert "2nd half" in run.output
    assert [path.suffix for path in sorted(tmp_path.glob("curve.*"))] == [".json", ".png", ".svg"]
