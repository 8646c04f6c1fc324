"""Processes that work for this one: they end with it, leave Ctrl-C to it, and use one core each."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from typing import Any

__all__ = ["Processes"]


class Processes(ProcessPoolExecutor):
    """An executor of processes that are spawned when there is work: a fork of a process with threads may hang.

    A script that asks for them needs ``if __name__ == "__main__":``.

    Args:
        workers: How many, at most.
    """

    def __init__(self, workers: int) -> None:
        super().__init__(workers, mp_context=get_context("spawn"), initializer=_prepare)

    def submit(self, function: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        """See `concurrent.futures.Executor.submit`."""
        with _without_interrupts():  # what is started in it has none for its whole life, from its first line on
            return super().submit(function, *arguments, **named)


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Let Ctrl-C wait for the end of the block, where the system can."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _prepare() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it reaches the whole group: the parent decides, and ends the workers
    threading.Thread(target=_end_with_parent, daemon=True).start()
    import cv2

    cv2.setNumThreads(1)  # its threads would fight those of the other processes for the cores


def _end_with_parent() -> None:
    """A worker holds both ends of its queue, so it would wait for ever for a parent that was killed."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
