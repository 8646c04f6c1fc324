"""Every install line of the READMEs resolves in an empty environment: today from a checkout, by name once published."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
READMES = [ROOT / "README.md", *sorted(ROOT.glob("packages/*/README.md")), ROOT / "integration" / "README.md"]
LINES = sorted(
    {
        line.partition(" #")[0].partition("&&")[0].strip().removeprefix("$ ")
        for readme in READMES
        for line in readme.read_text(encoding="utf-8").splitlines()
        if re.match(r"(\$ )?pip install .*divergen|(\$ )?pip install \./", line)
    }
)


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a wheel of each distribution, as an index would have them."""
    folder = tmp_path_factory.mktemp("wheels")
    for project in (*ROOT.glob("packages/*/pyproject.toml"), ROOT / "integration" / "pyproject.toml"):
        subprocess.run(["uv", "build", "--wheel", "--quiet", "--out-dir", folder, project.parent], check=True)
    return folder


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with nothing in it."""
    folder = tmp_path_factory.mktemp("empty") / "venv"
    subprocess.run(["uv", "venv", "--quiet", "--python", sys.executable, folder], check=True)
    return folder


@pytest.mark.skipif(shutil.which("uv") is None, reason="needs uv, which resolves without installing")
@pytest.mark.parametrize("line", LINES)
def test_install_line__resolves(line: str, empty: Path, wheels: Path) -> None:
    beside = "" if "./packages" in line else f" --find-links '{wheels}'"
    dry = f"uv {line} --dry-run --python '{empty}'{beside}"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("UV_PYTHON")}
    done = subprocess.run(dry, shell=True, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "warning" not in done.stderr, done.stderr  # an extra that is not there is no more than that to uv
    assert "divergen" in done.stderr
