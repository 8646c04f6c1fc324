"""DeepFloyd-IF: a small picture from text, then one or two stages that enlarge it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from divergen_records import InstanceRecord, derive_seed, short_hash

from .adapters import CategoryWeights
from .clock import DeviceClock
from .model import Model
from .picture_half import PictureHalf, to_drawn
from .reader import PromptReader
from .runner import DiffusionRunner
from .sources import find_model
from .stream import Drawn, Task
from .weights import identify_model

__all__ = ["IFCascade", "revision"]

VERSION = 1
"""Grows whenever other pictures are made from the same record and models."""


def revision(stages: Sequence[Model], *, negative_prompt: str | None, image_format: str, quality: int) -> str:
    """The weights and all settings that the pictures depend on, as a short text."""
    stored = image_format if image_format == "png" else f"{image_format}-{quality}"
    weights = "+".join(identify_model(stage)[:8] for stage in stages)
    settings = short_hash(*(stage.settings() for stage in stages), negative_prompt, size=4)
    return f"if-{VERSION}/{weights}/{stages[0].dtype}/{stored}/{settings}"


class IFCascade(DiffusionRunner):
    """DeepFloyd-IF: stage I draws 64 px from the prompt, stage II makes 256 px of them, a stage III 1024 px.

    T5 reads each prompt once, for stages I and II, and leaves the device. A stage III with a text encoder of its own
    (the Stable Diffusion x4 upscaler) reads them too. Each stage draws its noise from a generator of its own for each
    picture.

    Args:
        stage1: Hub id, folder, or a `Model` with how it samples.
        stage2: The same for the second stage.
        stage3: The same for a third stage; None ends with the second.
        name: Name of the generator in this run.
        negative_prompt: What guidance leads away from.
        swap: Keep only the stage at work on the device; the others wait in main memory.
        device: ``"auto"`` is this process's GPU, or the CPU.
        batch_size: Pictures at a time; None finds what fits.
        retries: How often a blank, broken or refused picture is made again, with another seed.
        text_memory: Megabytes of prompt embeddings kept in memory; the rest goes to a temporary file.
        image_format: How pictures are stored.
        quality: Of JPEG and WebP, 1 to 100.

    Raises:
        WeightsError: There is no such model.
    """

    def __init__(
        self,
        stage1: str | Model,
        stage2: str | Model,
        stage3: str | Model | None = None,
        *,
        name: str = "if",
        negative_prompt: str | None = None,
        swap: bool = False,
        device: str = "auto",
        batch_size: int | None = None,
        retries: int = 3,
        text_memory: int = 2048,
        image_format: Literal["jpeg", "png", "webp"] = "jpeg",
        quality: int = 95,
    ) -> None:
        given = [stage for stage in (stage1, stage2, stage3) if stage is not None]
        self.stages = tuple(Model(model=stage) if isinstance(stage, str) else stage for stage in given)
        self.name = name
        self.revision = revision(
            self.stages, negative_prompt=negative_prompt, image_format=image_format, quality=quality
        )
        super().__init__(
            _Cascade(self.stages, negative_prompt, text_memory * 2**20, swap),
            personal={},
            device=device,
            batch_size=batch_size,
            retries=retries,
            image_format=image_format,
            quality=quality,
        )


class _Cascade:
    """Stages that draw one after the other."""

    def __init__(self, stages: Sequence[Model], negative: str | None, memory: int, swap: bool) -> None:
        self.stages, self.swap = stages, swap
        first = PromptReader(stages[0], negative=negative, memory=memory)
        self._reader_of = [first] * len(stages)
        self._negative, self._memory = negative, memory
        self._halves: list[PictureHalf] = []
        self._device: Any = None
        self._own_readers: list[PromptReader] | None = None
        self.size = stages[-1].size

    @property
    def readers(self) -> Sequence[PromptReader]:
        if self._own_readers is None:
            self._own_readers = [self._reader_of[0]]
            for at, stage in enumerate(self.stages[1:], start=1):
                if not find_model(stage).index["_class_name"].startswith("IF"):  # not T5's words
                    self._reader_of[at] = PromptReader(stage, negative=self._negative, memory=self._memory, first=False)
                    self._own_readers.append(self._reader_of[at])
        return self._own_readers

    def open(self, device: Any, clock: DeviceClock) -> None:
        self._device = device
        for at, stage in enumerate(self.stages):
            quick = stage.model_copy(update={"safety_checker": False})  # of IF, it looks at PIL pictures only
            self._halves.append(PictureHalf(quick, device, clock, first=at == 0))
            if self.swap:
                self._halves[-1].to("cpu")

    def make_room(self, device: Any) -> None:
        if not self.swap:
            for half in self._halves:
                half.to(device)

    def attach(self, weights: CategoryWeights | None) -> None:
        """Nothing: the stages take no weights of single categories."""

    def task(self, record: InstanceRecord, key: str | None) -> Task:
        return Task(record, key)

    def draw(self, tasks: Sequence[Task], steps: int | None = None) -> Drawn:
        import torch

        images, output = None, None
        for at, half in enumerate(self._halves):
            inputs = [self._reader_of[at].inputs((None, task.record.prompt)) for task in tasks]
            seeds = [task.seed if at == 0 else derive_seed(task.seed, "stage", at) for task in tasks]
            generators = [torch.Generator("cpu").manual_seed(seed) for seed in seeds]
            extra: dict[str, Any] = (
                {} if images is None else {"image": images.to(self._device, getattr(torch, half.model.dtype))}
            )
            if self.swap:
                half.to(self._device)
            output = half(inputs, generators, steps, **extra)
            if self.swap:
                half.to("cpu")
            images = half.pictures(output)  # -1 to 1 from the stages of IF, which hand it on so
        return to_drawn(output, self._to_unit(images))

    def _to_unit(self, images: Any) -> Any:
        own = type(self._halves[-1].pipe).__name__.startswith("IF")
        return images / 2 + 0.5 if own else images
