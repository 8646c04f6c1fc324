"""The rules of the house."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from divergen.loading import load_config, shipped_configs
from divergen_records import MissingExtra

ROOT = Path(__file__).resolve().parents[2]
PROJECTS = sorted([*ROOT.glob("packages/*/pyproject.toml"), ROOT / "integration" / "pyproject.toml"])
MODULES = sorted(next((project.parent / "src").iterdir()).name for project in PROJECTS)
FILES = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
HEAVY = {"cv2", "diffusers", "lance", "matplotlib", "numpy", "openai", "PIL", "pyarrow", "torch", "transformers"}


def metadata(project: Path) -> dict[str, object]:
    return tomllib.loads(project.read_text())["project"]


def test_import_boundaries() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    found = subprocess.run([linter], cwd=ROOT, capture_output=True, text=True)
    assert found.returncode == 0, found.stdout


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Bytecode is cached, as it is where people work."""
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPYCACHEPREFIX": str(tmp_path_factory.mktemp("bytecode"))}


@pytest.mark.parametrize("module", MODULES)
def test_import__is_light(module: str, environment: dict[str, str]) -> None:
    code = (
        f"import json, sys, time; start = time.process_time(); import {module}; took = time.process_time() - start\n"
        f"print(json.dumps([took, sorted(set(sys.modules) & {HEAVY!r})]))"
    )
    runs = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
        for _ in range(4)
    ]
    seconds, loaded = min(json.loads(run.stdout) for run in runs)
    assert loaded == []
    assert seconds < 0.5


@pytest.mark.parametrize("module", MODULES)
def test_import__changes_no_environment(module: str) -> None:
    code = f"import os; before = dict(os.environ); import {module}; assert dict(os.environ) == before"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("module", MODULES)
