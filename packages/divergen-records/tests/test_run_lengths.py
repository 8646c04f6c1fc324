from __future__ import annotations

import numpy as np
import pytest
from divergen_records.errors import MaskError
from divergen_records.masks import encode_rle, rle_area
from divergen_records.run_lengths import measure_codes
from hypothesis import given, settings
from hypothesis import strategies as st

SIDE = 12


def masks() -> st.SearchStrategy[np.ndarray]:
    return st.builds(
        lambda seed, share: np.random.default_rng(seed).random((SIDE, SIDE)) < share,
        st.integers(0, 10_000),
        st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]),
    )


@given(st.lists(masks(), max_size=6))
@settings(max_examples=60, deadline=None)
def test_measure_codes__all_at_once(drawn: list[np.ndarray]) -> None:
    codes = [encode_rle(mask)["counts"] for mask in drawn]
    sizes = measure_codes(codes, np.full(len(codes), SIDE * SIDE))
    assert sizes.area.tolist() == [int(mask.sum()) for mask in drawn]
    for mask, first, end in zip(drawn, sizes.first.tolist(), sizes.end.tolist(), strict=True):
        places = np.flatnonzero(mask.T)
        assert not len(places) or (first, end) == (places[0], places[-1] + 1)


@given(masks(), st.integers(0, 40), st.binary(min_size=1, max_size=3), st.booleans())
@settings(max_examples=200, deadline=None)
def test_measure_codes__damage_is_seen_and_stays_where_it_is(
    mask: np.ndarray, at: int, damage: bytes, insert: bool
) -> None:
    """As the records' own parser judges it, whatever the neighbours are."""
    code = encode_rle(mask)["counts"].encode()
    at = min(at, len(code))
    broken = code[:at] + damage + code[at + (0 if insert else len(damage)) :]
    try:
        expected = rle_area({"size": [SIDE, SIDE], "counts": broken})
    except MaskError:
        expected = -1
    areas = measure_codes([code, broken, code], np.full(3, SIDE * SIDE)).area
    assert areas.tolist() == [int(mask.sum()), expected, int(mask.sum())]


@pytest.mark.parametrize("code", ["", "é", "0", "o" * 40, "00é"])
def test_measure_codes__malformed(code: str) -> None:
    assert measure_codes([code], np.array([4])).area.tolist() == [-1]
