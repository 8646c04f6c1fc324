"""A chat endpoint on loopback that misbehaves on request, to test what talks to language models.

>>> from divergen_prompts.testing import FakeEndpoint
>>> with FakeEndpoint(faulty=0.3, faults=("429", "html", "half json")) as endpoint:
...     print(endpoint.url.startswith("http://127.0.0.1:"))
True
"""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random
from types import TracebackType
from typing import Any, Self

__all__ = ["FAULTS", "FakeEndpoint"]

_ASKED = re.compile(r"Write (\d+) different prompts for one ([^\n(]+?)(?: \(|\.)")
_COLOURS = "red blue green yellow orange purple white black grey brown pink teal navy olive beige golden".split()  # noqa: SIM905
_LOOKS = "old new worn shiny dusty tiny large striped dotted plain wooden metal modern vintage folded bent".split()  # noqa: SIM905
_VIEWS = ("seen from above", "side view", "front view", "back view", "tilted", "upside down", "lying flat", "up close")


class FakeEndpoint:
    """A server with ``/v1/chat/completions``, in threads of this process.

    Args:
        faulty: Share of answers that are faulty.
        faults: Which faults, of `FAULTS`; chosen at random.
        latency: Seconds until an answer.
        seed: Of the faults and the prompts.
        retry_after: What a 429 says in ``Retry-After``, seconds.
        refuse_formats: Values of ``response_format.type`` that are answered with status 400.
        answer: Makes the model's text from (name, count, random); None for JSON as asked for.

    Attributes:
        url: The base URL.
        asked: Category name -> prompts asked for, over all requests.
        served: Category name -> prompts in good answers.
        given: Fault -> how often.
        most_in_flight: Most requests at once.
        bodies: Every request's JSON.
        headers: Every request's headers, their names in lower case.
    """

    def __init__(
        self,
        *,
        faulty: float = 0.0,
        faults: Sequence[str] | None = None,
        latency: float = 0.0,
        seed: int = 0,
        retry_after: float = 0.05,
        refuse_formats: Sequence[str] = (),
        answer: Callable[[str, int, Random], str] | None = None,
    ) -> None:
        self.faulty, self.faults, self.latency = faulty, tuple(FAULTS if faults is None else faults), latency
        self.retry_after, self.refuse_formats, self.answer = retry_after, tuple(refuse_formats), answer or _prompts_json
        self.asked: Counter[str] = Counter()
        self.served: Counter[str] = Counter()
        self.given: Counter[str] = Counter()
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.most_in_flight = self._in_flight = 0
        self.closing = threading.Event()
        self.lock = threading.Lock()
        self._random = Random(seed)
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

    def begin(self, body: dict[str, Any], headers: dict[str, str]) -> tuple[str, int, str | None, Random]:
        """Note a request; returns the category's name, the count, the fault to commit, and randomness for it."""
        found = _ASKED.search(body["messages"][-1]["content"])
        name, count = (found.group(2), int(found.group(1))) if found else ("thing", 1)
        with self.lock:
            self._in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self._in_flight)
            self.bodies.append(body)
            self.headers.append(headers)
            self.asked[name] += count
            fault = self._random.choice(self.faults) if self._random.random() < self.faulty else None
            self.given[fault or "none"] += 1
            if fault is None:
                self.served[name] += count
            return name, count, fault, Random(self._random.random())

    def end(self) -> None:
        """Note the end of a request."""
        with self.lock:
            self._in_flight -= 1


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is not worth a trace."""


def _handler(endpoint: FakeEndpoint) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            name, count, fault, random = endpoint.begin(
                body, {key.lower(): value for key, value in self.headers.items()}
            )
            try:
                form = body.get("response_format", {}).get("type")
                if form in endpoint.refuse_formats:
                    self.send(400, json.dumps({"error": {"message": f"response_format {form} is not supported"}}))
                    return
                endpoint.closing.wait(endpoint.latency)
                if fault:
                    FAULTS[fault](self, endpoint, name, count, random)
                else:
                    self.complete(endpoint.answer(name, count, random))
            finally:
                endpoint.end()

        def complete(self, content: str) -> None:
            choices = [{"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": "stop"}]
            usage = {"prompt_tokens": 400, "completion_tokens": len(content) // 4, "total_tokens": 400}
            self.send(200, json.dumps({"id": "x", "object": "chat.completion", "choices": choices, "usage": usage}))

        def send(self, status: int, text: str, kind: str = "application/json", **headers: str) -> None:
            data = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            for key, value in headers.items():
                self.send_header(key.replace("_", "-"), value)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    return Handler


def _prompts_json(name: str, count: int, random: Random) -> str:
    return json.dumps({"prompts": [{"text": _prompt(name, random), "style": "photo"} for _ in range(count)]})


def _prompt(name: str, random: Random) -> str:
    """A prompt; its number makes sure that it is a new one."""
    look = " ".join([*random.sample(_LOOKS, 2), random.choice(_COLOURS)])
    number = random.getrandbits(32)
    return f"a photo of a single {look} {name}, model {number}, {random.choice(_VIEWS)}, in a white background"


def _rate_limit(handler: Any, endpoint: FakeEndpoint, *_: Any) -> None:
    handler.send(429, '{"error": {"message": "slow down"}}', Retry_After=str(endpoint.retry_after))


def _server_error(handler: Any, *_: Any) -> None:
    handler.send(500, '{"error": {"message": "internal"}}')


def _html(handler: Any, *_: Any) -> None:
    handler.send(200, "<!DOCTYPE html><html><body>Sign in to the guest network</body></html>", "text/html")


def _empty_list(handler: Any, *_: Any) -> None:
    handler.complete('{"prompts": []}')


def _half_json(handler: Any, endpoint: FakeEndpoint, name: str, count: int, random: Random) -> None:
    content = _prompts_json(name, count, random)
    handler.complete(content[: len(content) // 2])


def _half_body(handler: Any, *_: Any) -> None:
    handler.send(200, '{"id": "x", "choices": [{"index": 0, "mess')


def _same_ten(handler: Any, endpoint: FakeEndpoint, name: str, *_: Any) -> None:
    handler.complete(_prompts_json(name, 10, Random(0)))


def _foreign(handler: Any, endpoint: FakeEndpoint, name: str, count: int, random: Random) -> None:
    texts = [f"ein Foto von einem einzelnen {name} vor weißem Hintergrund, Nummer {n}" for n in range(count)]
    handler.complete(json.dumps({"prompts": [{"text": text} for text in texts]}))


def _two_objects(handler: Any, endpoint: FakeEndpoint, name: str, count: int, random: Random) -> None:
    texts = [f"a group of {random.randint(2, 99)} red {name} pieces, in a white background" for _ in range(count)]
    handler.complete("\n".join(f"{n}. several of {name}, {text}" for n, text in enumerate(texts, 1)))


def _chatter(handler: Any, endpoint: FakeEndpoint, name: str, count: int, random: Random) -> None:
    lines = "\n".join(f"{n}. **{_prompt(name, random)}**" for n in range(1, count + 1))
    handler.complete(f"Sure! Here are {count} prompts:\n\n{lines}\n\nLet me know if you need more!")


def _huge(handler: Any, *_: Any) -> None:
    handler.complete("a red thing, in a white background\n" * 300_000)


def _hang(handler: Any, endpoint: FakeEndpoint, *_: Any) -> None:
    endpoint.closing.wait(30)
    handler.close_connection = True


def _drop(handler: Any, *_: Any) -> None:
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)


def _drip(handler: Any, endpoint: FakeEndpoint, *_: Any) -> None:
    """A byte now and then: every read is in time, the answer never is."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    until = time.monotonic() + 30
    while time.monotonic() < until and not endpoint.closing.wait(0.05):
        handler.wfile.write(b" ")
        handler.wfile.flush()


FAULTS: dict[str, Callable[..., None]] = {
    "429": _rate_limit,
    "500": _server_error,
    "html": _html,
    "empty list": _empty_list,
    "half json": _half_json,
    "half body": _half_body,
    "same ten": _same_ten,
    "foreign": _foreign,
    "two objects": _two_objects,
    "chatter": _chatter,
    "huge": _huge,
    "hang": _hang,
    "drip": _drip,
    "drop": _drop,
}
"""Fault -> what answers so."""
