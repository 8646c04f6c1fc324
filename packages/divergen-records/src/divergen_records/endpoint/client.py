"""One request to an OpenAI-compatible endpoint, and what its failures mean."""

from __future__ import annotations

import json
import math
import os
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.message import Message
from email.utils import parsedate_to_datetime
from importlib import import_module
from importlib.util import find_spec
from operator import attrgetter
from typing import Any

from ..errors import ConfigError, require_extra
from .addresses import Places
from .downloads import download
from .errors import Rejected, Transient, Unreached
from .payload import read_payload
from .pictures import as_json, is_picture, read_pictures
from .secrets import BASE_VARIABLE, PUBLIC_URL, Redactor, check_url, key_headers, split_query

__all__ = ["CHAT", "IMAGES", "Client", "Reply", "Route", "StatusError"]

_LARGEST_CHAT = 2_000_000
_LARGEST_PICTURES = 200_000_000
_LONGEST_CONNECT = 30.0
"""Seconds for a connection to be made."""
_UNSEEN = re.compile(
    r"(?<!\\)((?:\\\\)*)\\u(?:00(?:0[0-8bcef]|1[0-9a-f]|7f)"
    r"|d[89ab][0-9a-f]{2}(?!\\ud[c-f])|(?<!\\ud[89ab][0-9a-f]{2}\\u)d[c-f][0-9a-f]{2})",
    re.IGNORECASE,
)
"""Escapes in JSON of letters that no text needs: those that a terminal obeys, and halves of pairs of UTF-16."""


@dataclass(frozen=True)
class Route:
    """A kind of request.

    Attributes:
        method: Where the client has it.
        required: Arguments that the client insists on; the request's own body takes their place.
        largest: Bytes of an answer; what is larger is not read to its end.
        read: Makes an answer's text a JSON object of the form that is known here; raises `Transient` if it is none.
    """

    method: str
    required: tuple[str, ...]
    largest: int
    read: Callable[[str], dict[str, Any]]


CHAT = Route("chat.completions.with_streaming_response.create", ("messages", "model"), _LARGEST_CHAT, read_payload)
IMAGES = Route("images.with_streaming_response.generate", ("prompt",), _LARGEST_PICTURES, read_pictures)


@dataclass(frozen=True)
class Reply:
    """An answer.

    Attributes:
        text: Its content.
        request_id: What the endpoint calls the request (``x-request-id``), where it says so.
    """

    text: str
    request_id: str | None = None


class StatusError(Exception):
    """An HTTP status of refusal.

    Args:
        status: The status.
        said: What the endpoint says, on one line, without secrets.
        body: The JSON of the answer, or of its ``error``; None where it is none.
        retry_after: Seconds that it asks to wait.
    """

    def __init__(self, status: int, said: str, body: object = None, retry_after: float | None = None) -> None:
        super().__init__(f"status {status}: {said}")
        self.status, self.said, self.body, self.retry_after = status, said, body, retry_after


