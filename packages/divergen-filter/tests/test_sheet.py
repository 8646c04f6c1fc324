from __future__ import annotations

import re

import numpy as np
import pytest
from divergen_filter import EmbedStage, ScoreStage, decide_table, reference_embeddings, write_sheet
from divergen_filter.charts import bars, histogram, scatter
from divergen_filter.projection import project
from divergen_filter.rules import Rule, RulesConfig
from divergen_records import ConfigError, ExistsError, MissingExtra, fill

RULES = RulesConfig(rules=(Rule(score="inter_similarity", op=">=", threshold=0.5),))


@pytest.fixture
def decided(table, dataset, embedder):
    references = reference_embeddings(dataset, embedder, progress=False)
    for stage in (EmbedStage(embedder), ScoreStage(references)):
        fill(table, stage, progress=False)
    decide_table(table, RULES)
    return table, references


def test_write_sheet__stands_alone_and_shows_every_category(decided, tmp_path):
    table, references = decided
    page = tmp_path / "out" / "sheet.html"
    write_sheet(table, page, references=references, rules=RULES)
    text = page.read_text()
    assert "4 kept of 5" in text and "thing_1: 1 of 2 kept" in text and "thing_9: 1 of 1 kept" in text
    assert not re.search(r'(src|href)="(?!data:)', text)
    assert text.count("data:image/jpeg") == 5
    assert text.count("<circle") == 5 + 6
    assert "inter_similarity 0." in text
    with pytest.raises(ExistsError, match="is there already"):
        write_sheet(table, page)


def test_write_sheet__best_borderline_and_worst(decided, tmp_path):
    table, _ = decided
    first = next(table.records("category = 'thing_1'"))
    for number, similarity in enumerate([0.51, 0.9, 0.2, 0.95, 0.1]):
        changes = {"id": f"{number:032x}", "inter_similarity": similarity, "kept": similarity >= 0.5}
        table.append([first.model_copy(update=changes)])
    write_sheet(table, tmp_path / "sheet.html", rules=RULES, categories=["thing_1"], each=1)
    text = (tmp_path / "sheet.html").read_text()
    strips = dict(re.findall(r'class="strip"><b>(\w+)</b><div class="thumb \w+" title="(\w+)"', text))
    assert strips.keys() == {"best", "borderline", "worst"}
    order = [strips[name] for name in ("best", "borderline", "worst")]
    values = table.take(order, ["inter_similarity"])["inter_similarity"].to_numpy().round(2)
    assert values[0] >= 0.95 and values[1] == np.float32(0.51) and values[2] <= np.float32(0.1)
    assert "thing_2:" not in text


def test_write_sheet__a_category_without_real_crops_has_no_middle(decided, tmp_path):
    rules = RulesConfig(rules=(Rule(score="area_fraction", op=">=", threshold=0.01),))
    write_sheet(decided[0], tmp_path / "sheet.html", rules=rules, each=1)
    assert "thing_9: 1 of 1 kept" in (tmp_path / "sheet.html").read_text()


def test_write_sheet__says_what_is_missing(table, decided, tmp_path):
    with pytest.raises(ConfigError, match="no instance of the category 'unicorn'"):
        write_sheet(table, tmp_path / "a.html", categories=["unicorn"])
    with pytest.raises(ConfigError, match=r"no row of .* has the score 'sharpness'"):
        write_sheet(table, tmp_path / "a.html", score="sharpness")


def test_write_sheet__escapes_names(decided, tmp_path):
    table, _ = decided
    write_sheet(table, tmp_path / "sheet.html", rules=RULES)
    assert "<script" not in (tmp_path / "sheet.html").read_text()
    assert "&lt;b&gt;" in bars([("<b>", 1, 2)]) and "&lt;b&gt;" in histogram("<b>", {"kept": np.ones(2)})
    assert "&lt;b&gt;" in scatter(np.zeros((1, 2)), ["real"], ["<b>"])


def test_histogram__threshold_nan_and_nothing():
    chart = histogram("score", {"kept": np.array([0.5, np.nan]), "rejected": np.array([0.1])}, [[0.3]])
    assert "(1 without)" in chart and "<line" in chart and "nan" not in chart
    assert 'fill="#0003"' in histogram("score", {"kept": np.linspace(0, 1, 9)}, [[0.1, 0.5, 0.9]])
    assert "<svg" not in histogram("score", {"kept": np.array([np.nan])})
    assert "<svg" in histogram("score", {"kept": np.array([0.5, 0.5])})


def test_project__pca_keeps_the_two_widest_directions():
    points = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32) * np.array([1, 9, 4], dtype=np.float32)
    found = project(points)
    assert abs(np.corrcoef(found[:, 0], points[:, 1])[0, 1]) > 0.95
    assert abs(np.corrcoef(found[:, 1], points[:, 2])[0, 1]) > 0.95
    assert project(points[:2]).shape == (2, 2)


def test_project__umap_names_its_extra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "umap", None)
    with pytest.raises(MissingExtra, match=r"divergen-filter\[umap\]"):
        project(np.eye(4, dtype=np.float32), "umap")
