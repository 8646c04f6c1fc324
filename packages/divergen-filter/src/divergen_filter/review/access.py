"""Who may use the page: the browser that opened the one-time link, on this machine, and no other page in it.

The server listens on 127.0.0.1. A foreign page may still make a browser send requests there, under the server's address
(CSRF) or under a name of its own that it lets point there (DNS rebinding). So the host must be ours by name, the origin
of what writes must be ours, and a cookie that only the link gives must come along.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from hmac import compare_digest
from threading import Lock
from urllib.parse import parse_qs

from divergen_records.errors import require_extra

with require_extra("divergen-filter", "review"):
    from starlette.datastructures import Headers, MutableHeaders
    from starlette.requests import cookie_parser
    from starlette.responses import PlainTextResponse, RedirectResponse
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["Access", "Guard"]

_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
_SAFE = ("GET", "HEAD")


class Access:
    """The one-time token, and the session that it opens.

    Args:
        port: Port of the server.

    Attributes:
        token: Opens the page once.
        hosts: What the address line may say.
    """

    def __init__(self, port: int) -> None:
        self.token = secrets.token_urlsafe(24)
        self.hosts = (f"127.0.0.1:{port}", f"localhost:{port}")
        self.cookie = f"divergen-review-{port}"  # cookies do not tell ports apart
        self._sessions: set[str] = set()
        self._used, self._lock = False, Lock()

    def link(self) -> str:
        """The address to open."""
        return f"http://{self.hosts[0]}/?token={self.token}"

    def open(self, token: str) -> str | None:
        """A new session for the right token, at its first use; None otherwise."""
        with self._lock:
            if self._used or not compare_digest(token.encode(), self.token.encode()):
                return None
            self._used = True
            session = secrets.token_urlsafe(32)
            self._sessions.add(session)
            return session

    def knows(self, session: str) -> bool:
        """Whether a browser has opened the page by the link."""
        return session in self._sessions


class Guard:
    """ASGI middleware that lets nothing else pass, and adds the headers of security to every answer."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self.app, self.access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check a request, then answer it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        answer = self._answer(scope) or self.app
        await answer(scope, receive, _with_headers(send))

    def _answer(self, scope: Scope) -> ASGIApp | None:
        """What is said instead of the page; None where it may be used."""
        headers = Headers(scope=scope)
        host, origin = headers.get("host", ""), headers.get("origin")
        if host not in self.access.hosts:
            return PlainTextResponse("this server answers to 127.0.0.1 alone", 421)
        if (origin is not None or scope["method"] not in _SAFE) and origin != f"http://{host}":
            return PlainTextResponse("this comes from another page", 403)
        if scope["path"] == "/" and (token := parse_qs(scope["query_string"].decode("latin-1")).get("token")):
            session = self.access.open(token[0])
            if session is not None:
                return self._welcome(session)
        if not self.access.knows(cookie_parser(headers.get("cookie", "")).get(self.access.cookie, "")):
            return PlainTextResponse(
                "This page is for the browser that opened its link, and a link opens it once.\n"
                "Start the command again for a new one; verdicts are kept.",
                403,
            )
        return None

    def _welcome(self, session: str) -> ASGIApp:
        answer = RedirectResponse("/", 303)
        answer.set_cookie(self.access.cookie, session, httponly=True, samesite="strict")
        return answer


def _with_headers(send: Send) -> Callable[[Message], Awaitable[None]]:
    async def add(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers[name] = value
            headers.setdefault("cache-control", "no-store")
        await send(message)

    return add
