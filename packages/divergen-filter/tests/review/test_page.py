"""The page in a real browser, by clicks and keys, against the real command."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys

import pytest
from divergen_filter import decide_table
from divergen_filter.review.verdicts import VerdictLog, log_path

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
playwright = pytest.importorskip("playwright.sync_api", reason="the tests' group brings playwright")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")

SCRIPT = "<img src=x onerror=\"document.title='injected'\">"


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def serve(tmp_path):
    """Starts the command on a table; gives its process and address."""
    running = []
    rules = tmp_path / "rules.json"
    rules.write_text('{"rules": [{"score": "inter_similarity", "op": ">=", "threshold": 0.5}]}')

    def start(table, reviewer="anna"):
        line = [sys.executable, "-c", "from divergen_filter.cli import main; main()", "review", str(table.path)]
        process = subprocess.Popen(
            [*line, "--reviewer", reviewer, "--rules", str(rules)], stdout=subprocess.PIPE, text=True,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )  # fmt: skip
        running.append(process)
        return process, re.search(r"http://\S+", process.stdout.readline())[0]

    yield start
    for process in running:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture
def visit(browser):
    """Opens an address in a browser of its own; any error on the page fails the test."""
    contexts, wrong = [], []

    def go(link, **options):
        context = browser.new_context(**{"viewport": {"width": 1300, "height": 800}, **options})
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
        page.goto(link)
        playwright.expect(page.locator(".card img[src]").first).to_be_visible()
        playwright.expect(page.locator("#name")).not_to_be_empty()
        return page

    yield go
    for context in contexts:
        context.close()
    assert not [text for text in wrong if "ERR_CONNECTION_REFUSED" not in text]  # that is a server that was stopped


def until(page, number):
    playwright.expect(page.locator("#counts")).to_have_text(f"{number} reviewed", timeout=20_000)


def test_page__twenty_rejected_by_keyboard_are_gone_from_what_is_kept(table_maker, tmp_path, serve, visit, rules):
    table = table_maker(tmp_path / "instances.lance", prompt=SCRIPT)
    assert decide_table(table, rules).kept == 30
    process, link = serve(table)
    page = visit(link)
    page.click("#decision >> text=kept")
    playwright.expect(page.locator("#shown")).to_have_text("30 of 60")
    page.focus("#grid")
    for _ in range(15):
        page.keyboard.press("r")
    for _ in range(4):
        page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("r")
    until(page, 20)
    page.keyboard.press("u")
    until(page, 15)
    page.click(".card[data-place='15']")
    page.click(".card[data-place='19']", modifiers=["Shift"])
    page.click("[data-say=reject]")
    until(page, 20)
    assert page.locator("#prompt").inner_text().count(SCRIPT) == 1 and page.title() == "Review instances.lance"
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 0 and "20 reviewed: 20 reject" in process.stdout.read()
    assert table.count("review = 'reject' AND reviewer = 'anna'") == 20
    report = decide_table(table, rules)
    assert (report.kept, report.overruled) == (10, 20)
    assert table.count("reject_reason = 'review: rejected (anna)'") == 20


def test_page__two_people_and_a_kill(reviewed, serve, visit):
    process, link = serve(reviewed)
    page = visit(link)
    page.keyboard.press("k")
    until(page, 1)
    page.keyboard.press("m")
    until(page, 2)
    process.kill()
    assert len(VerdictLog(log_path(reviewed.path)).state()) == 2
    anna, bob = visit(serve(reviewed)[1]), visit(serve(reviewed, "bob")[1])
    until(bob, 2)
    anna.keyboard.press("c")
    first = anna.locator("#which-list button").first.get_attribute("value")
    anna.keyboard.type(first)
    anna.keyboard.press("Enter")
    anna.wait_for_selector(".badge.category")
    bob.keyboard.press("r")  # the same instance, before the page has heard of it or after
    bob.wait_for_selector("#toast:not([hidden]), .badge.reject")
    said = [(one.review, one.reviewer) for one in VerdictLog(log_path(reviewed.path)).entries]
    assert said[:3] == [("keep", "anna"), ("mask", "anna"), ("category", "anna")]
    assert VerdictLog(log_path(reviewed.path)).entries[2].review_category == first
    bob.keyboard.press("ArrowRight")
    bob.keyboard.press("k")
    bob.wait_for_selector(".badge.keep")
    assert VerdictLog(log_path(reviewed.path)).entries[-1].reviewer == "bob"


@pytest.mark.parametrize("dark", [False, True])
def test_page__fits_a_phone(reviewed, serve, visit, dark):
    page = visit(
        serve(reviewed)[1],
        viewport={"width": 400, "height": 780},
        has_touch=True,
        is_mobile=True,
        color_scheme="dark" if dark else "light",
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    page.tap(".card[data-place='1']")
    page.tap("[data-say=keep]")
    page.wait_for_selector(".badge.keep")
    page.tap("#look")
    assert page.locator("#large").is_visible()
    page.tap("#close-detail")
    page.tap("#open-filters")
    page.tap("#review-choices >> text=not yet")
    page.tap("#open-filters")
    playwright.expect(page.locator("#shown")).to_have_text("59 of 60")
    shade = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (int(re.search(r"\d+", shade)[0]) < 80) == dark


def test_page__only_the_cards_in_sight_exist(table_maker, tmp_path, serve, visit):
    page = visit(serve(table_maker(tmp_path / "instances.lance", count=4000))[1])
    page.keyboard.press("End")
    page.wait_for_selector(".card[data-place='3999'] b:not(:empty)")
    assert page.locator(".card").count() < 80
    page.keyboard.press("Control+a")
    playwright.expect(page.locator("#chosen")).to_have_text("4,000 chosen")
    page.keyboard.press("k")
    until(page, "4,000")
