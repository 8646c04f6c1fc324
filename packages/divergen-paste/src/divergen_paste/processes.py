"""Work shared by processes, in order and in bounded memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from itertools import islice
from multiprocessing import current_process
from typing import TypeVar

from divergen_records.cores import usable_cores
from divergen_records.worker_processes import Processes

from .errors import WorkerDied

__all__ = ["in_batches", "in_order", "open_workers", "worth_workers"]

Item = TypeVar("Item")
Result = TypeVar("Result")

WORTH = 200
"""A process takes half a second to start: it is worth that from so many items on."""


def worth_workers(items: int) -> int:
    """As many processes as so many items are worth; 0 where starting them would take longer than the work."""
    workers = min(usable_cores(), items // WORTH)
    # A daemon, as other pools make them, may have no children.
    return workers if workers > 1 and not current_process().daemon else 0


def open_workers(workers: int) -> Executor:
    """Processes to hand work to; 0 works in this one.

    Pools and tables reopen there by their path at no cost; see `divergen_records.worker_processes`.
    """
    if not workers:
        return ThreadPoolExecutor(1)
    return Processes(workers)


def in_order(executor: Executor, work: Callable[[Item], Result], items: Iterable[Item], ahead: int) -> Iterator[Result]:
    """Results in the order of their items, which are taken as they are needed.

    Args:
        executor: Who works.
        work: What to do with an item; picklable, as items and results are.
        items: What to work on.
        ahead: How many items are under way at a time.

    Raises:
        WorkerDied: If a process ended in the middle.
    """
    waiting: deque[Future[Result]] = deque()
    try:
        for item in items:
            waiting.append(executor.submit(work, item))
            if len(waiting) >= ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenExecutor as error:
        raise WorkerDied(
            "a worker process ended in the middle, killed or for want of memory; run the same line with fewer workers"
        ) from error
    finally:
        for future in waiting:
            future.cancel()


def in_batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Lists of ``size`` items; the last may be shorter."""
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch
