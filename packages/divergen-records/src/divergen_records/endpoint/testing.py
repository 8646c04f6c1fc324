"""An endpoint on loopback that answers as it is told, to test what talks to endpoints.

>>> from divergen_records.endpoint.testing import Loopback
>>> with Loopback(lambda exchange: exchange.send(200, {"choices": []})) as server:
...     print(server.url.startswith("http://127.0.0.1:"))
True
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

__all__ = ["Exchange", "Loopback", "completion"]


class Exchange:
    """One request and the way to answer it.

    Attributes:
        body: The request's JSON; empty of one that fetches.
        headers: Its headers, names in lower case.
        path: Its path.
        handler: The HTTP handler, for what no honest server does.
    """

    def __init__(self, handler: BaseHTTPRequestHandler) -> None:
        self.handler, self.path = handler, handler.path
        sent = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        self.body: dict[str, Any] = json.loads(sent or b"{}")
        self.headers = {key.lower(): value for key, value in handler.headers.items()}

    def send(self, status: int, content: object, kind: str = "application/json", **headers: str) -> None:
        """Answer with bytes, a text, or something that becomes JSON."""
        text = content if isinstance(content, (str, bytes)) else json.dumps(content)
        data = text if isinstance(text, bytes) else text.encode()
        self.handler.send_response(status)
        self.handler.send_header("Content-Type", kind)
        self.handler.send_header("Content-Length", str(len(data)))
        for key, value in headers.items():
            self.handler.send_header(key.replace("_", "-"), value)
        self.handler.end_headers()
        self.handler.wfile.write(data)


class Loopback:
    """A server in threads of this process. Use it as a context manager.

    Args:
        respond: Answers an exchange.
        give: Answers one that fetches (GET); 404 by default.

    Attributes:
        url: The base URL.
        most_in_flight: Most requests at once.
        bodies: Every request's JSON.
        headers: Every request's headers.
        fetched: Path and headers of every exchange that fetched.
    """

    def __init__(self, respond: Callable[[Exchange], None], give: Callable[[Exchange], None] | None = None) -> None:
        self.respond, self._give = respond, give or (lambda exchange: exchange.send(404, ""))
        self.fetched: list[tuple[str, dict[str, str]]] = []
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.most_in_flight = self._in_flight = 0
        self.closing = threading.Event()
        self.lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def give(self, exchange: Exchange) -> None:
        """Note an exchange that fetches and answer it."""
        self.fetched.append((exchange.path, exchange.headers))
        self._give(exchange)

    def serve(self, exchange: Exchange) -> None:
        """Note an exchange and answer it."""
        with self.lock:
            self._in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self._in_flight)
            self.bodies.append(exchange.body)
            self.headers.append(exchange.headers)
        try:
            self.respond(exchange)
        finally:
            with self.lock:
                self._in_flight -= 1


def completion(content: str | None, *, sent: int = 400, received: int | None = None, **more: Any) -> dict[str, Any]:
    """A chat completion's JSON; ``more`` goes into its message."""
    tokens = len(content or "") // 4 if received is None else received
    return {
        "id": "x",
        "object": "chat.completion",
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": content, **more}, "finish_reason": "stop"}
        ],
        "usage": {"prompt_tokens": sent, "completion_tokens": tokens, "total_tokens": sent + tokens},
    }


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is not worth a trace."""


def _handler(server: Loopback) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            server.serve(Exchange(self))

        def do_GET(self) -> None:
            server.give(Exchange(self))

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    return Handler
