"""Every key of every shipped configuration can be changed from the command line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from divergen.config import RunConfig
from divergen.loading import load_config, shipped_configs


@pytest.fixture(scope="module", params=sorted(shipped_configs()))
def shipped(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[str]]:
    """A shipped config, and the override that it needs: the user's data."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "images").mkdir()
    (folder / "annotations.json").write_text("{}")
    return request.param, [] if request.param == "quickstart" else [f"data={folder}"]


def leaves(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted key and value of everything in a configuration, sections and lists themselves included."""
    if key:
        yield key, value
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, each in inside:
        yield from leaves(each, f"{key}.{name}" if key else str(name))


def test_load_config__every_key_takes_its_own_value(shipped: tuple[str, list[str]]) -> None:
    name, needed = shipped
    config = load_config(name, needed)
    keys = dict(leaves(config.model_dump(mode="json")))
    assert len(keys) > 100
    for key, value in keys.items():
        assert load_config(name, [*needed, f"{key}={json.dumps(value)}"]) == config, key
        if isinstance(value, (str, int, float)) and not isinstance(value, bool):
            assert load_config(name, [*needed, f"{key}={value}"]) == config, key


TEN = (
    "annotator.workers=2",
    "rules.rules.0.threshold=0.1",
    "paste.max_instances=3",
    "embedder.device=cuda:1",
    "repair.halo=1",
    "generators.1={kind: procedural, name: second, size: 128}",
    "real_crops.margin=7",
    "train.detector.score_threshold=0.2",
    "counts={per_category: 77}",
    "executor={kind: ray, workers: 3}",
)
MANY = ("xpaste-lvis", "bsgal-lvis")
"""The annotators of these configs are several, whose workers are their own."""

CHANGED = (2, 0.1, 3, "cuda:1", 1, 128, 7, 0.2, 77, 3)


def test_load_config__ten_of_ten(shipped: tuple[str, list[str]]) -> None:
    name, needed = shipped
    base = load_config(name, needed)
    ten = [override.replace("annotator.w", "annotator.annotators.0.w") for override in TEN] if name in MANY else TEN
    for override, value in zip(ten, CHANGED, strict=True):
        key = override.partition("=")[0]
        assert value in dict(leaves(changed(load_config(name, [*needed, override]), base, key))).values(), override


def changed(config: RunConfig, base: RunConfig, key: str) -> dict[str, Any]:
    """The section of a key, where it is the only one that differs."""
    section = key.partition(".")[0]
    new, old = config.model_dump(mode="json"), base.model_dump(mode="json")
    assert {name for name in new if new[name] != old[name]} <= {section}
    return {section: new[section]}


def test_load_config__a_section_keeps_its_kind(shipped: tuple[str, list[str]]) -> None:
    name, needed = shipped
    base = load_config(name, needed)
    many = isinstance(base.prompts, tuple)
    config = load_config(name, [*needed, "embedder.device=cpu", "prompts.0={}" if many else "prompts={}"])
    before, after = (found.prompts[0] if many else found.prompts for found in (base, config))
    assert (config.embedder.kind, after.kind) == (base.embedder.kind, before.kind)