def test_help__is_light_and_teaches(module: str) -> None:
    code = (
        "import sys, time; start = time.perf_counter()\n"
        f"from {module}.cli import main\n"
        "main(['--help'], standalone_mode=False)\n"
        f"assert not set(sys.modules) & {HEAVY!r}, set(sys.modules) & {HEAVY!r}"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    assert "Commands:" in found.stdout


def _commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from _commands(command, (*path, name))


@pytest.mark.parametrize("module", MODULES)
def test_help__of_every_subcommand(module: str) -> None:
    main = import_module(f"{module}.cli").main
    for path, command in _commands(main):
        shown = CliRunner().invoke(main, [*path, "--help"])
        assert shown.exit_code == 0, (path, shown.output)
        assert "\\b" not in shown.output, path
        assert command.help or path == ("minilvis",), path
        silent = [option.name for option in command.params if isinstance(option, click.Option) and not option.help]
        assert not silent, (path, silent)


@pytest.mark.parametrize("module", MODULES)
def test_exports__are_sorted_and_there(module: str) -> None:
    package = import_module(module)
    assert package.__all__ == sorted(package.__all__)
    for name in package.__all__:
        with suppress(MissingExtra):  # it is there, what it needs is not
            getattr(package, name)


def test_versions__move_together() -> None:
    versions = {project.parent.name: metadata(project)["version"] for project in PROJECTS}
    assert len(set(versions.values())) == 1, versions
    version = next(iter(versions.values()))
    for project in PROJECTS:
        for requirement in metadata(project)["dependencies"]:
            if requirement.startswith("divergen-"):
                assert requirement.endswith(f"=={version}"), (project, requirement)


def test_dependencies__no_sibling_but_records() -> None:
    for project in PROJECTS:
        if project.parent.name != "integration":
            names = {re.split(r"[\[=<>~! ]", text)[0] for text in metadata(project)["dependencies"]}
            allowed = {"divergen-records", *(("divergen-evaluate",) if project.parent.name == "divergen-train" else ())}
            assert {name for name in names if name.startswith("divergen")} <= allowed, project


@pytest.mark.parametrize("project", PROJECTS, ids=lambda project: project.parent.name)
def test_distribution__is_complete(project: Path) -> None:
    folder = project.parent
    package = next((folder / "src").iterdir())
    assert (package / "py.typed").exists()
    assert (package / "cli.py").exists()
    assert len((folder / "README.md").read_text().split()) > 60
    assert list((folder / "tests").rglob("test_*.py"))
    assert metadata(project)["scripts"] == {folder.name.replace("integration", "divergen"): f"{package.name}.cli:main"}


@pytest.mark.parametrize("name", shipped_configs())
def test_shipped_config__is_valid(name: str, coco100: Path) -> None:
    config = load_config(name, [] if name == "quickstart" else [f"data={coco100}"])
    assert config.name == name


def test_yaml__every_file_is_read() -> None:
    from divergen_records.yaml_files import read_yaml

    for file in FILES:
        if file.endswith((".yaml", ".yml")):
            assert read_yaml(ROOT / file), file


def test_files__name_no_machine_and_no_registry() -> None:
    machine = re.compile(
        r"(?<![\w.-])/(?:work|root|home|farm)/[\w.]+|pypi\.org|files\.pythonhosted|registry\.npmjs|/simple/"
    )
    own = "integration/tests/test_house.py"
    for file in FILES:
        path = ROOT / file
        if file == own or ".lance/" in file or path.suffix in {".jpg", ".png", ".gz"} or not path.exists():
            continue
        found = machine.search(path.read_text(encoding="utf-8"))
        assert not found, (file, found)


def test_security__names_tests_that_are_there() -> None:
    named = re.findall(r"`([^`\s]+\.py)::(\w+)`", (ROOT / "SECURITY.md").read_text(encoding="utf-8"))
    assert len(named) > 20
    lacking = [name for file, name in named if f"def {name}(" not in (ROOT / file).read_text(encoding="utf-8")]
    assert lacking == []


def test_sources__are_short() -> None:
    for file in FILES:
        if "/src/" in file and file.endswith(".py") and (ROOT / file).exists():
            text = (ROOT / file).read_text()
            assert text.count("\n") <= 400, file
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                    assert node.end_lineno - node.lineno <= 70, (file, node.name)


def _sources() -> Iterator[tuple[str, ast.Module]]:
    for file in FILES:
        if "/src/" in file and file.endswith(".py") and (ROOT / file).exists():
            yield file, ast.parse((ROOT / file).read_text(encoding="utf-8"))


def _calls(tree: ast.Module) -> Iterator[tuple[ast.Call, str]]:
    """Calls of methods, and the method's name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield node, node.func.attr


def test_conditions__never_read_the_pictures() -> None:
    """To see where ``image`` is NULL, Lance reads all pictures, 0.8 ms each; where ``width`` is tells the same."""
    for file, tree in _sources():
        texts = [str(node.value) for node in ast.walk(tree) if isinstance(node, ast.Constant)]
        assert not [text for text in texts if re.search(r"\bimage IS (NOT )?NULL", text)], file


def _has_encoding(call: ast.Call, name: str) -> bool:
    if any(word.arg == "encoding" for word in call.keywords):
        return True
    if name == "open":
        mode = call.args[0].value if call.args and isinstance(call.args[0], ast.Constant) else ""
        return mode not in ("r", "w", "a", "x")
    return len(call.args) > {"read_text": 0, "write_text": 1}[name]


def test_sources__text_has_an_encoding() -> None:
    """Wider than ruff's PLW1514, which sees a path only where it was made in the same function."""
    for file, tree in _sources():
        for call, name in _calls(tree):
            assert name not in ("open", "read_text", "write_text") or _has_encoding(call, name), (file, call.lineno)


def test_sources__print_by_the_echo_that_writes_escapes_out() -> None:
    for file, tree in _sources():
        for call, name in _calls(tree):
            plain = name in ("echo", "secho") and getattr(call.func.value, "id", None) == "click"
            assert not plain or file.endswith("divergen_records/command.py"), (file, call.lineno)


_RENAMES = (
    *("divergen_records/files.py", "divergen_records/folders.py", "divergen_paste/baking/write.py"),
    "divergen_records/stores/copies.py",
)
"""Who may rename a file: the two writers, the notes of a bake, which lie in a folder that nobody reads, and those of a
store's copies, whose room lies below the writers."""


def test_sources__files_are_renamed_by_the_one_writer() -> None:
    for file, tree in _sources():
        for call, name in _calls(tree):
            renames = name == "rename" or (name == "replace" and len(call.args) == 1 and not call.keywords)
            assert not renames or file.endswith(_RENAMES), (file, call.lineno)
