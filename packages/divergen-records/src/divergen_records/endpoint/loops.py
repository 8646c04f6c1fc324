"""Asking from code that waits for the answers, wherever it runs: also in a notebook, whose cells run within a loop."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

__all__ = ["run_to_end"]

T = TypeVar("T")


def run_to_end(work: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine; where a loop runs already, of one in a thread, which an interruption cancels."""
    try:
        within = asyncio.get_running_loop() is not None
    except RuntimeError:
        within = False
    if not within:  # outside of the handler: what the work raises has nothing to do with it
        return asyncio.run(work)
    begun: list[tuple[asyncio.AbstractEventLoop, asyncio.Future[T]]] = []

    async def begin() -> T:
        task = asyncio.ensure_future(work)
        begun.append((asyncio.get_running_loop(), task))
        return await task

    with ThreadPoolExecutor(1) as thread:
        done = thread.submit(asyncio.run, begin())
        try:
            return done.result()
        except BaseException:
            for loop, task in begun if not done.done() else ():
                loop.call_soon_threadsafe(task.cancel)
            raise
