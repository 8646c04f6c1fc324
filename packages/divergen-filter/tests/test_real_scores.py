from __future__ import annotations

import numpy as np
import pytest
from divergen_filter import References
from divergen_filter.real_scores import TOP, RealScorer, score_columns
from divergen_filter.references import Summary
from divergen_filter.rules import REAL_SCORES
from divergen_records import ConfigError
from hypothesis import given
from hypothesis import strategies as st


def units(count, dim, seed):
    rows = np.random.default_rng(seed).normal(size=(count, dim))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def make(counts, dim=6, seed=0):
    ids = np.repeat(np.arange(len(counts)) + 1, counts).astype(np.int64)
    return References("fake", units(len(ids), dim, seed), ids, np.arange(len(ids)))


@given(st.lists(st.integers(1, 9), min_size=2, max_size=4), st.integers(0, 2**32 - 1))
def test_real_scorer__equals_the_definitions(counts, seed):
    references, vectors = make(counts, seed=seed), units(7, 6, seed + 1)
    ids = np.arange(7, dtype=np.int64) % (len(counts) + 1) + 1  # the last category has no real crop
    scores = ("inter_similarity", "max_similarity", "top_similarity", "rival_margin", "rival_share")
    found = RealScorer(references, scores)(vectors, ids)
    means = {key: vectors.astype(np.float64) @ references.of(key).T for key in range(1, len(counts) + 1)}
    for row, category in enumerate(ids):
        if category > len(counts):
            assert all(np.isnan(found[name][row]) for name in found if name != "rival_category_id")
            continue
        cosines = np.sort(means[category][row])
        others = {key: value[row].mean() for key, value in means.items() if key != category}
        rival = max(others, key=others.get)
        assert abs(found["inter_similarity"][row] - cosines.mean()) < 1e-6
        assert abs(found["max_similarity"][row] - cosines[-1]) < 1e-6
        assert abs(found["top_similarity"][row] - cosines[-TOP:].mean()) < 1e-6
        assert abs(found["rival_margin"][row] - (cosines.mean() - others[rival])) < 1e-6
        assert abs(others[found["rival_category_id"][row]] - others[rival]) < 1e-6
        nearer = np.mean([value > cosines.mean() for value in others.values()])
        assert found["rival_share"][row] == nearer


def test_real_scorer__percentile_is_among_the_real_ones(references):
    scorer = RealScorer(references, ["similarity_percentile"])
    own, foreign = references.of(1), references.of(2)
    ids = np.full(5, 1, dtype=np.int64)
    found = scorer(np.concatenate([own[:4], foreign[:1]]), ids)["similarity_percentile"]
    assert found[4] == 0 and found[:4].min() >= 0.25 and found.max() == 1
    single = References("fake", references.embeddings[:1], references.category_ids[:1], references.annotation_ids[:1])
    assert np.isnan(RealScorer(single, ["similarity_percentile"])(own, ids[:4])["similarity_percentile"]).all()


def test_real_scorer__mahalanobis_is_one_for_typical_crops():
    references = make([400, 400, 3], dim=8)
    ids = references.category_ids
    found = RealScorer(references, ["mahalanobis"])(references.embeddings, ids)["mahalanobis"]
    assert 0.9 < np.sqrt((found[:800] ** 2).mean()) < 1.05
    axes = np.eye(8, dtype=np.float32)
    centred = References("fake", axes[[1] * 9 + [2]], np.ones(10, int), np.arange(10))
    scores = RealScorer(centred, ["mahalanobis"])(axes[:2][::-1], np.ones(2, int))
    assert scores["mahalanobis"][1] > 2 * scores["mahalanobis"][0]


def test_real_scorer__mahalanobis_says_what_it_lacks(references):
    singles = References("fake", references.embeddings[::4], references.category_ids[::4], np.arange(3))
    with pytest.raises(ConfigError, match="two real crops"):
        RealScorer(singles, ["mahalanobis"])(references.embeddings[:1], np.ones(1, int))
    equal = References("fake", np.eye(4, dtype=np.float32)[[0, 0]], np.ones(2, int), np.arange(2))
    with pytest.raises(ConfigError, match="all equal"):
        RealScorer(equal, ["mahalanobis"])(np.eye(4, dtype=np.float32)[:1], np.ones(1, int))


def test_real_scorer__one_category_has_no_rival(references):
    alone = References("fake", references.embeddings[:4], references.category_ids[:4], references.annotation_ids[:4])
    found = RealScorer(alone, ["rival_margin", "rival_share"])(references.embeddings[:1], np.ones(1, int))
    assert np.isnan(found["rival_margin"][0]) and found["rival_category_id"][0] == -1
    assert np.isnan(found["rival_share"][0])


def test_real_scorer__rival_share_is_not_moved_by_what_all_pictures_share():
    """Of objects of another category a share passes that large, also where a renderer's look is in every vector."""
    real, drawn = make([5] * 40, dim=24), units(4000, 24, 1)
    drawn = drawn + 3 * units(1, 24, 2)
    drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
    ids = np.random.default_rng(3).integers(1, 41, len(drawn))
    found = RealScorer(real, ["rival_share"])(drawn.astype(np.float32), ids)["rival_share"]
    assert abs((found <= 0.2).mean() - 0.2) < 0.03


def test_real_scorer__summary_is_enough_for_means_only(references, tmp_path):
    references.save(tmp_path / "references.npz")
    summary = Summary.load(tmp_path / "references.npz")
    scores = ("inter_similarity", "rival_margin", "rival_share")
    ids = references.category_ids
    whole, light = (RealScorer(each, scores)(references.embeddings, ids) for each in (references, summary))
    for name in score_columns(scores):
        np.testing.assert_array_equal(whole[name], light[name])
    with pytest.raises(ConfigError, match="not their summary alone"):
        RealScorer(summary, ["max_similarity"])
    with pytest.raises(ConfigError, match="there is no score 'beauty'"):
        RealScorer(summary, ["beauty"])


def test_score_columns__every_score_is_a_column():
    from divergen_filter.columns import SimilarityColumns

    assert set(score_columns(REAL_SCORES)) <= set(SimilarityColumns.model_fields)
