from __future__ import annotations

import numpy as np
import pytest
from divergen_filter import EmbedStage, References, ScoreStage, decide_table, measure_diversity, reference_embeddings
from divergen_filter.diversity import density_coverage, price, vendi_score
from divergen_filter.rules import Rule, RulesConfig
from divergen_records import ConfigError, fill
from hypothesis import given
from hypothesis import strategies as st


def test_vendi_score__counts_the_different_ones():
    axes = np.eye(6, dtype=np.float32)
    assert vendi_score(axes) == pytest.approx(6)
    assert vendi_score(axes[[0] * 9]) == pytest.approx(1)
    assert vendi_score(axes[[0, 0, 1, 1]]) == pytest.approx(2)
    assert vendi_score(axes[:0]) == 0


@given(st.integers(1, 12), st.integers(2, 12), st.integers(0, 2**32 - 1))
def test_vendi_score__either_matrix_gives_the_same(count, dim, seed):
    rows = np.random.default_rng(seed).normal(size=(count, dim))
    vectors = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    values = np.linalg.eigvalsh(vectors.astype(np.float64) @ vectors.T / count).clip(1e-300)
    assert vendi_score(vectors) == pytest.approx(np.exp(-(values * np.log(values)).sum()), rel=1e-6)
    assert 1 - 1e-6 <= vendi_score(vectors) <= min(count, dim) + 1e-6


def circle(*degrees):
    angles = np.deg2rad(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def test_density_coverage__by_hand():
    real = circle(0, 10, 20)  # with one neighbour, balls of 10 degrees about each
    assert density_coverage(real, circle(5), neighbours=1) == (2, pytest.approx(2 / 3))
    assert density_coverage(real, circle(180), neighbours=1) == (0, 0)
    density, coverage = density_coverage(real, circle(10, 10, 180), neighbours=1)
    assert density == pytest.approx(2) and coverage == 1


def test_density_coverage__same_distribution_is_about_one():
    random = np.random.default_rng(0)
    rows = random.normal(size=(800, 4)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    density, coverage = density_coverage(rows[:400], rows[400:])
    assert 0.9 < density < 1.1 and coverage > 0.9


def test_density_coverage__too_few():
    assert np.isnan(density_coverage(circle(0), circle(0, 1))).all()
    density, coverage = density_coverage(circle(0, 1), circle()[:0])
    assert np.isnan(density) and coverage == 0


def test_diversity__before_and_after(table, dataset, embedder):
    references = reference_embeddings(dataset, embedder, progress=False)
    with pytest.raises(ConfigError, match="no embeddings"):
        measure_diversity(table, references)
    for stage in (EmbedStage(embedder), ScoreStage(references)):
        fill(table, stage, progress=False)
    rules = RulesConfig(rules=(Rule(score="inter_similarity", op=">=", threshold=0.5),))
    decide_table(table, rules)
    found = {row.category_id: row for row in measure_diversity(table, references)}
    assert (found[1].generated.count, found[1].kept.count, found[1].real) == (2, 1, 2)
    assert found[1].generated.vendi == pytest.approx(2, abs=0.1) and found[1].kept.vendi == pytest.approx(1)
    assert found[9].real == 0 and np.isnan(found[9].kept.coverage)
    everything, few = price(table, references, shares=(1, 0.5))
    assert everything[1].count == 4 and few[1].count == 3 and few[1].vendi < everything[1].vendi
    other = References("other", references.embeddings, references.category_ids, references.annotation_ids)
    with pytest.raises(ConfigError, match="two models"):
        measure_diversity(table, other)
