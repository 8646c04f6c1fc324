from __future__ import annotations

import numpy as np
import pytest
from divergen_filter import References, calibrate, inter_similarity
from divergen_records import ConfigError
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize("method", ["wrong-category", "leave-one-out"])
def test_calibrate__lets_the_own_pass_and_stops_the_others(references, method):
    for category in calibrate(references, method=method).categories:
        assert category.crops == 4
        assert category.own_kept >= 0.75
        assert category.others_kept <= 0.25


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3)), min_size=2, max_size=40),
    st.sampled_from([0.05, 0.2, 0.5]),
)
def test_calibrate__at_most_the_share_of_the_others_pass(crops, share):
    """Also where many crops are equal, and their score comes back from the table in float32."""
    categories, axes = (np.array(column) for column in zip((9, 0), *crops, strict=True))
    vectors = np.eye(4, dtype=np.float32)[axes]
    references = References("fake", vectors, categories, np.arange(len(axes)))
    if len(set(categories)) < 2:
        return
    for found in calibrate(references, share=share).categories:
        assert np.isnan(found.others_kept) or found.others_kept <= share
        others = vectors[categories != found.category_id]
        stored = inter_similarity(others, np.full(len(others), found.category_id), references.sums).astype(np.float32)
        assert (stored >= found.threshold).mean() <= share


def test_calibrate__a_single_crop_has_a_threshold(references):
    one = References("fake", references.embeddings[3:], references.category_ids[3:], references.annotation_ids[3:])
    first = calibrate(one).categories[0]
    assert first.crops == 1 and np.isnan(first.own_kept) and -1 < first.threshold < 1


def test_calibrate__shrinkage_pulls_to_the_pool(references):
    def spread(shrinkage):
        found = calibrate(references, method="leave-one-out", shrinkage=shrinkage).thresholds()
        return np.ptp(list(found.values()))

    assert spread(1e9) < 1e-6 < spread(10) < spread(0)


def test_calibrate__says_what_the_references_lack(references):
    alone = References("fake", references.embeddings[:4], references.category_ids[:4], references.annotation_ids[:4])
    with pytest.raises(ConfigError, match="two categories"):
        calibrate(alone)
    singles = References("fake", references.embeddings[::4], references.category_ids[::4], np.arange(3))
    with pytest.raises(ConfigError, match="two real crops"):
        calibrate(singles, method="leave-one-out")


def test_calibrate__says_what_the_paper_s_threshold_would_do(references):
    found = calibrate(references)
    assert found.paper_own_kept == 1 and found.paper_others_kept == 0
    assert "the paper's 0.6 (CLIP ViT-L/14) here keeps 100% of the real crops and 0%" in str(found)
    assert str(found).count("\n") == 2 + 3
    singles = References("fake", references.embeddings[::4], references.category_ids[::4], np.arange(3))
    assert np.isnan(calibrate(singles).paper_own_kept)