class Client:
    """Sends requests with the ``openai`` library; every secret is taken out of what comes back.

    Args:
        base_url: For example ``http://localhost:8000/v1``; None for the public one.
        key: Sent to the endpoint; never written anywhere.
        timeout: Seconds for a connection, where that is less than half a minute.

    Raises:
        MissingExtra: If ``openai`` is not installed.
        ConfigError: If the address, the proxy or the certificates that the environment names cannot be used.
    """

    def __init__(self, base_url: str | None, key: str, timeout: float) -> None:
        with require_extra("divergen-records", "endpoint"):
            import openai  # type: ignore[import-not-found, unused-ignore]
        check_url(base_url)
        base_url = base_url or os.environ.get(BASE_VARIABLE) or None
        below, query = split_query(base_url) if base_url else (None, {})
        self.redact = Redactor(key)
        self.url = self.redact.url(base_url) if base_url else "the default endpoint"
        self._openai: Any = openai
        self._transport, self._unreached, self._no_address = _transport_errors()
        limits = openai.Timeout(None, connect=min(timeout, _LONGEST_CONNECT))
        try:
            # Attempts are counted by `Endpoint`, which sees answers of no use as well.
            # Of our own: `fetch` uses it without key.
            self._http: Any = openai.DefaultAsyncHttpxClient(timeout=limits, event_hooks={"request": [self._guard]})
            self._client: Any = openai.AsyncOpenAI(
                api_key=key,
                base_url=below or PUBLIC_URL,
                timeout=limits,
                max_retries=0,
                http_client=self._http,
                default_query=query,
                default_headers=key_headers(base_url, key),
            )
        except (ImportError, OSError, ValueError) as error:
            raise ConfigError(self._unusable(error)) from None
        self._key, self._places = key, Places(str(self._client.base_url))

    async def _guard(self, request: Any) -> None:
        """Keep a key from where a server redirects to; of ``Authorization`` httpx takes care itself."""
        if not self._places.is_endpoint(str(request.url)):
            request.headers.pop("api-key", None)

    def _unusable(self, error: Exception) -> str:
        if isinstance(error, ImportError):
            return (
                "the environment names a SOCKS proxy (ALL_PROXY, HTTPS_PROXY), which needs another package: "
                "pip install socksio; or unset the variable"
            )
        if isinstance(error, OSError):
            return (
                f"the certificates that the environment names (SSL_CERT_FILE, SSL_CERT_DIR) cannot be read: "
                f"{error.strerror or type(error).__name__}; correct or unset the variable"
            )
        return (
            f"the proxy that the environment names (ALL_PROXY, HTTPS_PROXY) cannot be used: {self.redact.line(error)}"
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def send(self, route: Route, body: Mapping[str, Any]) -> Reply:
        """The text of an answer, and the request's id.

        Raises:
            StatusError: If it has a status of refusal.
            Transient: If there is no connection, or the answer is too large.
        """
        create = attrgetter(route.method)(self._client)
        content = bytearray()
        try:
            # In extra_body, as the client would walk through all of it with every request, which takes 3 to 5 ms.
            async with create(**dict.fromkeys(route.required, ""), extra_body=body) as response:
                kind = response.headers.get("content-type", "")
                async for chunk in response.iter_bytes():
                    content += chunk
                    if len(content) > route.largest:
                        raise Transient(f"the answer is larger than {route.largest / 1e6:g} MB")
        except self._openai.APIStatusError as error:
            raise self._status(error) from None
        except (self._openai.APIConnectionError, *self._transport) as error:
            cause = error.__cause__ or error
            unsent = Unreached if isinstance(cause, self._unreached) else Transient
            raise unsent(f"no connection to {self.url}: {self.redact.line(cause) or type(cause).__name__}") from None
        name, finish = response.headers.get("x-request-id"), response.headers.get("finish-reason")
        whole = bytes(content)
        text = (
            as_json(whole, finish)
            if is_picture(whole, kind)
            else self.redact(_UNSEEN.sub(r"\1", _decoded(whole, kind)))
        )
        return Reply(text, name and self.redact.line(name))

    async def fetch(self, address: str) -> bytes:
        """What is behind an address that an answer names; see `download`.

        Raises:
            Rejected: If it may not be opened, or is gone.
            Transient: If there is no connection, or the server says that this passes.
        """
        shown = self.redact.url(address)
        try:
            return await download(
                self._http, address, places=self._places, key=self._key, redact=self.redact, retry_after=_retry_after
            )
        except self._no_address as error:
            raise Rejected(f"{shown!r} is no address of a picture: {self.redact.line(error)}") from None
        except self._transport as error:
            raise Transient(f"no connection to {shown}: {self.redact.line(error) or type(error).__name__}") from None

    def _status(self, error: Any) -> StatusError:
        body = json.loads(_UNSEEN.sub(r"\1", json.dumps(error.body))) if isinstance(error.body, dict) else None
        said = (body.get("message") or json.dumps(body, ensure_ascii=False)) if body else error.body or error
        asked = error.response.request
        if error.response.history and asked.method == "GET":
            said = f"a redirect made another request of it; name {self.redact.url(str(asked.url))}, less its end"
        return StatusError(error.status_code, self.redact.line(said), body, _retry_after(error.response.headers))


def _decoded(content: bytes, kind: str) -> str:
    """An answer's text: in the encoding that its first bytes show, else in the one that its type names."""
    declared = Message()
    declared["content-type"] = kind
    for encoding in (json.detect_encoding(content), declared.get_content_charset() or "utf-8"):
        try:
            return content.decode(encoding)
        except (UnicodeDecodeError, LookupError):
            continue
    return content.decode("utf-8", "replace")


def _retry_after(headers: Any) -> float | None:
    """Seconds, from ``retry-after-ms`` or ``Retry-After`` (seconds or a date)."""
    for name, scale in (("retry-after-ms", 1e-3), ("retry-after", 1.0)):
        text = headers.get(name)
        if text is None:
            continue
        try:
            seconds = float(text) * scale
        except ValueError:
            try:
                seconds = parsedate_to_datetime(text).timestamp() - time.time()
            except ValueError:
                continue
        if math.isfinite(seconds):
            return max(0.0, seconds)
    return None


def _transport_errors() -> tuple[tuple[type[Exception], ...], ...]:
    """What the HTTP library raises, what of it says that nothing was sent, and what that an address is none.

    Which library it is depends on the version of openai.
    """
    modules = [import_module(name) for name in ("httpx2", "httpx") if find_spec(name)]
    unreached = [error for module in modules for error in (module.ConnectError, module.ConnectTimeout)]
    broken = (*(module.HTTPError for module in modules), OSError)
    return broken, tuple(unreached), tuple(module.InvalidURL for module in modules)
