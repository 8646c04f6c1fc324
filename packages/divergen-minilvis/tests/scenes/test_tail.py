import numpy as np
import pytest
from divergen_minilvis.scenes.tail import assign_categories, zipf_counts
from hypothesis import given
from hypothesis import strategies as st


def test_zipf_counts__has_rare_common_and_frequent_at_the_default_size():
    counts = zipf_counts(40, head=228, tail=1)
    assert (counts[0], counts[-1]) == (228, 1)
    assert (np.diff(counts) <= 0).all()
    groups = [(counts <= 10).sum(), ((counts > 10) & (counts <= 100)).sum(), (counts > 100).sum()]
    assert min(groups) >= 4


@pytest.mark.parametrize(("categories", "head", "tail"), [(1, 5, 1), (3, 2, 2)])
def test_zipf_counts__flat(categories, head, tail):
    assert zipf_counts(categories, head=head, tail=tail).tolist() == [head] * categories


@given(st.lists(st.integers(1, 12), min_size=1, max_size=10), st.integers(12, 30), st.integers(0, 5))
def test_assign_categories__gives_each_its_count(counts, images, seed):
    chosen = assign_categories(np.array(counts), images, np.random.default_rng(seed))
    assert len(chosen) == images
    assert all(len(set(names)) == len(names) for names in chosen)
    assert np.bincount([k for names in chosen for k in names], minlength=len(counts)).tolist() == counts
    if sum(counts) >= images:
        assert all(chosen)
