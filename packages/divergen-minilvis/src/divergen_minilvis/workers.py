"""Independent pieces of work on several processes, with results in order and nobody left behind."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing import get_context, parent_process
from typing import Generic, TypeVar

from divergen_records import DivergenError

__all__ = ["Workers"]

Item = TypeVar("Item")
Result = TypeVar("Result")


class Workers(Generic[Item, Result]):
    """Applies a function to items, in this process or in several; what it returns does not depend on how many.

    Processes are spawned, at the first use: a fork of a process with threads (torch, Lance, OpenCV) may hang.

    Args:
        function: A picklable function of one picklable item.
        workers: Processes; 1 works in this one.
    """

    def __init__(self, function: Callable[[Item], Result], workers: int = 1) -> None:
        self.function, self.workers = function, workers
        self._executor: ProcessPoolExecutor | None = None

    def map(self, items: Iterable[Item]) -> Iterator[Result]:
        """The results in the items' order; a few items ahead are in work at a time.

        Raises:
            DivergenError: A process died (out of memory, killed), or could not start.
        """
        if self.workers == 1:
            yield from map(self.function, items)
            return
        queue = iter(items)
        executor = self._start()
        try:
            ahead = [executor.submit(self.function, item) for item in islice(queue, 4 * self.workers)]
            while ahead:
                yield ahead.pop(0).result()
                ahead += [executor.submit(self.function, item) for item in islice(queue, 1)]
        except BrokenProcessPool as error:
            self.close()
            raise DivergenError(
                f"one of {self.workers} worker processes ended unexpectedly: out of memory, killed, or the program "
                'that started them has no `if __name__ == "__main__":`. Run again with workers=1 to see more'
            ) from error

    def close(self) -> None:
        """End the processes; a later call starts new ones."""
        if self._executor is not None:
            self._executor.shutdown(wait=True, cancel_futures=True)
            self._executor = None

    def _start(self) -> ProcessPoolExecutor:
        if self._executor is None:
            self._executor = ProcessPoolExecutor(self.workers, mp_context=get_context("spawn"), initializer=_prepare)
        return self._executor


def _prepare() -> None:
    import cv2

    cv2.setNumThreads(1)
    # Ctrl-C reaches the whole group: the parent decides, and then ends the workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    # A worker holds both ends of its queue, so it would wait for ever for a parent that was killed.
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
