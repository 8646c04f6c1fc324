"""Random mutations of a sound file: a sentence or a data set, never a trace; what came in went out or is told."""

import json
import math
import os
from copy import deepcopy

import pytest
from divergen_records import DivergenError
from divergen_records.coco import check_samples, read_dataset
from divergen_records.testing import small_dataset
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

EXAMPLES = int(os.environ.get("DIVERGEN_FUZZ", "150"))
"""2,000 by hand: DIVERGEN_FUZZ=2000 pytest …/test_fuzz.py"""

VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 60),
    st.sampled_from([2**31, 2**63, 10**30, -(2**63), math.nan, math.inf, -math.inf, 1e300, -0.5, 0.0, 40.0]),
    st.text(max_size=5),
    st.sampled_from(["1", "2", "3.0", "images/1.png", "..\\1.png", "../1.png", "/1.png", "a\0b", "\ud800", "x" * 300]),
    st.just([]),
    st.just({}),
    st.just([[1, 2]]),
    st.just([[1, 2, 3, 4, 5, 6]]),
    st.just([1, 2, 3, 4, 5, 6]),
    st.just({"size": [32, 40], "counts": [1280]}),
    st.just({"size": [40, 32], "counts": [100, 20, 1160]}),
    st.just({"size": [32, 40], "counts": "04"}),
    st.recursive(st.integers(-3, 50), lambda inner: st.lists(inner, max_size=4), max_leaves=8),
)


def places(node, path=()):
    """Paths of all values of a JSON document."""
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in items:
        yield (*path, key)
        yield from places(value, (*path, key))


@st.composite
def mutations(draw, content):
    """The content with one to three values changed, removed or doubled."""
    content = deepcopy(content)
    for _ in range(draw(st.integers(1, 3))):
        *path, last = draw(st.sampled_from(list(places(content))))
        node = content
        for key in path:
            node = node[key]
        what = draw(st.sampled_from(["change", "change", "remove", "double"]))
        if what == "change":
            node[last] = deepcopy(draw(VALUES))
        elif what == "remove":
            del node[last]
        elif isinstance(node, list):
            node.append(deepcopy(node[last]))
    return content


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fuzz") / "data"
    small_dataset(folder)
    return folder / "annotations.json", json.loads((folder / "annotations.json").read_text())


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data(), mode=st.sampled_from(["stop", "skip", "repair"]), boxes=st.booleans())
def test_read_dataset__mutations(sound, data, mode, boxes):
    path, content = sound
    content = data.draw(mutations(content))
    mutated = path.with_name("mutated.json")
    mutated.write_text(json.dumps(content), encoding="utf-8")
    try:
        dataset = read_dataset(mutated, on_problem=mode, boxes=boxes)
    except DivergenError as error:
        assert "on_problem=" not in str(error)
        return
    for key in ("images", "annotations", "categories"):
        told = sum(problem.startswith(key) for problem in dataset.problems)
        told += sum(mend.startswith(key) and mend.endswith("read once") for mend in dataset.repairs)
        assert len(getattr(dataset, key)) + told == len(content.get(key) or ())
    if mode == "stop":
        assert not dataset.problems
    for annotation in dataset.annotations:
        assert annotation.bbox[2] > 0 or not dataset.measure(annotation)[1]
        assert math.isfinite(annotation.area)
    list(check_samples(dataset))
