"""Load a pipeline's two halves apart: what reads the prompt, and what draws. They need not fit memory together."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

from divergen_records import ConfigError, WeightsError

from .environment import import_diffusers
from .model import Model
from .weights import check_folder, model_folder

__all__ = ["Half", "denoiser_name", "load_pipeline", "quiet", "reads_prompt_apart"]

Half = Literal["text", "picture"]

TEXT_PARTS = ("text_encoder", "tokenizer")


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


def load_pipeline(model: Model, half: Half | None, *, first: bool = True) -> Any:
    """Load a pipeline, or one half of it.

    Args:
        model: Which one.
        half: ``"text"`` for tokenizers and text encoders, ``"picture"`` for the rest, None for all.
        first: Whether it begins from text; False for a later stage of a cascade.

    Raises:
        WeightsError: The weights are missing, damaged or do not fit.
        ConfigError: The model does not make pictures from text, or there is no such class.
    """
    diffusers = import_diffusers()
    import torch

    folder = model_folder(model)
    index = check_folder(folder, model.variant, allow_pickle=model.allow_pickle)
    loader = _loader(diffusers, model, index["_class_name"], first=first)
    settings = {
        "dtype": getattr(torch, model.dtype),
        "variant": model.variant,
        "use_safetensors": None if model.allow_pickle else True,
        "local_files_only": True,
        **_left_out(index, model, half),
    }
    with quiet():
        try:
            pipe = loader.from_pretrained(str(folder), **settings)
        except (OSError, RuntimeError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise _translated(model, index["_class_name"], str(error).strip()) from error
    pipe.set_progress_bar_config(disable=True)
    if half != "text":
        _check_channels(pipe, model, first=first)
        if model.scheduler is not None:
            pipe.scheduler = _scheduler(diffusers, model, pipe.scheduler)
    return pipe


def denoiser_name(pipe: Any) -> str:
    """``"unet"`` or ``"transformer"``, whichever the pipeline has."""
    for name in ("unet", "transformer"):
        if getattr(pipe, name, None) is not None:
            return name
    raise ConfigError(f"{type(pipe).__name__} has neither a unet nor a transformer; name another pipeline")


def reads_prompt_apart(kind: type) -> bool:
    """Whether prompts can be encoded in a pass of their own: an ``encode_prompt``, whose result it takes."""
    return hasattr(kind, "encode_prompt") and "prompt_embeds" in inspect.signature(kind.__call__).parameters


def _loader(diffusers: Any, model: Model, name: str, *, first: bool) -> Any:
    if model.pipeline is not None:
        found = getattr(diffusers, model.pipeline, None)
        if not (inspect.isclass(found) and issubclass(found, diffusers.DiffusionPipeline)):
            raise ConfigError(f"pipeline {model.pipeline!r}: diffusers {diffusers.__version__} has no such pipeline")
        return found
    if not first:
        return diffusers.DiffusionPipeline
    own = getattr(diffusers, name, None)
    arguments = inspect.signature(own.__call__).parameters if own is not None else {}
    if "prompt" in arguments and not {"image", "video", "mask_image"} & set(arguments):
        return own
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return diffusers.AutoPipelineForText2Image  # the text-to-image class of the same family


def _translated(model: Model, name: str, message: str) -> Exception:
    if message.startswith("AutoPipeline can't find"):
        return ConfigError(
            f"{model.model} is a {name}, which diffusers does not know to make pictures from text; take a "
            "text-to-image model, or name its text-to-image class with pipeline=…"
        )
    return WeightsError(f"{model.model} cannot be loaded: {message.splitlines()[0] if message else name}")


def _left_out(index: dict[str, Any], model: Model, half: Half | None) -> dict[str, bool | None]:
    """Parts that are not loaded, as diffusers wants them: name -> None."""
    parts = [name for name, value in index.items() if isinstance(value, list) and value[0] is not None]
    if half == "text":
        left = [name for name in parts if not name.startswith((*TEXT_PARTS, "scheduler", "image_noising_scheduler"))]
    elif half == "picture":
        left = [name for name in parts if name.startswith(TEXT_PARTS)]
    else:
        left = []
    given: dict[str, bool | None] = dict.fromkeys(left)
    if "safety_checker" in index and (half == "text" or not model.safety_checker):
        given["safety_checker"] = None
        if "requires_safety_checker" in index:
            given["requires_safety_checker"] = False
    return given


def _scheduler(diffusers: Any, model: Model, own: Any) -> Any:
    wanted = model.scheduler
    assert wanted is not None
    kind = getattr(diffusers, wanted.name, None)
    if not (inspect.isclass(kind) and issubclass(kind, diffusers.SchedulerMixin)):
        raise ConfigError(f"scheduler {wanted.name!r}: diffusers {diffusers.__version__} has no such scheduler")
    known = inspect.signature(kind.__init__).parameters
    unknown = sorted(set(wanted.options) - set(known))
    if unknown:
        raise ConfigError(f"scheduler {wanted.name} has no option {unknown[0]!r}; it has {', '.join(list(known)[1:])}")
    scheduler: Any = kind
    with quiet():
        return scheduler.from_config(own.config, **wanted.options)


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
