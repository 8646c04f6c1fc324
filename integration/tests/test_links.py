"""READMEs and pages of the site: every link leads somewhere, every block is run, read, or says why it is not."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from divergen_records.yaml_files import parse_yaml

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *(page for page in ROOT.glob("docs/**/*.md") if page.name != "note.md"),  # said on docs/results.md
        *ROOT.glob("docs/**/*.ipynb"),
        *ROOT.glob("packages/*/README.md"),
        *ROOT.glob("integration/**/README.md"),
    ]
)


def read_yaml(text: str) -> None:
    """A file's text, or alternatives, one a line: a key that stands twice."""
    keys = re.findall(r"^(\w+):", text, flags=re.M)
    for part in text.splitlines() if len(keys) > len(set(keys)) else [text]:
        parse_yaml(part, "the block")


READ: dict[str, Callable[[str], Any]] = {"json": json.loads, "toml": tomllib.loads, "yaml": read_yaml}
"""Blocks that hold data are read."""

RUN = {"", "bash", "python", "text"}
"""Blocks of commands, which `test_readme.py` parses; of Python, which it runs; of what was printed."""


def text_of(page: Path) -> str:
    text = page.read_text(encoding="utf-8")
    if page.suffix == ".md":
        return text
    cells = json.loads(text)["cells"]
    return "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")


def blocks(page: Path) -> Iterator[tuple[str, str, str]]:
    """The language and the text of each block, and the line before it."""
    for found in re.finditer(r"^([^\n]*)\n+```(\w*)\n(.*?)^```", text_of(page), flags=re.M | re.S):
        yield found[2], found[3], found[1]


def place_of(page: Path, target: str) -> Path:
    """The file that a link means; the site has the packages' READMEs and pictures under ``packages/``."""
    path = (page.parent / target).resolve()
    if not path.is_relative_to(ROOT / "docs" / "packages"):
        return path
    name, *rest = path.relative_to(ROOT / "docs" / "packages").with_suffix("").parts
    folder = ROOT / "integration" if name == "divergen" else ROOT / "packages" / name
    return folder / "docs" / path.name if rest else folder / "README.md"


def anchors(page: Path) -> set[str]:
    """What headings are called in a link."""
    headings = re.findall(r"^#+ (.+)$", text_of(page), flags=re.M)
    return {re.sub(r"\s+", "-", re.sub(r"[^\w\s-]", "", heading).strip().lower()) for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_page__links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```", "", text_of(page), flags=re.M | re.S)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in link or link.startswith("mailto:"):
            continue
        target, _, anchor = link.partition("#")
        place = place_of(page, target) if target else page
        assert place.exists() or place.with_suffix(".ipynb").exists(), f"{link}: there is no {place}"
        assert not anchor or anchor in anchors(place), f"{link}: {place} has no such heading"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_page__blocks_are_read_or_say_why_not(page: Path) -> None:
    for language, text, before in blocks(page):
        if text.startswith("--8<--") or language in RUN:
            continue
        if language in READ:
            try:
                READ[language](text)
            except Exception as error:
                raise AssertionError(f"{text}\nis no {language}: {error}") from error
            continue
        assert re.match(r"<!-- not run: .{10,} -->|<!-- run by \S+.* -->", before), f"{language}: say why not\n{text}"


def test_page__entry_points_are_those_that_are_read() -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in ROOT.glob("packages/*/src/**/*.py"))
    source += "".join(path.read_text(encoding="utf-8") for path in ROOT.glob("integration/src/**/*.py"))
    groups = {name for page in PAGES for name in re.findall(r'entry-points\."([\w.]+)"', text_of(page))}
    assert len(groups) > 5
    assert not [group for group in groups if f'"{group}"' not in source]


def test_dockerfile__names_what_exists() -> None:
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    for source in [line.split()[1] for line in lines if line.startswith("COPY ")]:
        assert (ROOT / source).exists(), source
    (extra,) = [line.removeprefix("ARG EXTRAS=").strip("[]") for line in lines if line.startswith("ARG EXTRAS=")]
    project = tomllib.loads((ROOT / "integration" / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert extra in project["optional-dependencies"]
    (entry,) = [json.loads(line.removeprefix("ENTRYPOINT ")) for line in lines if line.startswith("ENTRYPOINT ")]
    assert entry[0] in project["scripts"]
