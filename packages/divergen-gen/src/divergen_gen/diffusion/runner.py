"""What all diffusion generators share: prompts first, then pictures, with one batch loop."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, Protocol

from divergen_records import ConfigError, InstanceRecord, RowError

from .adapters import CategoryWeights
from .clock import DeviceClock
from .environment import choose_device
from .reader import PromptReader
from .stream import Drawn, PictureStream, Task, is_out_of_memory
from .text import Truncation

__all__ = ["DiffusionBackend", "DiffusionRunner"]

MOST = 64
"""Largest batch that is tried; beyond, a GPU gains nothing."""

ON_CPU = 4


class DiffusionBackend(Protocol):
    """The models that draw, one or a cascade."""

    size: tuple[int, int] | None

    @property
    def readers(self) -> Sequence[PromptReader]:
        """What reads the prompts; most models need one."""

    def open(self, device: Any, clock: DeviceClock) -> None:
        """Load the picture halves."""

    def task(self, record: InstanceRecord, key: str | None) -> Task:
        """What is to be drawn for a record; raises `RowError` where it cannot be. Called once the halves are open."""

    def make_room(self, device: Any) -> None:
        """Move the loaded halves to a device, to let text encoders have the other."""

    def attach(self, weights: CategoryWeights | None) -> None:
        """Use a category's own weights from now on, or none."""

    def draw(self, tasks: Sequence[Task], steps: int | None = None) -> Drawn:
        """Draw a batch of one category's weights."""


class DiffusionRunner:
    """A generator: turns planned records into pictures.

    Args:
        backend: The models.
        personal: Weights of single categories.
        device: ``"auto"``, ``"cpu"``, ``"cuda:1"`` …
        batch_size: Pictures at a time; None finds what fits the device.
        retries: How often a bad picture is made again with another seed.
        image_format: How pictures are stored.
        quality: Of JPEG and WebP.
    """

    def __init__(
        self,
        backend: DiffusionBackend,
        *,
        personal: Mapping[str, CategoryWeights],
        device: str,
        batch_size: int | None,
        retries: int,
        image_format: Literal["jpeg", "png", "webp"],
        quality: int,
    ) -> None:
        self.backend, self.personal, self._device_name = backend, personal, device
        self.batch_size, self.retries = batch_size, retries
        self.image_format: Literal["jpeg", "png", "webp"] = image_format
        self.quality = quality
        self._device: Any = None
        self._clock: DeviceClock | None = None
        self._loop: PictureStream | None = None
        self._attached: str | None = None
        self._wall = 0.0

    @property
    def truncated(self) -> list[Truncation]:
        """Prompts that are longer than a text encoder reads."""
        return [found for reader in self.backend.readers for found in reader.truncated]

    def note(self) -> str:
        """State of the work in a few words."""
        if self._loop is None or self._clock is None or not self._wall:
            return ""
        share = f"device {min(self.device_seconds / self._wall, 1):.0%}, batch {self._loop.batch_size}"
        return f"{share}, {self._loop.reseeded} re-seeded" if self._loop.reseeded else share

    @property
    def device_seconds(self) -> float:
        """Time in denoisers and decoders."""
        return 0.0 if self._clock is None else self._clock.seconds()

    @property
    def wall_seconds(self) -> float:
        """Time in `stream`, from the first to the last picture."""
        return self._wall

    def prepare(self, records: Iterable[InstanceRecord], progress: bool = False) -> None:
        """Encode the prompts of these records, those that are not yet."""
        keys = list(dict.fromkeys(self._key(record) for record in records))
        for reader in self.backend.readers:
            if missing := reader.lacks(keys):
                device = self._start()
                if self._clock is not None:
                    self.backend.make_room("cpu")
                reader.read(missing, device, progress)
                if self._clock is not None:
                    self.backend.make_room(device)

    def stream(self, records: Iterable[InstanceRecord]) -> Iterator[InstanceRecord]:
        """The records with pictures or row errors, in the order in which they are done; prepared before."""
        refused: list[InstanceRecord] = []

        def tasks() -> Iterator[Task]:
            for record in records:
                try:
                    task = self._task(record)
                except RowError as error:
                    refused.append(record.failed("gen", str(error)))
                    continue
                if self._loop is None:
                    self._begin(task)
                yield task

        source = tasks()
        first = next(source, None)
        if first is not None and self._loop is not None:
            start, before = time.perf_counter(), self._wall
            for done in self._loop.run(_chain(first, source)):
                self._wall = before + time.perf_counter() - start
                yield done
        yield from refused

    def __call__(self, records: Sequence[InstanceRecord]) -> list[InstanceRecord]:
        """Complete planned records, in order."""
        self.prepare(records)
        done = {record.id: record for record in self.stream(records)}
        return [done[record.id] for record in records]

    def _task(self, record: InstanceRecord) -> Task:
        key = self._key(record)
        reason = next(filter(None, (reader.refusal(key) for reader in self.backend.readers)), None)
        if reason is not None:
            raise RowError(reason)
        if self._clock is None:
            self._open()
        return self.backend.task(record, key[0])

    def _key(self, record: InstanceRecord) -> tuple[str | None, str]:
        return (record.category if record.category in self.personal else None), record.prompt

    def _start(self) -> Any:
        if self._device is None:
            self._device = choose_device(self._device_name)
            if self._device.type == "cuda":
                import torch

                torch.cuda.set_device(self._device)  # events and streams are the current device's
        return self._device

    def _open(self) -> None:
        device = self._start()
        clock = DeviceClock(device)
        self.backend.open(device, clock)
        self._clock = clock

    def _begin(self, example: Task) -> None:
        size = self.batch_size or self._find_batch_size(example)
        self._loop = PictureStream(
            self._draw,
            batch_size=size,
            image_format=self.image_format,
            quality=self.quality,
            retries=self.retries,
        )

    def _draw(self, tasks: Sequence[Task], steps: int | None = None) -> Drawn:
        key = tasks[0].key
        if key != self._attached:
            self.backend.attach(None)
            if key is not None:
                self.backend.attach(self.personal[key])
            self._attached = key
        drawn = self.backend.draw(tasks, steps)
        made, wanted = tuple(drawn.pixels.shape[1:3]), self.backend.size
        if wanted is not None and made != wanted:  # no seed changes that
            raise ConfigError(
                f"size={wanted[0]}x{wanted[1]}: the model makes pictures of {made[0]}x{made[1]} pixels (height x "
                f"width); set size={made[0]}x{made[1]}, or another that it can make"
            )
        return drawn

    def _find_batch_size(self, example: Task) -> int:
        """The largest power of two that fits: memory grows linearly, so two small batches of two steps tell."""
        import torch

        if self._device.type != "cuda":
            return ON_CPU
        peaks = []
        for count in (1, 2):
            torch.cuda.reset_peak_memory_stats(self._device)
            try:
                self._draw([example] * count, steps=2).ready()
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                return 1
            peaks.append(torch.cuda.max_memory_allocated(self._device))
        torch.cuda.empty_cache()
        free = torch.cuda.mem_get_info(self._device)[0] + torch.cuda.memory_allocated(self._device)
        each = max(peaks[1] - peaks[0], 1)
        fits = int((0.9 * free - (peaks[0] - each)) / each)
        return 1 << max(min(fits, MOST), 1).bit_length() - 1


def _chain(first: Task, rest: Iterator[Task]) -> Iterator[Task]:
    yield first
    yield from rest
