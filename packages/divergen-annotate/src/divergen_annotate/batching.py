"""Batches as large as memory allows, found while working: running out of it never ends a run."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future
from itertools import islice
from typing import TypeVar

from divergen_records import RowError

__all__ = ["Batcher", "ahead", "is_out_of_memory"]

T = TypeVar("T")
R = TypeVar("R")


class Batcher:
    """Calls a function on batches of items. The batch grows while it fits, and shrinks when memory runs out.

    Args:
        size: Largest batch; None starts at 1 and doubles up to ``limit``.
        limit: Largest batch where ``size`` is None.
    """

    def __init__(self, size: int | None = None, *, limit: int = 32) -> None:
        self.size, self.limit = (1, limit) if size is None else (size, size)

    def run(self, items: Iterable[T], function: Callable[[list[T]], Sequence[R]]) -> Iterator[R | RowError]:
        """One result per item, in order; an item that does not fit into memory even alone gives the error that says so.

        Args:
            items: Taken as they are needed.
            function: Gives one result per item of its batch. Out of memory, it is called again on half of it.
        """
        rest = iter(items)
        queue: deque[T] = deque()
        while queue or self._fill(queue, rest):
            self._fill(queue, rest)
            batch = [queue.popleft() for _ in range(min(self.size, len(queue)))]
            results: Sequence[R | RowError] | None = self._attempt(function, batch)
            if results is None:
                queue.extendleft(reversed(batch))
                continue
            yield from results
            if len(batch) == self.size:
                self.size = min(2 * self.size, self.limit)

    def _fill(self, queue: deque[T], rest: Iterator[T]) -> bool:
        queue.extend(islice(rest, max(0, self.size - len(queue))))
        return bool(queue)

    def _attempt(self, function: Callable[[list[T]], Sequence[R]], batch: list[T]) -> Sequence[R | RowError] | None:
        """The results; None if the batch has to be smaller."""
        try:
            return function(batch)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        _free_memory()
        if len(batch) == 1:
            return [RowError("out of memory on this one picture; scale it down, or use a device with more memory")]
        self.size = self.limit = len(batch) // 2
        return None


def ahead(pool: Executor, function: Callable[[T], R], items: Iterable[T], count: int) -> Iterator[R]:
    """Like ``pool.map``, but never more than ``count`` items ahead of the one that is asked for."""
    rest = iter(items)
    waiting: deque[Future[R]] = deque(pool.submit(function, item) for item in islice(rest, count))
    while waiting:
        result = waiting.popleft().result()
        waiting.extend(pool.submit(function, item) for item in islice(rest, 1))
        yield result


def is_out_of_memory(error: BaseException) -> bool:
    """Whether this is PyTorch's or Python's way to say that memory ran out, on a GPU or not."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return isinstance(error, RuntimeError) and any(text in str(error) for text in _OUT_OF_MEMORY)


_OUT_OF_MEMORY = ("out of memory", "not enough memory", "allocate memory", "CUBLAS_STATUS_ALLOC_FAILED")


def _free_memory() -> None:
    torch = sys.modules.get("torch")  # whoever ran out of a GPU's memory has loaded it
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()
