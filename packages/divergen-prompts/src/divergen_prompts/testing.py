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
from contextlib import nullcontext
from random import Random
from typing import Any

from divergen_records.endpoint.testing import Exchange, Loopback, completion

__all__ = ["FAULTS", "FakeEndpoint"]

_ASKED = re.compile(r"Write (\d+) different prompts for one ([^\n(]+?)(?: \(|\.)")
_COLOURS = "red blue green yellow orange purple white black grey brown pink teal navy olive beige golden".split()  # noqa: SIM905
_LOOKS = "old new worn shiny dusty tiny large striped dotted plain wooden metal modern vintage folded bent".split()  # noqa: SIM905
_VIEWS = ("seen from above", "side view", "front view", "back view", "tilted", "upside down", "lying flat", "up close")


class FakeEndpoint(Loopback):
    """A server with ``/v1/chat/completions``, in threads of this process.

    Args:
        faulty: Share of answers that are faulty.
        faults: Which faults, of `FAULTS`; chosen at random.
        latency: Seconds until an answer.
        seed: Of the faults and the prompts.
        retry_after: What a 429 says in ``Retry-After``, seconds.
        refuse_formats: Values of ``response_format.type`` that are answered with status 400.
        answer: Makes the model's text from (name, count, random); None for JSON as asked for.
        reply: Makes the whole answer from (name, texts of new prompts, request): a status and a JSON, or None for the
            usual one.
        one_at_a_time: Answer requests one after the other, as a small server does.

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
        reply: Callable[[str, list[str], Exchange], tuple[int, object] | None] | None = None,
        one_at_a_time: bool = False,
    ) -> None:
        super().__init__(self._respond)
        self.faulty, self.faults, self.latency = faulty, tuple(FAULTS if faults is None else faults), latency
        self.retry_after, self.refuse_formats, self.answer = retry_after, tuple(refuse_formats), answer or _prompts_json
        self.reply, self._turns = reply, threading.Lock() if one_at_a_time else nullcontext()
        self.asked: Counter[str] = Counter()
        self.served: Counter[str] = Counter()
        self.given: Counter[str] = Counter()
        self._random = Random(seed)

    def begin(self, body: dict[str, Any]) -> tuple[str, int, str | None, Random]:
        """Note a request; returns the category's name, the count, the fault to commit, and randomness for it."""
        found = _ASKED.search(body["messages"][-1]["content"])
        name, count = (found.group(2), int(found.group(1))) if found else ("thing", 1)
        with self.lock:
            self.asked[name] += count
            fault = self._random.choice(self.faults) if self._random.random() < self.faulty else None
            self.given[fault or "none"] += 1
            if fault is None:
                self.served[name] += count
            return name, count, fault, Random(self._random.random())

    def _respond(self, exchange: Exchange) -> None:
        name, count, fault, random = self.begin(exchange.body)
        form = exchange.body.get("response_format", {}).get("type")
        if form in self.refuse_formats:
            exchange.send(400, {"error": {"message": f"response_format {form} is not supported"}})
            return
        with self._turns:
            self.closing.wait(self.latency)
        told = self.reply and self.reply(name, [_prompt(name, random) for _ in range(count)], exchange)
        if told:
            exchange.send(*told)
        elif fault:
            FAULTS[fault](exchange, self, name, count, random)
        else:
            _complete(exchange, self.answer(name, count, random))


def _complete(exchange: Exchange, content: str) -> None:
    exchange.send(200, completion(content))


def _prompts_json(name: str, count: int, random: Random) -> str:
    return json.dumps({"prompts": [{"text": _prompt(name, random), "style": "photo"} for _ in range(count)]})


def _prompt(name: str, random: Random) -> str:
    """A prompt; its number makes sure that it is a new one."""
    look = " ".join([*random.sample(_LOOKS, 2), random.choice(_COLOURS)])
    number = random.getrandbits(32)
    return f"a photo of a single {look} {name}, model {number}, {random.choice(_VIEWS)}, in a white background"


def _rate_limit(exchange: Exchange, endpoint: FakeEndpoint, *_: Any) -> None:
    exchange.send(429, '{"error": {"message": "slow down"}}', Retry_After=str(endpoint.retry_after))


def _server_error(exchange: Exchange, *_: Any) -> None:
    exchange.send(500, '{"error": {"message": "internal"}}')


def _html(exchange: Exchange, *_: Any) -> None:
    exchange.send(200, "<!DOCTYPE html><html><body>Sign in to the guest network</body></html>", "text/html")


def _empty_list(exchange: Exchange, *_: Any) -> None:
    _complete(exchange, '{"prompts": []}')


def _half_json(exchange: Exchange, endpoint: FakeEndpoint, name: str, count: int, random: Random) -> None:
    content = _prompts_json(name, count, random)
    _complete(exchange, content[: len(content) // 2])


def _half_body(exchange: Exchange, *_: Any) -> None:
    exchange.send(200, '{"id": "x", "choices": [{"index": 0, "mess')


def _same_ten(exchange: Exchange, endpoint: FakeEndpoint, name: str, *_: Any) -> None:
    _complete(exchange, _prompts_json(name, 10, Random(0)))


def _foreign(exchange: Exchange, endpoint: FakeEndpoint, name: str, count: int, random: Random) -> None:
    texts = [f"ein Foto von einem einzelnen {name} vor weißem Hintergrund, Nummer {n}" for n in range(count)]
    _complete(exchange, json.dumps({"prompts": [{"text": text} for text in texts]}))


def _two_objects(exchange: Exchange, endpoint: FakeEndpoint, name: str, count: int, random: Random) -> None:
    texts = [f"a group of {random.randint(2, 99)} red {name} pieces, in a white background" for _ in range(count)]
    _complete(exchange, "\n".join(f"{n}. several of {name}, {text}" for n, text in enumerate(texts, 1)))


def _chatter(exchange: Exchange, endpoint: FakeEndpoint, name: str, count: int, random: Random) -> None:
    lines = "\n".join(f"{n}. **{_prompt(name, random)}**" for n in range(1, count + 1))
    _complete(exchange, f"Sure! Here are {count} prompts:\n\n{lines}\n\nLet me know if you need more!")


def _huge(exchange: Exchange, *_: Any) -> None:
    _complete(exchange, "a red thing, in a white background\n" * 300_000)


def _hang(exchange: Exchange, endpoint: FakeEndpoint, *_: Any) -> None:
    endpoint.closing.wait(30)
    exchange.handler.close_connection = True


def _drop(exchange: Exchange, *_: Any) -> None:
    exchange.handler.close_connection = True
    exchange.handler.connection.shutdown(socket.SHUT_RDWR)


def _drip(exchange: Exchange, endpoint: FakeEndpoint, *_: Any) -> None:
    """A byte now and then: every read is in time, the answer never is."""
    exchange.handler.send_response(200)
    exchange.handler.send_header("Content-Length", "1000")
    exchange.handler.end_headers()
    until = time.monotonic() + 30
    while time.monotonic() < until and not endpoint.closing.wait(0.05):
        exchange.handler.wfile.write(b" ")
        exchange.handler.wfile.flush()


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
