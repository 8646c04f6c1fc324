"""Verdicts in a run: by keyboard in a real browser, kept over a kill, and in the pool when it decides again."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from divergen import Run, load_config, run_pipeline
from divergen.cli import main
from divergen.fork import fork
from divergen_filter.review.verdicts import VerdictLog, log_path
from divergen_paste import InstancePool

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")

KEPT = 24


@pytest.fixture
def run(tmp_path: Path, finished: Run, small: tuple[str, ...]) -> Run:
    """A run that keeps 24 instances: kept ones of the small run, again under other seeds."""
    config = load_config("quickstart", [*small, "control=false"])
    fork(finished, tmp_path / "run", config)
    made = Run(tmp_path / "run", config)
    rows = list(made.table.records("kept"))
    more = [rows[number % len(rows)] for number in range(KEPT - len(rows))]
    made.table.append([row.model_copy(update={"id": f"{n:032x}", "seed": n}) for n, row in enumerate(more)])
    run_pipeline(made, redo="pool", until="pool")
    assert len(InstancePool.open(made.pool)) == KEPT
    return made


@pytest.fixture
def review(run: Run) -> Iterator[Callable[[str], tuple[subprocess.Popen[str], str]]]:
    """Starts the command for a reviewer; gives its process and address."""
    running = []

    def start(reviewer: str) -> tuple[subprocess.Popen[str], str]:
        line = [sys.executable, "-m", "divergen", "review", str(run.folder), "--reviewer", reviewer]
        environment = os.environ | {"PYTHONUNBUFFERED": "1"}
        process = subprocess.Popen(line, stdout=subprocess.PIPE, text=True, env=environment)
        running.append(process)
        assert process.stdout is not None
        found = re.search(r"http://\S+", process.stdout.readline())
        assert found is not None
        return process, found[0]

    yield start
    for process in running:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def press(page: Any, link: str, keys: str, reviewed: int) -> None:
    """Open a page at the kept instances and press keys, until so many are reviewed."""
    page.goto(link)
    page.click("#decision >> text=kept")
    playwright.expect(page.locator("#shown")).to_have_text(re.compile(rf"^{KEPT} of"))
    page.focus("#grid")
    for key in keys:
        page.keyboard.press("ArrowRight" if key == ">" else key)
    playwright.expect(page.locator("#counts")).to_have_text(f"{reviewed} reviewed", timeout=20_000)


def test_review__twenty_rejected_by_keyboard_leave_the_pool(
    run: Run, review: Callable[[str], tuple[subprocess.Popen[str], str]]
) -> None:
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        server, link = review("anna")
        press(browser.new_page(), link, "r" * 12, 12)
        server.kill()  # between two keys
        server.wait()
        assert len(VerdictLog(log_path(run.table.path)).state()) == 12
        _, link = review("anna")
        press(browser.new_page(), link, ">" * 12 + "r" * 8, 20)
        _, link = review("bob")
        press(browser.new_page(), link, ">" * 20 + "k", 21)  # anna's server still runs
        browser.close()
    done = CliRunner().invoke(
        main, ["run", str(run.folder / "config.yaml"), "--out", str(run.folder), "--redo", "decide", "--until", "pool"]
    )
    assert done.exit_code in (0, 3), done.output
    assert len(InstancePool.open(run.pool)) == KEPT - 20
    assert run.table.count("NOT kept AND reject_reason = 'review: rejected (anna)'") == 20
    assert run.table.count("kept AND review = 'keep' AND reviewer = 'bob'") == 1
