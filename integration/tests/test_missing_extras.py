"""Where an optional package is missing, one line installs it; for every place that imports one, and every extra."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from divergen_records.errors import MissingExtra, require_extra
from divergen_records.requirements import Finding, extra_modules
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PROJECTS = {
    project["name"]: project
    for file in (*ROOT.glob("packages/*/pyproject.toml"), ROOT / "integration" / "pyproject.toml")
    for project in [tomllib.loads(file.read_text(encoding="utf-8"))["project"]]
}
SOURCES = [*ROOT.glob("packages/*/src/**/*.py"), *ROOT.glob("integration/src/**/*.py")]
NODES = [
    node
    for path in SOURCES
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    if isinstance(node, ast.Call | ast.With)
]
EXTRAS = {(name, extra) for name, project in PROJECTS.items() for extra in project.get("optional-dependencies", {})}
COLLECTIONS = {("divergen", "all")}
"""Extras that only gather others."""
BY_STORE = {("divergen-records", scheme) for scheme in ("az", "gs", "s3")}
"""Named by the scheme of an address."""


def calls(name: str) -> Iterator[list[str]]:
    """Every call of a function in the sources, with its arguments that are texts."""
    for node in NODES:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name:
            texts = [part.value for one in node.args for part in ast.walk(one) if isinstance(part, ast.Constant)]
            yield [text for text in texts if isinstance(text, str)]


def guarded() -> Iterator[tuple[str, str, str]]:
    """Distribution, extra and module of every import inside ``with require_extra``."""
    for node in NODES:
        for item in node.items if isinstance(node, ast.With) else ():
            call = item.context_expr
            if not (isinstance(call, ast.Call) and getattr(call.func, "id", "") == "require_extra"):
                continue
            if all(isinstance(one, ast.Constant) for one in call.args):
                distribution, extra = (str(one.value) for one in call.args if isinstance(one, ast.Constant))
                yield from ((distribution, extra, module) for module in imported(node))


def imported(block: ast.With) -> Iterator[str]:
    for node in ast.walk(block):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def brought(distribution: str, extra: str | None) -> set[str]:
    """Names of the distributions that ours needs with an extra, other extras of ours followed."""
    project = PROJECTS[distribution]
    needs = list(project["dependencies"]) + list(project.get("optional-dependencies", {}).get(extra, ()))
    found = set()
    for need in map(Requirement, needs):
        found.add(canonicalize_name(need.name))
        if need.name in PROJECTS:
            found |= brought(need.name, None).union(*(brought(need.name, further) for further in need.extras))
    return found


GUARDED = sorted(set(guarded()))
OWNERS = packages_distributions()


def test_every_extra_is_named_where_it_is_needed_and_every_name_is_an_extra() -> None:
    named = {(texts[0], text) for name in ("require_extra", "extra_modules", "install_line")
             for texts in calls(name) for text in texts[1:] if texts[0] in PROJECTS}  # fmt: skip
    assert {distribution for distribution, _, _ in GUARDED} > {"divergen-annotate", "divergen-gen", "divergen"}
    assert set(EXTRAS) - named - COLLECTIONS - BY_STORE == set()
    for distribution, extra, _ in GUARDED:
        assert (distribution, extra) in EXTRAS


@pytest.mark.parametrize(("distribution", "extra", "module"), GUARDED)
def test_the_extra_brings_the_module(distribution: str, extra: str, module: str) -> None:
    owners = {canonicalize_name(name) for name in OWNERS.get(module, ())}
    if not owners or module in sys.stdlib_module_names or module.startswith("divergen"):
        pytest.skip(f"{module} is not installed here, or is of Python or ours")
    direct = brought(distribution, extra)
    further = {"safetensors", "pillow", "numpy", "huggingface-hub", "torch", "torchvision"}  # of those that it brings
    assert owners & (direct | further), (owners, direct)


@pytest.mark.parametrize(("distribution", "extra", "module"), GUARDED)
def test_a_missing_module_is_one_line_that_installs_it(
    monkeypatch: pytest.MonkeyPatch, distribution: str, extra: str, module: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    line = f"{module} is not installed; pip install '{distribution}[{extra}]'"
    with pytest.raises(MissingExtra, match=f"^{re.escape(line)}$"), require_extra(distribution, extra):
        __import__(module)
    (need,) = extra_modules(distribution, extra, module)
    assert need.look() == Finding(line, problem=True)


def test_nobody_writes_such_a_line_by_hand() -> None:
    """One form: the sentence is of `divergen_records.errors`."""
    for path in SOURCES:
        if path.name != "errors.py":
            assert not re.search(r"pip install '\{|comes with an extra|pip install 'divergen", path.read_text()), path
