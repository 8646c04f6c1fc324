from __future__ import annotations

import pytest
from divergen_records import ConfigError
from divergen_records.endpoint import NO_KEY, Redactor, read_key
from divergen_records.endpoint.secrets import check_url


def test_read_key__none_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("K", raising=False)
    assert read_key("K", "http://127.0.0.1:1/v1") == NO_KEY
    monkeypatch.setenv("K", " sk-1234567 \n")
    assert read_key("K", None) == "sk-1234567"


def test_redactor__takes_out_keys_and_what_addresses_hold() -> None:
    redact = Redactor("sk-1234567", NO_KEY, "abc")
    assert redact.line("no: sk-1234567\n abc none") == "no: *** abc none"
    assert redact.url("https://me:pass@host:8/v1/sk-1234567?key=1") == "https://host:8/v1/***"


@pytest.mark.parametrize(
    "url",
    [
        "localhost:8000",
        "ftp://x/v1",
        "http://",
        "http://[bad",
        "http://u:secret@:x/v1",
        "",
        " http://x/v1",
        "http://x/v1\n",
    ],
)
def test_check_url__no_address(url: str) -> None:
    with pytest.raises(ConfigError, match="expected an address") as raised:
        check_url(url)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://x/v1/chat/completions", "end it before '/chat/completions'"),
        ("http://x/v1/images/generations/", "end it before '/images/generations/'"),
        ("http://x/v1/chat/completions?key=secret", "leave out '/chat/completions'"),
        ("http://x/v1?a=1&b=secret&a=2", "says 'a' twice"),
        ("http://x/v1?api-version=1&sig=secret", "holds 'sig', which would stand in configurations"),
    ],
)
def test_check_url__what_is_more_than_a_base(url: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as raised:
        check_url(url)
    assert "secret" not in str(raised.value)
    check_url("https://models.example.com/models")


def test_check_url__the_one_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "localhost:1234")
    with pytest.raises(ConfigError, match="OPENAI_BASE_URL is 'localhost:1234'"):
        check_url(None)
    check_url("http://x/v1")
