"""Independent pieces of work on several processes, with results in order and nobody left behind."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from typing import Generic, TypeVar

from divergen_records import DivergenError
from divergen_records.worker_processes import Processes

__all__ = ["Workers"]

Item = TypeVar("Item")
Result = TypeVar("Result")


class Workers(Generic[Item, Result]):
    """Applies a function to items, in this process or in several; what it returns does not depend on how many.

    Args:
        function: A picklable function of one picklable item.
        workers: Processes; 1 works in this one.
    """

    def __init__(self, function: Callable[[Item], Result], workers: int = 1) -> None:
        self.function, self.workers = function, workers
        self._executor: Processes | None = None

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

    def _start(self) -> Processes:
        if self._executor is None:
            self._executor = Processes(self.workers)
        return self._executor
