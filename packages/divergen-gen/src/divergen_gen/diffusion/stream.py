"""Keep the device busy: full batches, pictures checked and encoded in threads, a smaller batch when memory runs out."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from divergen_records import DivergenError, InstanceRecord, derive_seed
from divergen_records.cores import usable_cores
from divergen_records.images import picture_columns
from numpy.typing import NDArray

from ..alpha import split_alpha
from ..blank import is_blank

__all__ = ["Drawn", "PictureStream", "Task", "is_out_of_memory"]

HOPELESS = 8
"""Pictures in a row that do not fit the device's memory alone, after which the run ends instead of failing them all."""


@dataclass(frozen=True)
class Task:
    """A picture to make.

    Attributes:
        record: The planned record.
        key: What else a batch must share: the category's own weights, or None.
        attempt: How often it came out bad.
        near: The real object that it stays near, (H, W, 3) uint8 RGB, if any.
    """

    record: InstanceRecord
    key: str | None = None
    attempt: int = 0
    near: NDArray[np.uint8] | None = None

    @property
    def seed(self) -> int:
        """The record's seed; for a picture that came out bad, one derived from it."""
        return self.record.seed if not self.attempt else derive_seed(self.record.seed, "again", self.attempt)


@dataclass(frozen=True)
class Drawn:
    """A batch as it comes from the device.

    Attributes:
        pixels: (N, H, W, C) uint8 tensor on the CPU, RGB or RGBA; written to until ``ready``.
        finite: (N,) bool tensor: whether no value was NaN or infinite.
        flagged: Whether the safety checker objects, one for each picture.
        ready: Waits until the copy from the device is done.
    """

    pixels: Any
    finite: Any
    flagged: Sequence[bool]
    ready: Callable[[], None]


class PictureStream:
    """Completes records with pictures, in whatever order they are done.

    Batches are always full: a short one is filled up with copies, so that a picture meets the same shapes, and so the
    same arithmetic, wherever it stands. A batch holds tasks of one key.

    Args:
        draw: Draws a batch of tasks with one key; may raise out of memory.
        batch_size: Pictures at a time.
        image_format: How pictures are stored.
        quality: Of JPEG and WebP.
        retries: How often a bad picture is made again with another seed.
    """

    def __init__(
        self,
        draw: Callable[[Sequence[Task]], Drawn],
        *,
        batch_size: int,
        image_format: Literal["jpeg", "png", "webp"],
        quality: int,
        retries: int,
    ) -> None:
        self.draw, self.batch_size, self.retries = draw, batch_size, retries
        self.image_format, self.quality = image_format, quality
        self.reseeded = 0
        self._hopeless = 0

    def run(self, tasks: Iterable[Task]) -> Iterator[InstanceRecord]:
        """The completed records, or records with a row error."""
        source, again, ahead = iter(tasks), deque[Task](), deque[tuple[Task, Future[InstanceRecord | str]]]()
        waiting: deque[Task] = deque()
        with ThreadPoolExecutor(_threads(), thread_name_prefix="divergen-encode") as pool:
            while True:
                batch = self._take(source, waiting, again)
                if batch:
                    ahead += self._draw(batch, waiting, pool)
                elif not ahead:
                    return
                # One batch is encoded while the next is drawn.
                while len(ahead) > (2 * self.batch_size if batch else 0):
                    task, future = ahead.popleft()
                    done = self._judge(task, future.result())
                    if isinstance(done, Task):
                        again.append(done)
                        break
                    yield done

    def _take(self, source: Iterator[Task], waiting: deque[Task], again: deque[Task]) -> list[Task]:
        """The next tasks of one key; pictures to be made again fill up batches, or go last."""
        while len(waiting) <= self.batch_size and (task := next(source, None)):
            waiting.append(task)
        if not waiting:
            waiting += again
            again.clear()
        batch: list[Task] = []
        while waiting and len(batch) < self.batch_size and waiting[0].key == (batch or waiting)[0].key:
            batch.append(waiting.popleft())
        while again and batch and len(batch) < self.batch_size and again[0].key == batch[0].key:
            batch.append(again.popleft())
        return batch

    def _draw(
        self, batch: list[Task], waiting: deque[Task], pool: ThreadPoolExecutor
    ) -> list[tuple[Task, Future[InstanceRecord | str]]]:
        try:
            drawn = self.draw([*batch, *batch[-1:] * (self.batch_size - len(batch))])
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            error.__traceback__ = None  # it holds the batch's tensors
            waiting.extendleft(reversed(batch))
            return self._shrink(waiting)
        self._hopeless = 0
        return [(task, pool.submit(self._finish, drawn, at, task)) for at, task in enumerate(batch)]

    def _shrink(self, waiting: deque[Task]) -> list[tuple[Task, Future[InstanceRecord | str]]]:
        _free_memory()
        if self.batch_size > 1:
            self.batch_size //= 2
            return []
        self._hopeless += 1
        if self._hopeless >= HOPELESS:
            raise DivergenError(
                f"the device has no memory for a single picture, {HOPELESS} times in a row: choose a smaller size, "
                "offload=model, vae_tiling or another dtype. What was made before stays; run again to continue"
            )
        failed: Future[InstanceRecord | str] = Future()
        task = waiting.popleft()
        failed.set_result(task.record.failed("gen", "the device has no memory for this picture, even alone in a batch"))
        return [(task, failed)]

    def _finish(self, drawn: Drawn, at: int, task: Task) -> InstanceRecord | str:
        drawn.ready()
        pixels, alpha = split_alpha(drawn.pixels[at].numpy())
        if fault := self._fault(drawn, at, pixels):
            return fault
        columns = picture_columns(pixels, alpha, self.image_format, self.quality)
        return task.record.model_copy(update={**columns, "seed": task.seed})

    def _fault(self, drawn: Drawn, at: int, pixels: NDArray[np.uint8]) -> str | None:
        if not bool(drawn.finite[at]):
            return "not finite (NaN); try dtype=bfloat16 or float32"
        if drawn.flagged[at]:
            return "refused by the model's safety checker"
        if is_blank(pixels):
            return "blank"
        return None

    def _judge(self, task: Task, done: InstanceRecord | str) -> InstanceRecord | Task:
        if isinstance(done, InstanceRecord):
            return done
        if task.attempt < self.retries:
            self.reseeded += 1
            return replace(task, attempt=task.attempt + 1)
        return task.record.failed("gen", f"{self.retries + 1} seeds tried, the last picture was {done}")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the device (or the CPU's allocator) had no memory left."""
    import torch

    if isinstance(error, torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)


def _free_memory() -> None:
    import gc

    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _threads() -> int:
    return min(8, usable_cores())
