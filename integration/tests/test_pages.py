"""Every page with foreign text in all its fields, opened in Chromium: nothing of the text runs, nothing is fetched."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import numpy as np
import pytest
import yaml
from divergen import Run
from divergen.demo import _page
from divergen.hub import Published, describe
from divergen.report import write_report
from divergen_annotate.preview import PreviewWriter
from divergen_filter import write_sheet
from divergen_records import InstanceRecord

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=4000", "--dump-dom")
HOSTILE = (
    "<script>new Image().src='/ran'</script>",
    "</style></title></script><img src=/ran onerror=\"new Image().src='/ran'\">",
    "\"' onload='new Image().src=`/ran`' style='background:url(/ran)' x='",
    "javascript:new Image().src='/ran'",
    "<svg onload=\"fetch('/ran')\"><a href='javascript:alert(1)'>x</a></svg>{{ 7*7 }}",
)


@pytest.fixture(scope="module")
def rows(finished: Run) -> list[InstanceRecord]:
    """Instances each of whose texts are foreign, in turn kept, rejected and failed."""
    first = next(finished.table.records("kept AND mask IS NOT NULL"))
    fates = ({"kept": True}, {"kept": False}, {"kept": None, "error": "", "image": None, "mask": None})
    made = []
    for number, text in enumerate(HOSTILE):
        named = {"category": text, "prompt": text, "generator": text, "generator_revision": text}
        named |= {"prompt_source": text, "reject_reason": text, "category_id": 900 + number}
        for fate, changes in enumerate(fates):
            unique = {"id": f"{text}{number}{fate}", **changes}
            if "error" in changes:
                unique |= {"error": text, "error_stage": text}
            made.append(first.model_copy(update=named | unique))
    return made


@pytest.fixture(scope="module")
def hostile(finished: Run, rows: list[InstanceRecord], tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run that holds them."""
    folder = tmp_path_factory.mktemp("hostile") / "run"
    shutil.copytree(finished.folder, folder)
    run = Run(folder)
    run.table.append(rows)
    return run


@pytest.fixture(scope="module")
def pages(hostile: Run, rows: list[InstanceRecord], tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Every page that is a file, by name."""
    folder = tmp_path_factory.mktemp("pages")
    write_sheet(hostile.table, folder / "sheet.html", score="area_fraction", max_categories=99)
    with PreviewWriter(folder / "masks.html") as preview:
        for text in HOSTILE:
            preview.add(text, lambda: np.zeros((8, 8, 3), np.uint8), [np.eye(8, dtype=bool)], text)
    kept = [row for row in rows if row.mask]
    (folder / "demo.html").write_text(_page(HOSTILE, kept), encoding="utf-8")
    shutil.copy(write_report(hostile), folder / "report.html")
    return {path.stem: path.read_text(encoding="utf-8") for path in folder.iterdir()}


class Site:
    """Pages on loopback.

    Attributes:
        fetched: Paths that were asked for and are no page.
    """

    def __init__(self, pages: dict[str, str]) -> None:
        self.fetched: list[str] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                page = pages.get(self.path[1:])
                self.send_response(200 if page else 404)
                self.send_header("content-type", "text/html; charset=utf-8")
                self.end_headers()
                self.wfile.write((page or "").encode())
                if not page and self.path != "/favicon.ico":
                    site.fetched.append(self.path)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def open_all() -> Iterator[Callable[[dict[str, str]], list[str]]]:
    """Opens pages in Chromium, all in frames of one; gives what they fetched."""
    sites = []

    def opened(pages: dict[str, str]) -> list[str]:
        frames = "".join(f'<iframe src="/{name}"></iframe>' for name in pages)
        site = Site({**pages, "all": f"<!doctype html>{frames}"})
        sites.append(site)
        Thread(target=site.server.serve_forever, daemon=True).start()
        look(f"{site.address}/all")
        return site.fetched

    yield opened
    for site in sites:
        site.server.shutdown()
        site.server.server_close()


def look(address: str) -> str:
    """The page as Chromium has it after its scripts."""
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed")
    return subprocess.run([CHROMIUM, *FLAGS, address], capture_output=True, text=True, check=True, timeout=60).stdout


class Reader(HTMLParser):
    """Notes what a browser would run or fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        links = [value or "" for key, value in attrs if key in ("src", "href", "action", "formaction", "style")]
        runs = [key for key, _ in attrs if key.startswith("on")]
        if tag in ("script", "iframe", "object", "base") or runs or re.search("javascript:|/ran", " ".join(links)):
            self.found.append(f"{tag} {dict(attrs)}")


def elements(page: str) -> list[str]:
    """Elements of a page that would run or fetch something."""
    reader = Reader()
    reader.feed(page)
    return reader.found


def without_policy(page: str) -> str:
    """The page without its second line of defence."""
    bare, found = re.subn(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page)
    assert found == 1
    return bare


def test_pages__hold_all_the_foreign_text_and_none_of_its_elements(pages: dict[str, str]) -> None:
    assert set(pages) == {"sheet", "masks", "demo", "report"}
    for name, page in pages.items():
        assert elements(page) == [], name
        assert page.count("/ran") >= len(HOSTILE), name  # it is there, as text
        assert "{{ 7*7 }}" in page and ">49" not in page
        assert "default-src &#39;none&#39;" in page, name


def test_pages__in_chromium_nothing_runs(
    pages: dict[str, str], open_all: Callable[[dict[str, str]], list[str]]
) -> None:
    assert open_all({"control": HOSTILE[0]}) == ["/ran"]  # else this sees nothing
    assert open_all(pages) == []
    assert open_all({name: without_policy(page) for name, page in pages.items()}) == []


def test_review__in_chromium_nothing_runs(hostile: Run) -> None:
    line = [sys.executable, "-u", "-m", "divergen", "review", str(hostile.folder), "--reviewer", HOSTILE[1][:70]]
    server = subprocess.Popen(line, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        link = re.search(r"http://\S+", server.stdout.readline())
        assert link is not None
        page = look(link[0])
    finally:
        server.kill()
        server.communicate()
    assert page.count("/ran") > len(HOSTILE)  # the scripts of the page have filled it in
    assert [one for one in elements(page) if "/page/main.js" not in one] == []


def test_card__foreign_text_is_no_markup(rows: list[InstanceRecord]) -> None:
    published = Published()
    published.add([row.model_dump() for row in rows])
    front, body = describe(published, "org/name").split("---\n", 2)[1:]
    assert set(yaml.safe_load(front)) == {"license", "task_categories", "tags", "size_categories", "configs"}
    assert "<" not in body
