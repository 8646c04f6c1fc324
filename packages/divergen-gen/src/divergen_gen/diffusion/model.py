"""What a user says about one diffusion model; plain data, so that ids exist before torch is imported."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from divergen_records import Config
from divergen_records.requirements import HubModel, Requirement, extra_modules
from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag

__all__ = ["LEARNING_RATES", "Lora", "Model", "PersonalFiles", "PersonalTraining", "Scheduler", "Size"]


class Scheduler(Config):
    """A scheduler of diffusers, set up from the model's own by class name.

    Attributes:
        name: Class name, for example ``"DPMSolverMultistepScheduler"``, or what others call it: ``"DPM++ 2M Karras"``.
        options: What it changes in the model's scheduler configuration.
    """

    name: str = Field(min_length=1)
    options: Mapping[str, Any] = Field(default_factory=dict)


class Lora(Config):
    """LoRA weights for the whole run.

    Attributes:
        path: A safetensors file, a folder, or a hub id.
        weight_name: The file in the folder or repository, where there are several.
        scale: How strongly they act.
    """

    path: str = Field(min_length=1)
    weight_name: str | None = None
    scale: float = 1.0


LEARNING_RATES = {"perfusion": 0.03, "lora": 1e-4}
"""Of the methods of personal weights."""


class PersonalTraining(Config):
    """Weights of single categories that a run trains before it makes pictures with them.

    Attributes:
        method: ``"perfusion"``, or LoRA as the plain alternative.
        steps: Optimizer steps for each category.
        batch_size: Crops at a time.
        lr: Learning rate; the method's own where None.
        crops: Where they are from: the objects of the run's training set. There is no other choice.
        limit: Crops of a category at most, the largest.
        folder: Where the files are, for runs on the same data to share; the run's own folder where None.
    """

    method: Literal["perfusion", "lora"]
    steps: int = Field(default=400, ge=1)
    batch_size: int = Field(default=4, ge=1)
    lr: float | None = Field(default=None, gt=0)
    crops: Literal["train"] = "train"
    limit: int = Field(default=64, ge=1)
    folder: Annotated[Path, AfterValidator(Path.absolute)] | None = None

    def identity(self) -> tuple[object, ...]:
        """What the weights depend on beside model, data and seed."""
        return (self.method, self.steps, self.batch_size, self.lr, self.crops, self.limit)

    def requirements(self) -> Iterable[Requirement]:
        """See `divergen_records.requirements`."""
        return extra_modules("divergen-gen", "personalize", "peft") if self.method == "lora" else []


def _personal(value: Any) -> str | None:
    """Which of the ways to name personal weights this is."""
    if isinstance(value, (PersonalTraining, Mapping)):
        return "training" if isinstance(value, PersonalTraining) or "method" in value else "files"
    return "folder" if isinstance(value, (str, Path)) else None


PersonalFiles = Annotated[
    Annotated[PersonalTraining, Tag("training")]
    | Annotated[Mapping[str, Path], Tag("files")]
    | Annotated[Path, Tag("folder")],
    Discriminator(_personal),
]
"""Category -> safetensors file, a folder of them, or how to train them."""


def _pair(value: Any) -> Any:
    """``512`` and ``"512x768"`` (height x width) as a pair."""
    if isinstance(value, str) and value.count("x") == 1:
        return value.split("x")
    return (value, value) if isinstance(value, (int, str)) else value


def _named(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


def _precision(value: Any) -> Any:
    """``fp16``, ``half``, ``torch.float16`` … by the name that torch has for them."""
    short = value.strip().lower().removeprefix("torch.") if isinstance(value, str) else value
    return _PRECISIONS.get(short, short)


_PRECISIONS = {"fp16": "float16", "half": "float16", "bf16": "bfloat16", "fp32": "float32", "float": "float32"}


Side = Annotated[int, Field(ge=8, le=4096, multiple_of=8)]
Size = Annotated[tuple[Side, Side], BeforeValidator(_pair)]
"""(height, width), pixels."""


class Model(Config):
    """A diffusion model and how it samples. What is None is the model's own default.

    Attributes:
        model: Hub id, folder in the hub's layout (``model_index.json`` and a folder for each part), or a single
            ``.safetensors`` checkpoint.
        config: Of a single checkpoint: the hub id or folder of a model of the same architecture, whose configuration
            and tokenizers it takes; None finds the hub's by the weights.
        hub_revision: Branch, tag or commit of the hub; None for the main branch. The commit goes into the ids.
        variant: Variant of the weight files, for example ``"fp16"``; a folder's only one where left out.
        pipeline: Class of diffusers by name, where the text-to-image class that belongs to the model is not wanted.
        dtype: What weights are loaded in and pictures are computed with.
        steps: Denoising steps.
        guidance: Scale of the guidance by the prompt.
        size: (height, width) of the picture in pixels; one number means a square.
        scheduler: Another scheduler than the model's, as a name or with options.
        call: Further arguments of the pipeline's call, for example ``{"guidance_rescale": 0.7}``.
        safety_checker: Use the model's safety checker, if it has one. A picture that it objects to is made again.
        allow_pickle: Also load weights that are not safetensors. Such a file may run any program: your own files only.
        attention_slicing: Attention in slices: less memory, slower.
        vae_slicing: Decode one picture at a time: less memory.
        vae_tiling: Decode in tiles: far less memory, pictures change a little.
        channels_last: Keep convolutions in the memory format that tensor cores like.
        compile: `torch.compile` the denoiser; a mode such as ``"max-autotune"`` or true for the default one.
        offload: Where weights wait: ``"none"`` (on the device), ``"model"`` (a whole part at a time), ``"group"``
            (a block at a time, loaded ahead) or ``"sequential"`` (a layer at a time, slowest).
    """

    model: str = Field(min_length=1)
    config: Annotated[str | None, Field(min_length=1)] = None
    hub_revision: str | None = None
    variant: str | None = None
    pipeline: str | None = None
    dtype: Annotated[Literal["float32", "float16", "bfloat16"], BeforeValidator(_precision)] = "bfloat16"
    steps: int | None = Field(default=None, ge=1)
    guidance: float | None = Field(default=None, ge=0)
    size: Size | None = None
    scheduler: Annotated[Scheduler, BeforeValidator(_named)] | None = None
    call: Mapping[str, Any] = Field(default_factory=dict)
    safety_checker: bool = True
    allow_pickle: bool = False
    attention_slicing: bool = False
    vae_slicing: bool = False
    vae_tiling: bool = False
    channels_last: bool = False
    compile: bool | str = False
    offload: Literal["none", "model", "group", "sequential"] = "none"

    def settings(self) -> tuple[object, ...]:
        """What the pictures depend on, beside the weights; memory and speed options are not among them."""
        scheduler = None if self.scheduler is None else (self.scheduler.name, sorted(self.scheduler.options.items()))
        return (
            self.pipeline,
            self.dtype,
            self.steps,
            self.guidance,
            self.size,
            scheduler,
            sorted(self.call.items()),
            self.safety_checker,
            self.vae_tiling,
        )

    def requirements(self) -> Iterable[Requirement]:
        """See `divergen_records.requirements`."""
        yield from extra_modules("divergen-gen", "diffusers", "diffusers", "transformers", "torch")
        yield HubModel(self.model, self.hub_revision, self.variant, "pipeline")
