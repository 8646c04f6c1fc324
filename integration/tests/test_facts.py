"""The shipped configs and recipes are the papers', key by key, by one table of facts."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from divergen.loading import load_config, shipped_text
from divergen_train.training.recipe import recipe, recipe_text
from pydantic import BaseModel

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


def names_read(text: str) -> set[str]:
    """Names that code takes off an object, or takes as a parameter and uses; words in comments and texts are none."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
            found.add(node.attr)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "getattr":
            found |= {one.value for one in node.args[1:2] if isinstance(one, ast.Constant)}
        elif isinstance(node, ast.FunctionDef):
            used = {one.id for one in ast.walk(node) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Load)}
            found |= used & {one.arg for one in [*node.args.args, *node.args.kwonlyargs]}
    return found


@cache
def read_in(root: Path, package: str) -> set[str]:
    """Names that a package's code reads."""
    (folder,) = [path for path in root.glob(f"**/src/{package}") if path.is_dir()]
    return set().union(*(names_read(path.read_text(encoding="utf-8")) for path in folder.rglob("*.py")))


def owner(config: Any, key: str) -> Any:
    """The section of a configuration in which a dotted key stands."""
    for part in key.split(".")[:-1]:
        if isinstance(config, BaseModel):
            config = getattr(config, part)
        else:
            config = config[int(part) if part.isdigit() else part]
    return config


def unread(root: Path, config: Any, keys: Iterable[str]) -> list[str]:
    """Keys that the package whose section they are in does not read."""
    found = []
    for key in keys:
        section, name = owner(config, key), key.rpartition(".")[2]
        package = type(section).__module__.partition(".")[0]
        if isinstance(section, BaseModel) and name not in read_in(root, package):
            found.append(key)
    return found


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
    config = recipe(name) if name in RECIPES else load_config(name, ["data={kind: minilvis}"])
    assert not unread(root, config, facts(root, name).keys() - {"train.recipe"})  # a shorthand for a whole section


class Dead(BaseModel):
    """A section with a key that no code of its package reads."""

    kind: str = "dead"
    never_read_by_anyone: int = 1


Dead.__module__ = "divergen_paste.config"


def test_unread__finds_a_key_that_nothing_reads(root: Path) -> None:
    assert unread(root, Dead(), ["kind", "never_read_by_anyone"]) == ["never_read_by_anyone"]


def test_names_read__words_and_declarations_are_no_reads() -> None:
    code = """
class A:
    'about dead_word'
    declared: int = 1  # comment_word
    def f(self, used, unused):
        self.written = used
        return self.taken, getattr(self, 'asked'), 'text_word'
"""
    assert names_read(code) >= {"used", "taken", "asked"}
    words = {"declared", "dead_word", "comment_word", "text_word", "unused", "written"}
    assert not names_read(code) & words


@pytest.mark.parametrize("name", CONFIGS)
def test_facts__configs_are_valid(name: str) -> None:
    assert load_config(name, ["data={kind: minilvis}"]).train.detector.kind == "centernet2"
