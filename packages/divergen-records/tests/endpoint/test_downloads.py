from __future__ import annotations

import asyncio

import pytest
from divergen_records.endpoint import Endpoint, Rejected, downloads
from divergen_records.endpoint.testing import Exchange, Loopback

pytest.importorskip("openai")
KEY = "sk-planted-0123456789"


def fetch(server: Loopback, address: str) -> bytes:
    async def run() -> bytes:
        async with Endpoint(base_url=server.url, key=KEY, backoff=0.01, retries=2, timeout=2.0) as endpoint:
            return await endpoint.fetch(address)

    return asyncio.run(run())


def ask(_: Exchange) -> None:
    raise AssertionError("nothing is asked for")


def test_fetch__follows_redirects_and_tells_the_endpoint_alone_the_key() -> None:
    with (
        Loopback(ask, lambda exchange: exchange.send(200, b"picture", "image/png")) as other,
        Loopback(ask, lambda exchange: exchange.send(302, "", location=f"{other.url}/b.png?sig=1")) as server,
    ):
        assert fetch(server, "/a.png") == b"picture"
    assert [(path, headers.get("authorization")) for path, headers in server.fetched] == [("/a.png", f"Bearer {KEY}")]
    assert [(path, headers.get("authorization")) for path, headers in other.fetched] == [("/v1/b.png?sig=1", None)]


def test_fetch__asks_again_where_it_passes() -> None:
    statuses = [503, 429, 200]

    def give(exchange: Exchange) -> None:
        exchange.send(statuses.pop(0), b"picture", "image/png", retry_after_ms="10")

    with Loopback(ask, give) as server:
        assert fetch(server, f"{server.url}/a.png") == b"picture"
    assert len(server.fetched) == 3


@pytest.mark.parametrize(
    ("status", "kind", "more", "said", "times"),
    [
        (403, "text/plain", {}, "/a.png answers with status 403: it has expired", 1),
        (200, "text/html", {}, "holds a web page", 1),
        (302, "text/plain", {"location": "file:///etc/passwd"}, "only http and https", 1),
        (302, "text/plain", {"location": "http://169.254.169.254/"}, "private network", 1),
        (302, "text/plain", {"location": "/a.png"}, "redirects for ever", 6),
        (500, "text/plain", {}, "answers with status 500, in 3 attempts", 3),
        (429, "text/plain", {"retry_after": "86400"}, "answers with status 429", 1),
    ],
)
def test_fetch__says_why_there_is_none(status: int, kind: str, more: dict[str, str], said: str, times: int) -> None:
    give = Loopback(ask, lambda exchange: exchange.send(status, b"no", kind, **more))
    with give as server, pytest.raises(Rejected) as raised:
        fetch(server, "/a.png?sig=secret")
    assert said in str(raised.value) and "secret" not in str(raised.value) and KEY not in str(raised.value)
    assert len(server.fetched) == times


def test_fetch__stops_where_it_is_too_large_or_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "_LARGEST", 5)
    with Loopback(ask, lambda exchange: exchange.send(200, b"picture", "image/png")) as server:
        with pytest.raises(Rejected, match="holds more than"):
            fetch(server, "/a.png")
        with pytest.raises(Rejected, match=r"no connection to http://127.0.0.1:9/a.png: .* in 3 attempts"):
            fetch(server, "http://127.0.0.1:9/a.png")
        with pytest.raises(Rejected, match="no address of a picture"):
            fetch(server, "http://127.0.0.1/\x00")
