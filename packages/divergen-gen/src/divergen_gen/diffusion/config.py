"""Which diffusion models a configuration may name; imports no torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from divergen_records import Config
from divergen_records.file_names import from_home
from divergen_records.requirements import HubModel, InputFile, Requirement
from pydantic import BeforeValidator, Field, model_validator

from .guide import Guide
from .model import Lora, Model, PersonalFiles, PersonalTraining
from .needs import TeachableModel, WholeModel

if TYPE_CHECKING:
    from divergen_records.coco import Dataset

    from .cascade import IFCascade
    from .generator import DiffusersGenerator

__all__ = ["DiffusersConfig", "IFCascadeConfig"]


def _loras(value: Any) -> Any:
    """One or several LoRAs, each a path or with its scale."""
    several = [value] if isinstance(value, (str, Mapping)) else value
    return [{"path": one} if isinstance(one, str) else one for one in several] if isinstance(several, list) else several


def _model(value: Any) -> Any:
    return {"model": value} if isinstance(value, str) else value


class DiffusersConfig(Model):
    """Any text-to-image model of diffusers, and how it samples.

    Attributes:
        kind: ``"diffusers"``.
        name: Name of the generator in this run.
        negative_prompt: What guidance leads away from.
        lora: LoRA weights for the whole run.
        textual_inversion: Word as it stands in prompts -> safetensors file.
        personal: Weights of single categories: category -> safetensors file, a folder of ``divergen-gen personalize``,
            or how a run trains them first: ``{method: perfusion, steps: 400, crops: train}``.
        image: Real objects that pictures stay near: ``{from: real-crops, strength: 0.6}``, or through an IP-Adapter.
        device: ``"auto"`` is this process's GPU, or the CPU.
        batch_size: Pictures at a time; None finds what fits.
        retries: How often a blank, broken or refused picture is made again, with another seed.
        text_memory: Megabytes of prompt embeddings kept in memory; the rest goes to a temporary file.
        image_format: How pictures are stored.
        quality: Of JPEG and WebP, 1 to 100.
    """

    kind: Literal["diffusers"] = "diffusers"
    name: str = Field(default="diffusers", min_length=1)
    negative_prompt: str | None = None
    lora: Annotated[tuple[Lora, ...], BeforeValidator(_loras)] = ()
    textual_inversion: Mapping[str, Path] = Field(default_factory=dict)
    personal: PersonalFiles | None = None
    image: Guide | None = None
    device: str = "auto"
    batch_size: int | None = Field(default=None, ge=1)
    retries: int = Field(default=3, ge=0, le=20)
    text_memory: int = Field(default=2048, ge=0)
    image_format: Literal["jpeg", "png", "webp"] = "jpeg"
    quality: int = Field(default=95, ge=1, le=100)

    def requirements(self) -> Iterable[Requirement]:
        """See `divergen_records.requirements`."""
        yield from super().requirements()
        yield WholeModel(self.model, self.variant, self.config, self.allow_pickle, self.safety_checker)
        for lora in self.lora:
            path = from_home(lora.path)
            yield InputFile(path) if path.suffix == ".safetensors" else HubModel(lora.path)
        personal = self.personal if isinstance(self.personal, Mapping) else {}
        yield from map(InputFile, (*self.textual_inversion.values(), *personal.values()))
        if isinstance(self.personal, PersonalTraining):
            yield TeachableModel(self.model, self.hub_revision)
        if isinstance(self.personal, Path):
            yield HubModel(str(self.personal.absolute()))

    @model_validator(mode="after")
    def _check_steps(self) -> Self:
        strength = None if self.image is None else self.image.begins
        if strength is not None and self.steps is not None and int(self.steps * strength) < 1:
            raise ValueError(f"steps={self.steps} of image.strength={strength:g} leave none to draw; raise one of them")
        return self

    @property
    def begins_from_real(self) -> bool:
        """Whether `on` makes a difference."""
        return self.image is not None

    def on(self, dataset: Dataset) -> Self:
        """The same generator, its pictures near the objects of a run's training images where ``image`` says so."""
        return self if self.image is None else self.model_copy(update={"image": self.image.on(dataset)})

    @property
    def revision(self) -> str:
        """As `DiffusersGenerator.revision`."""
        from .generator import revision

        return revision(
            self,
            negative_prompt=self.negative_prompt,
            lora=self.lora,
            textual_inversion=self.textual_inversion,
            personal=self.personal,
            image=self.image,
            image_format=self.image_format,
            quality=self.quality,
        )

    def build(self) -> DiffusersGenerator:
        """Make the generator; weights load with its first picture."""
        from .generator import DiffusersGenerator

        return DiffusersGenerator(
            self,
            name=self.name,
            negative_prompt=self.negative_prompt,
            lora=self.lora,
            textual_inversion=self.textual_inversion,
            personal=self.personal,
            image=self.image,
            device=self.device,
            batch_size=self.batch_size,
            retries=self.retries,
            text_memory=self.text_memory,
            image_format=self.image_format,
            quality=self.quality,
        )


class IFCascadeConfig(Config):
    """DeepFloyd-IF, two or three stages.

    Attributes:
        kind: ``"if"``.
        name: Name of the generator in this run.
        stage1: Hub id, folder, or a model with how it samples.
        stage2: The same for the second stage.
        stage3: The same for a third stage; None ends with the second.
        negative_prompt: What guidance leads away from.
        swap: Keep only the stage at work on the device.
        device: ``"auto"`` is this process's GPU, or the CPU.
        batch_size: Pictures at a time; None finds what fits.
        retries: How often a blank, broken or refused picture is made again, with another seed.
        text_memory: Megabytes of prompt embeddings kept in memory; the rest goes to a temporary file.
        image_format: How pictures are stored.
        quality: Of JPEG and WebP, 1 to 100.
    """

    kind: Literal["if"] = "if"
    name: str = Field(default="if", min_length=1)
    stage1: Annotated[Model, BeforeValidator(_model)] = Model(model="DeepFloyd/IF-I-XL-v1.0", variant="fp16")
    stage2: Annotated[Model, BeforeValidator(_model)] = Model(model="DeepFloyd/IF-II-L-v1.0", variant="fp16")
    stage3: Annotated[Model, BeforeValidator(_model)] | None = None
    negative_prompt: str | None = None
    swap: bool = False
    device: str = "auto"
    batch_size: int | None = Field(default=None, ge=1)
    retries: int = Field(default=3, ge=0, le=20)
    text_memory: int = Field(default=2048, ge=0)
    image_format: Literal["jpeg", "png", "webp"] = "jpeg"
    quality: int = Field(default=95, ge=1, le=100)

    @property
    def revision(self) -> str:
        """As `IFCascade.revision`."""
        from .cascade import revision

        stages = [stage for stage in (self.stage1, self.stage2, self.stage3) if stage is not None]
        return revision(
            stages, negative_prompt=self.negative_prompt, image_format=self.image_format, quality=self.quality
        )

    def build(self) -> IFCascade:
        """Make the generator; weights load with its first picture."""
        from .cascade import IFCascade

        return IFCascade(**{name: getattr(self, name) for name in type(self).model_fields if name != "kind"})
