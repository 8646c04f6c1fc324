"""What `dir`, tab completion and type checkers see of each package."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FACES = sorted([*ROOT.glob("packages/*/src/*/__init__.py"), ROOT / "integration/src/divergen/__init__.py"])
PACKAGES = [face.parent.name for face in FACES]


@pytest.mark.parametrize("face", FACES, ids=PACKAGES)
def test_package__shows_its_public_names(face: Path) -> None:
    package = import_module(face.parent.name)
    assert package.__all__ == sorted(package.__all__)
    assert set(dir(package)) >= set(package.__all__)
    stub = ast.parse(face.with_suffix(".pyi").read_text(encoding="utf-8"))
    said = next(ast.literal_eval(node.value) for node in stub.body if isinstance(node, ast.Assign))
    assert sorted(said) == package.__all__, "what type checkers are told"
    for name in package.__all__:
        assert getattr(package, name) is not None
    assert not hasattr(package, "nothing")


@pytest.mark.parametrize("package", PACKAGES)
def test_package__is_imported_and_shown_without_loading_its_modules(package: str) -> None:
    code = f"import sys, {package}; dir({package}); print(sum(name.startswith('{package}.') for name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) <= 1
