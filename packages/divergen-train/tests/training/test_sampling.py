from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from divergen_records.coco import Dataset
from divergen_records.errors import DatasetError
from divergen_train.training.sampling import BatchSampler, repeat_factors
from hypothesis import given, settings
from hypothesis import strategies as st

MASK = np.ones((2, 2), bool)


def test_repeat_factors__literal(make_dataset: Callable[..., Dataset]) -> None:
    rows = [(1, 1, MASK), (2, 1, MASK), (3, 1, MASK), (3, 2, MASK), (3, 2, MASK)]
    dataset = make_dataset(rows, frequencies={1: "f", 2: "r"}, images=4)
    # Category 2 is on 1 of 4 images: sqrt(0.5 / 0.25); category 1 on 3 of 4: no repeat; image 4 is empty.
    assert repeat_factors(dataset, 0.5) == pytest.approx([1, 1, 2**0.5, 1])


def test_repeat_factors__min_images_raises_the_threshold(make_dataset: Callable[..., Dataset]) -> None:
    dataset = make_dataset([(1, 1, MASK), (2, 2, MASK)], frequencies={1: "r", 2: "r"}, images=4)
    assert repeat_factors(dataset, 0.001) == pytest.approx([1, 1, 1, 1])
    assert repeat_factors(dataset, 0.001, min_images=4) == pytest.approx([2, 2, 1, 1])


def test_batch_sampler__epoch_draws_each_image_its_factor_times() -> None:
    factors = np.array([1.0, 2.0, 3.5])
    sampler = BatchSampler(factors, 4, seed=0)
    counts = Counter(draw.index for number in range(400) for draw in sampler.epoch(number))
    assert counts[0] == 400
    assert counts[1] == 800
    assert counts[2] / 400 == pytest.approx(3.5, abs=0.1)


def test_batch_sampler__no_visit_twice() -> None:
    sampler = BatchSampler(np.array([1.0, 2.5, 1.2]), 3, seed=1, stop=60)
    draws = [(draw.index, draw.visit) for batch in sampler for draw in batch]
    assert len(draws) == len(set(draws)) == 180


@settings(deadline=None)
@given(
    factors=st.lists(st.floats(1, 4), min_size=1, max_size=6),
    batch_size=st.integers(1, 5),
    seed=st.integers(0, 99),
    start=st.integers(0, 12),
)
def test_batch_sampler__starts_anywhere(factors: list[float], batch_size: int, seed: int, start: int) -> None:
    whole = list(BatchSampler(np.array(factors), batch_size, seed=seed, stop=15))
    assert list(BatchSampler(np.array(factors), batch_size, seed=seed, start=start, stop=15)) == whole[start:]


def test_batch_sampler__empty() -> None:
    with pytest.raises(DatasetError, match="no images"):
        BatchSampler(np.array([]), 4, seed=0)
