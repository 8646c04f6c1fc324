"""Whether an endpoint answers, by the one request that costs nothing: the list of its models."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from http.client import HTTPException
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from ..requirements import Finding
from .secrets import (
    BASE_VARIABLE,
    NO_KEY,
    PUBLIC_URL,
    Redactor,
    check_url,
    key_headers,
    read_key,
    split_query,
)

__all__ = ["EndpointAnswers"]

_SECONDS = 5
_REFUSED = (401, 403)
_DOWN = (500, 502, 503, 504)
_NOWHERE = (404, 405)


@dataclass(frozen=True)
class EndpointAnswers:
    """An OpenAI-compatible endpoint that has to be there.

    Attributes:
        model: The model's name at the endpoint.
        base_url: As of `Endpoint`.
        key_variable: Environment variable that holds the key.
        route: Where the work is asked for; looked for where there is no list of models.
    """

    model: str
    base_url: str | None = None
    key_variable: str = "OPENAI_API_KEY"
    route: str = "chat/completions"

    def look(self) -> Finding | None:
        """Whether it answers and takes the key; a model that it does not list is told, for not all list all."""
        url = self.base_url or os.environ.get(BASE_VARIABLE) or PUBLIC_URL
        check_url(url)
        key = read_key(self.key_variable, self.base_url)
        redact = Redactor(key)
        shown = redact.url(url).rstrip("/")
        headers = {} if key == NO_KEY else {"Authorization": f"Bearer {key}", **key_headers(url, key)}
        request = _request(url, "models", headers)
        try:
            with urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310 (as above)
                if answer.headers.get_content_type() == "text/html":
                    return Finding(f"{shown} is a web page; mend base_url, which mostly ends with /v1", problem=True)
                listed = _names(answer.read())
        except HTTPError as error:
            if error.code in _NOWHERE and self._is_nowhere(url, headers):
                text = f"{shown} has neither /models nor /{self.route} (HTTP {error.code})"
                return Finding(f"{text}; mend base_url, which mostly ends with /v1", problem=True)
            return _told(shown, error.code, self.key_variable)
        except (OSError, HTTPException) as error:
            reason = redact.line(getattr(error, "reason", error))
            return Finding(f"{shown} does not answer ({reason}); start the server, or mend base_url", problem=True)
        said = "" if self.model in listed or not listed else f", but does not list {self.model!r}"
        return Finding(f"{shown} answers{said}")

    def _is_nowhere(self, url: str, headers: dict[str, str]) -> bool:
        """Whether work cannot be asked for here, by a request that asks for nothing: a server refuses it unpaid."""
        request = _request(url, self.route, {**headers, "Content-Type": "application/json"}, b"{}")
        try:
            with urlopen(request, timeout=_SECONDS):  # noqa: S310 (as above)
                return False
        except HTTPError as error:
            return error.code in _NOWHERE
        except (OSError, HTTPException):
            return False


def _request(url: str, route: str, headers: dict[str, str], data: bytes | None = None) -> Request:
    """A request below an address; its headers, the key among them, do not follow where a server redirects."""
    base, query = split_query(url)
    address = f"{base.rstrip('/')}/{route}" + (f"?{urlencode(query)}" if query else "")
    request = Request(address, data=data)  # noqa: S310 (check_url let http and https through)
    for name, value in headers.items():
        request.add_unredirected_header(name, value)
    return request


def _told(shown: str, status: int, variable: str) -> Finding:
    if status in _REFUSED:
        return Finding(f"{shown} refuses the key of {variable} (HTTP {status}); set another", problem=True)
    if status in _DOWN:
        return Finding(f"{shown} is down (HTTP {status}); start the server, or mend base_url", problem=True)
    return Finding(f"{shown} answers")  # and lists no models


def _names(body: bytes) -> set[str]:
    """The models of a list; none where it is something else."""
    try:
        return {str(model["id"]) for model in json.loads(body)["data"]}
    except (ValueError, TypeError, LookupError, RecursionError):
        return set()
