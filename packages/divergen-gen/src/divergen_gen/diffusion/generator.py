"""Any text-to-image model of diffusers as a generator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from divergen_records import Columns, DatasetError, ImageError, InstanceRecord, MaskError, RowError, short_hash

from ..columns import GenerationColumns
from .adapters import CategoryWeights, identify_lora, identify_personal, open_personal
from .clock import DeviceClock
from .guide import Guide
from .model import Lora, Model, PersonalTraining
from .picture_half import PictureHalf, to_drawn
from .reader import PromptReader
from .runner import DiffusionRunner
from .stream import Drawn, Task
from .weights import fingerprint_file, identify_model

__all__ = ["DiffusersGenerator", "revision"]

VERSION = 1
"""Grows whenever other pictures are made from the same record and model."""


def revision(
    model: Model,
    *,
    negative_prompt: str | None,
    lora: Sequence[Lora],
    textual_inversion: Mapping[str, Path],
    personal: PersonalTraining | Mapping[str, Path] | Path | None,
    image_format: str,
    quality: int,
    image: Guide | None = None,
) -> str:
    """The weights and all settings that the pictures depend on, as a short text."""
    stored = image_format if image_format == "png" else f"{image_format}-{quality}"
    settings = short_hash(
        *model.settings(),
        negative_prompt,
        [identify_lora(one) for one in lora],
        [(token, fingerprint_file(Path(path))) for token, path in sorted(textual_inversion.items())],
        identify_personal(personal),
        *([] if image is None else [image.identity]),
        size=4,
    )
    size = "x".join(map(str, model.size)) if model.size else "own size"
    weights = identify_model(model)
    return f"diffusers-{VERSION}/{weights}/{size}/{model.dtype}/{stored}/{settings}"


class DiffusersGenerator(DiffusionRunner):
    """Makes pictures with a text-to-image model: Stable Diffusion, SDXL, SD3, Flux, or any pipeline class.

    Weights are loaded with the first picture. Prompts are encoded once each, before the denoiser is loaded, and the
    text encoders leave the device. A picture comes from its record's seed alone: whatever the order, shard or resume,
    it is the same to the bit at one batch size, and to rounding across batch sizes.

    Args:
        model: Hub id, folder in the hub's layout, or a `Model` with how it samples.
        name: Name of the generator in this run.
        negative_prompt: What guidance leads away from.
        lora: LoRA weights for the whole run.
        textual_inversion: Word as it stands in prompts -> safetensors file.
        personal: Weights of single categories (LoRA or Perfusion): category -> file, a folder of
            ``divergen-gen personalize``, or how those in its folder were trained.
        image: Real objects that pictures stay near: ``Guide(strength=0.6).on(dataset)``. The object's annotation id is
            in the row, as ``source_annotation``.
        device: ``"auto"`` is this process's GPU, or the CPU.
        batch_size: Pictures at a time; None finds what fits.
        retries: How often a blank, broken or refused picture is made again, with another seed.
        text_memory: Megabytes of prompt embeddings kept in memory; the rest goes to a temporary file.
        image_format: How pictures are stored.
        quality: Of JPEG and WebP, 1 to 100.
        settings: Fields of `Model`, where ``model`` is a text: ``steps=30, size=512`` …

    Raises:
        WeightsError: There is no such model.
    """

    def __init__(
        self,
        model: str | Model,
        *,
        name: str = "diffusers",
        negative_prompt: str | None = None,
        lora: Sequence[Lora] = (),
        textual_inversion: Mapping[str, Path] | None = None,
        personal: PersonalTraining | Mapping[str, Path] | Path | None = None,
        image: Guide | None = None,
        device: str = "auto",
        batch_size: int | None = None,
        retries: int = 3,
        text_memory: int = 2048,
        image_format: Literal["jpeg", "png", "webp"] = "jpeg",
        quality: int = 95,
        **settings: Any,
    ) -> None:
        self.model = Model(model=model, **settings) if isinstance(model, str) else model
        self.name = name
        self.revision = revision(
            self.model,
            negative_prompt=negative_prompt,
            lora=lora,
            textual_inversion=textual_inversion or {},
            personal=personal,
            image_format=image_format,
            quality=quality,
            image=image,
        )
        self.columns: type[Columns] = Columns if image is None else GenerationColumns
        weights = open_personal(personal)
        reader = PromptReader(
            self.model,
            negative=negative_prompt,
            loras=lora,
            inversions=textual_inversion,
            personal=weights,
            memory=text_memory * 2**20,
            pictures=image is not None and image.begins is not None,
        )
        super().__init__(
            _Single(self.model, reader, lora, image),
            personal=weights,
            device=device,
            batch_size=batch_size,
            retries=retries,
            image_format=image_format,
            quality=quality,
        )


class _Single:
    """One pipeline."""

    def __init__(self, model: Model, reader: PromptReader, loras: Sequence[Lora], guide: Guide | None) -> None:
        self.model, self.loras, self.guide = model, loras, guide
        self.readers: Sequence[PromptReader] = (reader,)
        self.size = model.size
        self._half: PictureHalf | None = None
        self._weights: CategoryWeights | None = None

    def open(self, device: Any, clock: DeviceClock) -> None:
        self._half = PictureHalf(
            self.model, device, clock, loras=self.loras, whole=self.readers[0].whole, guide=self.guide
        )
        if self.readers[0].whole:
            self.readers[0].teach(self._half.pipe)

    def make_room(self, device: Any) -> None:
        self._loaded().to(device)

    def attach(self, weights: CategoryWeights | None) -> None:
        if self._weights is not None:
            self._weights.detach(self._loaded().pipe, "picture")
        if weights is not None:
            weights.attach(self._loaded().pipe, "picture")
        self._weights = weights

    def task(self, record: InstanceRecord, key: str | None) -> Task:
        guiding = self._loaded().guiding
        if self.guide is None or guiding is None:
            return Task(record, key)
        crops = self.guide.crops
        real = crops.choose(record)
        try:
            near = crops.read(real, guiding.size)
        except (ImageError, MaskError, DatasetError) as error:
            raise RowError(f"the real object {real.id} cannot be read: {error}") from error
        return Task(record.model_copy(update={"source_annotation": str(real.id)}), key, near=near)

    def draw(self, tasks: Sequence[Task], steps: int | None = None) -> Drawn:
        import torch

        inputs = [self.readers[0].inputs((task.key, task.record.prompt)) for task in tasks]
        generators = [torch.Generator("cpu").manual_seed(task.seed) for task in tasks]
        half, extra = self._loaded(), {}
        if half.guiding is not None:
            steps = None if steps is None else half.guiding.steps(steps)
            extra = half.guiding.inputs([task.near for task in tasks if task.near is not None])
        output = half(inputs, generators, steps, **extra)
        return to_drawn(output, half.pictures(output))

    def _loaded(self) -> PictureHalf:
        assert self._half is not None
        return self._half
