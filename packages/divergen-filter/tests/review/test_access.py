"""The page answers the browser that opened its link, and nobody else."""

from __future__ import annotations

import asyncio

import pytest
from divergen_filter.review.access import Access
from divergen_filter.review.app import review_app
from divergen_filter.review.pictures import Pictures

HOST = "127.0.0.1:8765"


class Server:
    """The application without a socket."""

    def __init__(self, desk, table):
        self.access = Access(8765)
        self.app = review_app(desk, Pictures(table), self.access, title="t", reviewer="anna", told=lambda: None)

    def ask(self, path="/", method="GET", body=b"", **headers):
        """Status, headers and body of an answer."""
        path, _, query = path.partition("?")
        given = {"host": HOST, **{name.replace("_", "-"): value for name, value in headers.items()}}
        scope = {
            "type": "http", "http_version": "1.1", "method": method, "path": path, "raw_path": path.encode(),
            "query_string": query.encode(), "root_path": "", "scheme": "http", "server": ("127.0.0.1", 8765),
            "headers": [(name.encode(), value.encode()) for name, value in given.items()],
        }  # fmt: skip
        sent, asked = [], []

        async def receive():
            if asked:  # as a browser that waits for its answer
                await asyncio.Event().wait()
            asked.append(1)
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message):
            sent.append(message)

        asyncio.run(self.app(scope, receive, send))
        found = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        return sent[0]["status"], found, b"".join(message.get("body", b"") for message in sent[1:])

    def cookie(self):
        status, headers, _ = self.ask(f"/?token={self.access.token}")
        assert status == 303
        return headers["set-cookie"].partition(";")[0]


@pytest.fixture
def server(desk, reviewed):
    return Server(desk, reviewed)


def test_guard__the_link_opens_once(server):
    assert server.ask()[0] == 403
    assert server.ask("/?token=guess")[0] == 403
    cookie = server.cookie()
    assert server.ask(f"/?token={server.access.token}")[0] == 403
    status, headers, body = server.ask(cookie=cookie)
    assert status == 200 and b"<title>Review" in body
    assert "script-src 'self'" in headers["content-security-policy"] and "unsafe" not in str(headers)
    assert headers["cache-control"] == "no-store"


def test_guard__cookie_is_for_this_server_alone(server):
    _, headers, _ = server.ask(f"/?token={server.access.token}")
    assert headers["set-cookie"].startswith("divergen-review-8765=")
    assert {"httponly", "samesite=strict"} <= {part.strip().lower() for part in headers["set-cookie"].split(";")}


@pytest.mark.parametrize("host", ["evil.example:8765", "127.0.0.1:80", "127.0.0.1", "", "localhost.evil.example:8765"])
def test_guard__refuses_other_names_of_this_machine(server, host):
    assert server.ask(cookie=server.cookie(), host=host)[0] == 421


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://127.0.0.1:9999", "https://127.0.0.1:8765", None]
)
def test_guard__refuses_what_another_page_writes(server, origin, desk):
    body = b'{"rows":[0],"versions":[0],"review":"keep","review_category":null,"reviewer":"eve"}'
    headers = {"cookie": server.cookie(), **({"origin": origin} if origin else {})}
    assert server.ask("/judge", "POST", body, **headers)[0] == 403
    assert desk.rows.state(0)["review"] is None
    assert server.ask("/judge", "POST", body, **{**headers, "origin": f"http://{HOST}"})[0] == 200


def test_app__pictures_and_sentences(server):
    cookie = server.cookie()
    for view, kind in (("outline", "image/jpeg"), ("plain", "image/jpeg"), ("cutout", "image/webp")):
        status, headers, body = server.ask(f"/picture/0/{view}/64", cookie=cookie)
        assert (status, headers["content-type"]) == (200, kind) and body
    assert server.ask("/picture/99/outline/64", cookie=cookie)[0] == 404
    assert server.ask("/page/../desk.py", cookie=cookie)[0] == 404
    for body in (b"{", b'{"order":"best"}', b'{"order":"low","score":"beauty"}'):
        status, _, text = server.ask("/find", "POST", body, cookie=cookie, origin=f"http://{HOST}")
        assert status == 400 and text
