"""Keys: read from the environment, sent to the endpoint, and shown nowhere."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from urllib.parse import parse_qsl, quote, quote_plus, urlsplit, urlunsplit

from ..errors import ConfigError

__all__ = [
    "BASE_VARIABLE",
    "NO_KEY",
    "PUBLIC_URL",
    "Redactor",
    "check_url",
    "key_headers",
    "read_key",
    "split_query",
]

NO_KEY = "none"
"""What is sent where an endpoint of one's own needs no key."""
BASE_VARIABLE = "OPENAI_BASE_URL"
"""Environment variable that names the endpoint where no setting does."""
PUBLIC_URL = "https://api.openai.com/v1"
"""The endpoint where neither names one."""
_REQUEST = re.compile(r"/(?:chat/completions|completions|images/generations|responses)/?\Z")
_UNSEEN = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
"""Letters that move a terminal's cursor or colour it, and halves of pairs of UTF-16, which cannot be written."""
_SECRET = re.compile(r"key|token|secret|sig|pass|pwd|auth|code|cred|sas|jwt", re.IGNORECASE)
_SHORTEST = 6
"""Letters; a shorter "key" is a word, and no secret."""


def read_key(variable: str, base_url: str | None) -> str:
    """The key from the environment; endpoints of your own may need none.

    Raises:
        ConfigError: If the variable is not set and the endpoint is the public one, or it holds no key but something
            that no HTTP header can carry. The message does not show it.
    """
    key = os.environ.get(variable, "").strip()
    if not key and base_url is None and not os.environ.get(BASE_VARIABLE):
        raise ConfigError(
            f"the environment variable {variable} holds no key; set it, or name your endpoint (base_url, or --base-url)"
        )
    for position, letter in enumerate(key, 1):
        if not "!" <= letter <= "~":
            what = "a line break" if letter in "\r\n" else "a space" if letter.isspace() else "a letter beyond ASCII"
            raise ConfigError(
                f"the environment variable {variable} holds {what} at position {position} of {len(key)}: that is no "
                "key. Copy it again, alone and on one line"
            )
    return key or NO_KEY


def check_url(base_url: str | None) -> None:
    """Refuse what is no address that requests can be made below.

    Args:
        base_url: The address; where there is none, the one that the environment names.

    Raises:
        ConfigError: If it does not begin with http:// or https:// and a host, is that of a request, or its query holds
            a key or says something twice.
    """
    name = "base_url" if base_url is not None else BASE_VARIABLE
    base_url = base_url if base_url is not None else os.environ.get(BASE_VARIABLE) or None
    if base_url is None:
        return
    try:
        parts = urlsplit(base_url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
        usable = usable and not re.search(r"\s", base_url)
    except ValueError:
        usable = False
    if not usable:
        raise ConfigError(
            f"{name} is {Redactor().url(base_url)!r}; expected an address such as http://localhost:8000/v1"
        )
    if request := _REQUEST.search(parts.path):
        mend = "leave out" if parts.query else "end it before"
        raise ConfigError(f"{name} is the address of a request; {mend} {request.group()!r}")
    names = [key for key, _ in parse_qsl(parts.query, keep_blank_values=True)]
    if len(set(names)) < len(names):
        raise ConfigError(f"the query of {name} says {max(names, key=names.count)!r} twice; leave one out")
    if keys := [key for key in names if _SECRET.search(key)]:
        raise ConfigError(
            f"the query of {name} holds {keys[0]!r}, which would stand in configurations and logs; a key belongs into "
            "the environment"
        )


def split_query(base_url: str) -> tuple[str, dict[str, str]]:
    """An address without its query, and what the query says, to go along with every request (Azure's api-version)."""
    parts = urlsplit(base_url)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    return urlunsplit((parts.scheme, parts.netloc, parts.path, "", "")), query


def key_headers(base_url: str | None, key: str) -> dict[str, str]:
    """Headers that a server wants a key in besides OpenAI's ``Authorization``: Azure's own."""
    host = (urlsplit(base_url or "").hostname or "").rstrip(".")
    return {"api-key": key} if key != NO_KEY and host.endswith((".azure.com", ".azure.us", ".azure.cn")) else {}


class Redactor:
    """Takes secrets out of texts.

    Args:
        secrets: What must never be seen, as it is and as JSON or a URL would write it.
    """

    def __init__(self, *secrets: str) -> None:
        plain = {secret for secret in secrets if secret != NO_KEY and len(secret) >= _SHORTEST}
        self._secrets = sorted({form for secret in plain for form in _forms(secret)}, key=len, reverse=True)

    def __call__(self, text: str) -> str:
        """The text with each secret as ``***``."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text

    def line(self, said: object, longest: int = 300) -> str:
        """A text or an error on one line, without secrets."""
        return self(" ".join(_UNSEEN.sub(" ", str(said)).split()))[:longest]

    def url(self, address: str) -> str:
        """An address without user, password and query, which may hold keys."""
        try:
            parts = urlsplit(address)
            host = parts.netloc.rpartition("@")[2]
            return self(urlunsplit((parts.scheme, host, parts.path, "", "")))
        except ValueError:
            return "an address that cannot be read"


def _forms(secret: str) -> Iterator[str]:
    yield secret
    yield json.dumps(secret)[1:-1]
    for safe in ("", "/", "/+=", "=", "+="):
        yield quote(secret, safe=safe)
        yield quote_plus(secret, safe=safe)
