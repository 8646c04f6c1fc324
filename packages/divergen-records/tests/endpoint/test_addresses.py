from __future__ import annotations

import asyncio

import pytest
from divergen_records.endpoint import Rejected
from divergen_records.endpoint.addresses import Places

PUBLIC, PRIVATE = "https://8.8.8.8/v1", "http://192.168.1.2:8000/v1"


def checked(base: str, address: str, opened_from: str | None = None) -> str:
    return asyncio.run(Places(base).checked(address, opened_from))


@pytest.mark.parametrize(
    ("base", "address", "whole"),
    [
        (PUBLIC, "https://1.1.1.1/a.png?sig=x", "https://1.1.1.1/a.png?sig=x"),
        (PUBLIC, "/files/a.png", "https://8.8.8.8/files/a.png"),
        (PUBLIC, "files/a.png", "https://8.8.8.8/v1/files/a.png"),
        (PUBLIC, "//1.1.1.1/a.png", "https://1.1.1.1/a.png"),
        (PRIVATE, "http://127.0.0.1:9/a.png", "http://127.0.0.1:9/a.png"),
        (PRIVATE, "http://192.168.1.2/a.png", "http://192.168.1.2/a.png"),
        ("http://127.0.0.1:1/v1", "http://10.0.0.1/a.png", "http://10.0.0.1/a.png"),
    ],
)
def test_checked__what_may_be_opened(base: str, address: str, whole: str) -> None:
    assert checked(base, address) == whole


@pytest.mark.parametrize(
    ("base", "address", "said"),
    [
        (PUBLIC, "file:///etc/passwd", "only http and https"),
        (PUBLIC, "gopher://1.1.1.1/", "only http and https"),
        (PUBLIC, "http://", "only http and https"),
        (PUBLIC, "http://[::1", "only http and https"),
        (PUBLIC, "http://127.0.0.1/a.png", "private network (127.0.0.1)"),
        (PUBLIC, "http://localhost/a.png", "private network (localhost)"),
        (PUBLIC, "http://2130706433/a.png", "private network"),
        (PUBLIC, "http://[::1]/a.png", "private network"),
        (PUBLIC, "http://[::ffff:10.0.0.1]/a.png", "private network"),
        (PUBLIC, "http://169.254.169.254/latest/meta-data", "private network"),
        (PRIVATE, "http://169.254.169.254/latest/meta-data", "private network"),
        (PRIVATE, "http://0.0.0.0/a.png", "private network"),
    ],
)
def test_checked__what_may_not(base: str, address: str, said: str) -> None:
    with pytest.raises(Rejected) as raised:
        checked(base, address)
    assert said in str(raised.value)


def test_checked__a_redirect_is_relative_to_where_it_leads_from() -> None:
    assert checked(PUBLIC, "b.png", "https://1.1.1.1/x/a.png") == "https://1.1.1.1/x/b.png"


@pytest.mark.parametrize(
    ("address", "same"),
    [
        ("https://8.8.8.8:443/a", True),
        ("https://8.8.8.8/a", True),
        ("http://8.8.8.8/a", False),
        ("https://8.8.8.8:8443/a", False),
        ("https://8.8.8.8.evil.com/a", False),
        ("https://8.8.8.8@evil.com/a", False),
    ],
)
def test_is_endpoint__alone_sees_the_key(address: str, same: bool) -> None:
    assert Places(PUBLIC).is_endpoint(address) is same
