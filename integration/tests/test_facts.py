"""The shipped configs and recipes are the papers', key by key, by one table of facts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from divergen.loading import load_config, shipped_text
from divergen_train.training.recipe import recipe_text

CONFIGS = ("xpaste-lvis", "divergen-lvis", "bsgal-lvis")
RECIPES = tuple(f"{method}-{size}" for method in ("xpaste", "divergen", "bsgal") for size in ("r50", "swin-l"))
NOT_FACTS = {"name", "summary", "pastes", "hardware", "differs", "expected"}
"""Words for people, and what the paper reports of its result, which has a source of its own."""


def leaves(value: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted key and value of every leaf."""
    inside: Any = ()
    if isinstance(value, dict):
        inside = value.items()
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        inside = enumerate(value)
    else:
        yield place, value
    for key, found in inside:
        yield from leaves(found, f"{place}.{key}" if place else str(key))


@cache
def sources(root: Path) -> str:
    """All code but that of the configs, where a key is only declared."""
    files = [*root.glob("packages/*/src/**/*.py"), *root.glob("integration/src/**/*.py")]
    return "\n".join(path.read_text(encoding="utf-8") for path in files if path.name not in ("config.py", "model.py"))


def facts(root: Path, name: str) -> dict[str, tuple[Any, str]]:
    """Key -> value and source, of one file."""
    table = yaml.safe_load((root / "docs" / "facts.yaml").read_text(encoding="utf-8"))
    groups = [group["facts"] for group in table if name in group["of"]]
    found = {key: tuple(fact) for group in groups for key, fact in group.items()}
    assert len(found) == sum(map(len, groups)), "a key has two facts"
    return found


@pytest.mark.parametrize("name", [*CONFIGS, *RECIPES])
def test_facts__every_key_has_its_value_and_a_source(root: Path, name: str) -> None:
    text = yaml.safe_load(shipped_text(name) if name in CONFIGS else recipe_text(name))
    said = dict(leaves({key: value for key, value in text.items() if key not in NOT_FACTS}))
    known = facts(root, name)
    assert said == {key: value for key, (value, _) in known.items()}
    assert all(len(source) >= len("ours") for _, source in known.values())


def test_facts__of_nothing_else(root: Path) -> None:
    table = yaml.safe_load((root / "docs" / "facts.yaml").read_text(encoding="utf-8"))
    assert {name for group in table for name in group["of"]} == {*CONFIGS, *RECIPES}


@pytest.mark.parametrize("name", [*CONFIGS, *RECIPES])
def test_facts__code_reads_every_key(root: Path, name: str) -> None:
    keys = {key.rpartition(".")[2] for key in facts(root, name) if not key.startswith("counts.weights.")}
    unread = [key for key in sorted(keys - {"kind"}) if not re.search(rf"\b{key}\b", sources(root))]
    assert not unread


@pytest.mark.parametrize("name", CONFIGS)
def test_facts__configs_are_valid(name: str) -> None:
    assert load_config(name, ["data={kind: minilvis}"]).train.detector.kind == "centernet2"
