from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from divergen_filter import config
from divergen_filter.cli import main


@pytest.fixture
def call(monkeypatch, embedder):
    monkeypatch.setattr(config, "build_embedder", lambda kind, settings=(): embedder)

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
    assert "kept 0 of 5" in call("decide", table.path, "--rules", rules)
    assert "wrong-category" in call("calibrate", "--references", out)
    wrong = next(row.id for row in table.records() if row.prompt == "3")
    assert "FAIL  rival_share" in call("explain", table.path, wrong, "--references", out)
    assert "no row 'nobody'" in call("explain", table.path, "nobody", "--references", out, status=2)


def test_cli__no_real_crop_is_left(call, dataset, tmp_path):
    real = ("embed-real", dataset.path, "--images", dataset.image_dir, "--out", tmp_path / "r.npz")
    assert "no instance is left to compare with" in call(*real, "--min-area", 10**6, status=1)


def test_cli__further_scores(call, dataset, table, tmp_path):
    out = tmp_path / "references.npz"
    call("embed-real", dataset.path, "--images", dataset.image_dir, "--out", out)
    call("score", table.path, "--references", out)
    lines = call("score", table.path, "--references", out, "--score", "all")
    assert "max_similarity: 5 done" in lines and "basics: 5 done" in lines and "mahalanobis: left out" in lines
    assert "all equal" in call("score", table.path, "--references", out, "--score", "mahalanobis", status=2)
    assert "there is no score 'beauty'" in call("score", table.path, "--references", out, "--score", "beauty", status=2)
    assert "has no texts" in call("score", table.path, "--references", out, "--score", "clip_score", status=2)
    row = next(row for row in table.records() if row.prompt == "3")
    assert row.rival_category_id == 2 and row.rival_margin < 0 and row.nearest_generated < 0.9
    assert row.max_similarity is not None and "mahalanobis" not in row.model_extra and row.sharpness is not None
    rules = tmp_path / "rules.json"
    rules.write_text(json.dumps({"rules": [{"score": "rival_margin", "op": ">=", "threshold": 0}]}))
    assert "kept 4 of 5" in call("decide", table.path, "--rules", rules)


def test_cli__says_who_writes_what_is_lacking(call, table):
    table.clear(["area_fraction"])
    lines = call("decide", table.path, "--rules", write_rules(table.path.parent, "area_fraction", "sharpness"))
    assert "not ready: 5 without area_fraction; an annotator writes it" in lines
    assert "not ready: 5 without sharpness; divergen-filter score writes it" in lines


def write_rules(folder, *scores):
    path = folder / "rules.json"
    path.write_text(json.dumps({"rules": [{"score": score, "op": ">", "threshold": 0.1} for score in scores]}))
    return path


def test_cli__references_of_another_model(call, table, references, tmp_path):
    references.save(tmp_path / "references.npz")
    message = call("score", table.path, "--references", tmp_path / "references.npz", status=2)
    assert "is of fake, this embedder is colour-histogram/4" in message
    assert table.count("embedder IS NOT NULL") == 0


def test_cli__missing_file_is_one_sentence(call, tmp_path):
    assert call("calibrate", "--references", tmp_path / "none.npz", status=2).startswith("Error: ")
