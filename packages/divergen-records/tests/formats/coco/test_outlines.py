from __future__ import annotations

import json

import msgspec
import numpy as np
import pytest
from divergen_records.formats.coco.outlines import plain_polygons
from hypothesis import given
from hypothesis import strategies as st

TRIANGLE = "[1,2,30.5,2,4,18]"


def plain(*texts: str, height: int = 20, width: int = 40) -> list[bool]:
    raws = [msgspec.Raw(text.encode()) for text in texts]
    found: list[bool] = plain_polygons(raws, np.tile([[height, width]], (len(texts), 1))).tolist()
    return found


@pytest.mark.parametrize(
    "text",
    [f"[{TRIANGLE}]", f"[{TRIANGLE},{TRIANGLE}]", "[[1, 2,\n30, 2, 4, 18 ]]", "[[0,0,40,0,41.9,21.9]]"],
)
def test_plain_polygons__polygons_inside(text: str) -> None:
    assert plain(text, text) == [True, True]


@pytest.mark.parametrize(
    "text",
    [
        "null", "5", "[]", "[[]]", "{}", '"[[1,2,3,4,5,6]]"', "[1,2,3,4,5,6]", "[[[1,2,3,4,5,6]]]", "[[1,2,3,4,5,[6]]]",
        "[[1,2,3,4,5,6],7]", "[7,[1,2,3,4,5,6]]", "[[1,2,3,4,5,6],[]]", "[[1,2,3,4,5,6],null]", "[[1,2,3,4]]",
        "[[1,2,3,4,5,6,7]]", "[[1,2,3,4,5,1e9]]", "[[1,2,3,4,5,-6]]", '[[1,2,3,4,5,"6"]]', "[[1,2,3,4,5,true]]",
        "[[1,2,42,4,5,6]]", "[[1,22,4,4,5,6]]", "[[1,2,3,4,123456789,6]]", f"[{TRIANGLE},[1,2,3,4,99,6]]",
        '{"size":[20,40],"counts":[1,2,3,4]}', '{"size":[20,40],"counts":"a|b[12,3"}', '"|"', "[{\"x\":1,\"y\":2}]",
    ],
)  # fmt: skip
def test_plain_polygons__anything_else_is_left_to_the_decoder(text: str) -> None:
    good = f"[{TRIANGLE}]"
    assert not plain(text)[0]
    found = plain(good, text, good, text)
    assert found in ([True, False, True, False], [False] * 4)
    assert any(found) or "|" in text


def test_plain_polygons__sizes_are_each_ones_own() -> None:
    raws = [msgspec.Raw(f"[{TRIANGLE}]".encode())] * 3
    assert plain_polygons(raws, np.array([[20, 40], [20, 20], [10, 40]])).tolist() == [True, False, False]


def test_plain_polygons__outline_too_long_to_draw() -> None:
    text = json.dumps([[0, 0, 9000, 9000] * 100])
    assert plain(text, height=9000, width=9000) == [False]


def test_plain_polygons__nothing() -> None:
    assert plain() == []


numbers = st.integers(-50, 1000) | st.floats(-9, 99, allow_nan=False)
json_values = st.recursive(
    st.none() | st.booleans() | numbers | st.text("|[],.1a\"", max_size=4),
    lambda inner: st.lists(inner, max_size=7) | st.dictionaries(st.text("[1,", max_size=2), inner, max_size=2),
    max_leaves=12,
)  # fmt: skip


@given(st.lists(json_values, max_size=5))
def test_plain_polygons__whatever_is_plain_is_sound(values: list[object]) -> None:
    for value, found in zip(values, plain(*map(json.dumps, values)), strict=True):
        if found:
            assert isinstance(value, list)
            for polygon in value:
                assert len(polygon) >= 6
                assert len(polygon) % 2 == 0
                assert all(type(one) in (int, float) and one >= 0 for one in polygon)
                assert max(polygon[0::2]) <= 42
                assert max(polygon[1::2]) <= 22
