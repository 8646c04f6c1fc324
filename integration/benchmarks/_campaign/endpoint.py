"""A language model and a vision model on loopback, for the commands that ask one."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager

from divergen_prompts.testing import FakeEndpoint
from divergen_records.endpoint.testing import Exchange, completion

__all__ = ["endpoint"]

_YES = ("vlm_whole", "vlm_category", "vlm_uncut", "vlm_clean")


class _Both(FakeEndpoint):
    """Writes prompts, and says yes to every question about a picture."""

    def serve(self, exchange: Exchange) -> None:
        """Answer."""
        if isinstance(exchange.body["messages"][0]["content"], list):
            exchange.send(200, completion(json.dumps(dict.fromkeys(_YES, True))))
        else:
            super().serve(exchange)


@contextmanager
def endpoint() -> Iterator[None]:
    """Where commands find the endpoint, in their environment; it runs in a process of its own."""
    read, write = os.pipe()
    process = os.fork()
    if process == 0:
        with _Both(latency=0.02) as server:
            os.write(write, server.url.encode())
            server.closing.wait()
    os.environ |= {"OPENAI_BASE_URL": os.read(read, 200).decode(), "OPENAI_API_KEY": "sk-campaign"}
    try:
        yield
    finally:
        os.kill(process, 9)
        os.waitpid(process, 0)
        os.close(read)
        os.close(write)
