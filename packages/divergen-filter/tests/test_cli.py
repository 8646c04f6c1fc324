from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from divergen_filter import config
from divergen_filter.cli import main


@pytest.fixture
def call(monkeypatch, embedder):
    monkeypatch.setattr(config, "build_embedder", lambda kind: embedder)

    def run(*arguments, status=0):
        result = CliRunner().invoke(main, [str(argument) for argument in arguments])
        assert result.exit_code == status, result.output
        return result.output

    return run


def test_cli__from_real_crops_to_an_explanation(call, dataset, table, tmp_path):
    out = tmp_path / "references.npz"
    real = ("embed-real", dataset.path, "--images", dataset.image_dir, "--out", out)
    assert "6 real crops of 3 categories" in call(*real, "--fill", "black")
    assert "is there already" in call(*real, status=2)
    assert "score: 5 done" in call("score", table.path, "--references", out)
    assert "kept 4 of 5" in call("decide", table.path, "--references", out)
    rules = tmp_path / "rules.json"
    rules.write_text(json.dumps({"rules": [{"score": "area_fraction", "op": ">", "threshold": 0.9}]}))
    assert "kept 0 of 5" in call("decide", table.path, "--rules", rules, "--again")
    assert "wrong-category" in call("calibrate", "--references", out)
    wrong = next(row.id for row in table.records() if row.prompt == "3")
    assert "FAIL  inter_similarity" in call("explain", table.path, wrong, "--references", out)
    assert "no row 'nobody'" in call("explain", table.path, "nobody", "--references", out, status=2)


def test_cli__missing_file_is_one_sentence(call, tmp_path):
    assert call("calibrate", "--references", tmp_path / "none.npz", status=2).startswith("Error: ")
