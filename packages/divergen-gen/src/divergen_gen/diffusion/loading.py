"""Load a pipeline's two halves apart: what reads the prompt, and what draws. They need not fit memory together."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

from divergen_records import ConfigError, WeightsError
from divergen_records.pretrained import loading_errors, why_not_loaded

from .classes import TEXT_PARTS, pipeline_class
from .environment import import_diffusers
from .model import Model
from .schedulers import build_scheduler
from .sources import ModelFiles, find_model, without_checker

__all__ = [
    "Half",
    "check_negative",
    "denoiser_name",
    "is_guided",
    "load_pipeline",
    "pipeline_type",
    "quiet",
    "reads_prompt_apart",
]

Half = Literal["text", "picture"]


@contextmanager
def quiet() -> Iterator[None]:
    """No progress bars and no advice of diffusers and transformers while they load and encode."""
    from diffusers.utils import logging as diffusers_logging
    from transformers.utils import logging as transformers_logging

    logs: tuple[Any, ...] = (diffusers_logging, transformers_logging)
    before = [(log, log.get_verbosity(), log.is_progress_bar_enabled()) for log in logs]
    for log, _, _ in before:
        log.set_verbosity_error()
        log.disable_progress_bar()
    try:
        yield
    finally:
        for log, level, bar in before:
            log.set_verbosity(level)
            if bar:
                log.enable_progress_bar()


def pipeline_type(model: Model, *, first: bool = True, pictures: bool = False) -> type:
    """The class that a model will be loaded with, as far as it is known before; raises as `load_pipeline`."""
    index = find_model(model).index
    kind: type = pipeline_class(import_diffusers(), model, index, first=first, pictures=pictures)
    return kind


def load_pipeline(model: Model, half: Half | None, *, first: bool = True, pictures: bool = False) -> Any:
    """Load a pipeline, or one half of it.

    Args:
        model: Which one.
        half: ``"text"`` for tokenizers and text encoders, ``"picture"`` for the rest, None for all.
        first: Whether it begins from text; False for a later stage of a cascade.
        pictures: Whether it begins from pictures, too.

    Raises:
        WeightsError: The weights are missing, damaged or do not fit.
        ConfigError: The model does not make pictures from text, or there is no such class.
    """
    diffusers = import_diffusers()
    import torch

    files = find_model(model)
    name = str(files.index["_class_name"])
    loader = pipeline_class(diffusers, model, files.index, first=first, pictures=pictures)
    settings = {"dtype": getattr(torch, model.dtype), "local_files_only": True, **_left_out(files, model, half)}
    from diffusers.loaders.single_file_utils import SingleFileComponentError

    with quiet():
        try:
            pipe = _load(loader, files, model, settings)
        except (*loading_errors(), SingleFileComponentError) as error:
            raise _translated(model, name, error) from error
    _check_whole(pipe, model)
    pipe.set_progress_bar_config(disable=True)
    if half != "text":
        _check_channels(pipe, model, first=first)
        if model.scheduler is not None:
            with quiet():
                pipe.scheduler = build_scheduler(diffusers, model.scheduler, pipe.scheduler)
    return pipe


def _load(loader: Any, files: ModelFiles, model: Model, settings: dict[str, Any]) -> Any:
    if files.config is not None:
        if not hasattr(loader, "from_single_file"):
            raise ConfigError(
                f"{model.model} is a single checkpoint, which {loader.__name__} does not load; name its text-to-image "
                "class with pipeline=…, or take the model as a folder in the hub's layout"
            )
        return loader.from_single_file(str(files.path), config=str(files.config), **settings)
    safe = None if model.allow_pickle else True
    return loader.from_pretrained(str(files.path), variant=files.variant, use_safetensors=safe, **settings)


def _check_whole(pipe: Any, model: Model) -> None:
    """Refuse networks of which tensors are missing; diffusers leaves them without values."""
    import torch

    for part, network in pipe.components.items():
        tensors = dict(network.named_parameters()) if isinstance(network, torch.nn.Module) else {}
        if missing := [key for key, tensor in tensors.items() if tensor.is_meta]:
            raise WeightsError(
                f"{model.model}: the weights of its {part} are another network's: {len(missing)} of {len(tensors)} "
                f"tensors are not among them ({missing[0]}, …); "
                + (
                    "download the model again"
                    if model.config is None
                    else "name a model of its architecture with config="
                )
            )


def denoiser_name(pipe: Any) -> str:
    """``"unet"`` or ``"transformer"``, whichever the pipeline has."""
    for name in ("unet", "transformer"):
        if getattr(pipe, name, None) is not None:
            return name
    raise ConfigError(f"{type(pipe).__name__} has neither a unet nor a transformer; name another pipeline")


def is_guided(pipe: Any, model: Model) -> bool:
    """Whether pictures are led away from something: two passes of the denoiser for each step."""
    takes = inspect.signature(pipe.__call__).parameters
    if "true_cfg_scale" in takes:  # Flux and Qwen-Image: their guidance_scale is an input of the denoiser
        return bool(model.call.get("true_cfg_scale", takes["true_cfg_scale"].default) > 1)
    default = takes["guidance_scale"].default if "guidance_scale" in takes else 0
    distilled = getattr(getattr(getattr(pipe, "unet", None), "config", None), "time_cond_proj_dim", None) is not None
    distilled = distilled or bool(pipe.config.get("is_distilled"))
    return bool((model.guidance if model.guidance is not None else default or 0) > 1) and not distilled


def check_negative(pipe: Any, model: Model, negative: str | None) -> None:
    """Refuse a negative prompt that would change nothing; raises `ConfigError`."""
    if not negative:
        return
    takes, name = inspect.signature(pipe.__call__).parameters, type(pipe).__name__
    if {"negative_prompt", "negative_prompt_embeds"}.isdisjoint(takes):
        raise ConfigError(f"negative_prompt: {name} takes none; leave it out")
    if not is_guided(pipe, model):
        remedy = "call={true_cfg_scale: 4}" if "true_cfg_scale" in takes else "guidance above 1"
        raise ConfigError(f"negative_prompt: {name} heeds it only with {remedy}; set that, or leave it out")


def reads_prompt_apart(kind: type) -> bool:
    """Whether prompts can be encoded in a pass of their own: an ``encode_prompt``, whose result it takes."""
    if kind.__name__.startswith("AutoPipeline"):  # which diffusers resolves as it loads
        return True
    return hasattr(kind, "encode_prompt") and "prompt_embeds" in inspect.signature(kind.__call__).parameters


def _translated(model: Model, name: str, error: Exception) -> Exception:
    if str(error).strip().startswith("AutoPipeline can't find"):
        return ConfigError(
            f"{model.model} is a {name}, which diffusers does not know to make pictures from text; take a "
            "text-to-image model, or name its text-to-image class with pipeline=…"
        )
    if found := re.search(r"(\w+)'> expected \[(.*)\], but only \{(.*)\} were passed", str(error)):
        wanted, given = (set(re.findall(r"\w+", found[at])) for at in (2, 3))
        spare = getattr(getattr(import_diffusers(), found[1], None), "_optional_components", ())
        return WeightsError(
            f"{model.model} lacks the {', '.join(sorted(wanted - given - set(spare)))} that a {found[1]} is made of; "
            "give the folder of a whole text-to-image model"
        )
    if found := re.match(r"Failed to load (\w+)\. Weights", str(error)):  # Flux and SD3 are published so
        return WeightsError(
            f"{model.model} is a part of a model, or of another architecture than config= says: it holds no weights of "
            f"a {found[1]}; give the folder or hub id of the whole model"
        )
    as_class = f" as a {model.pipeline}" if model.pipeline else ""
    return WeightsError(f"{model.model} cannot be loaded{as_class}: {why_not_loaded(error)}")


def _left_out(files: ModelFiles, model: Model, half: Half | None) -> dict[str, bool | None]:
    """Parts that are not loaded, as diffusers wants them: name -> None."""
    index = files.index
    parts = [name for name, value in index.items() if isinstance(value, list) and value[0] is not None]
    if half == "text":
        left = [name for name in parts if not name.startswith((*TEXT_PARTS, "scheduler", "image_noising_scheduler"))]
    elif half == "picture":
        left = [name for name in parts if name.startswith(TEXT_PARTS)]
    else:
        left = []
    absent = [name for name, value in index.items() if value == [None, None]]  # SD3 without T5: it wants that said
    given: dict[str, bool | None] = dict.fromkeys((*left, *absent))
    unchecked = half == "text" or not model.safety_checker or files.config is not None  # no checkpoint holds one
    if "safety_checker" in index and unchecked:
        given["safety_checker"] = None
        given |= dict.fromkeys(name for name in without_checker(model) if name in index)
        if "requires_safety_checker" in index:
            given["requires_safety_checker"] = False
    return given


def _check_channels(pipe: Any, model: Model, *, first: bool) -> None:
    vae, unet = getattr(pipe, "vae", None), getattr(pipe, "unet", None)
    if not first or vae is None or unet is None or "latent_channels" not in vae.config:
        return
    given, wanted = vae.config.latent_channels, unet.config.in_channels
    if given != wanted:
        raise ConfigError(
            f"{model.model}: its denoiser takes {wanted} channels where a picture has {given}, so it wants more than a "
            "prompt (inpainting, editing, depth); take a text-to-image model"
        )
