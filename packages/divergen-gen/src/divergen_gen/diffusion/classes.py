"""Which class of diffusers a model is loaded as, and whether the two belong together."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Mapping
from typing import Any

from divergen_records import ConfigError

from .model import Model

__all__ = ["TEXT_PARTS", "pipeline_class"]

TEXT_PARTS = ("text_encoder", "tokenizer")
_PICTURES = {"image", "video", "mask_image"}


def pipeline_class(diffusers: Any, model: Model, index: Mapping[str, Any], *, first: bool, pictures: bool) -> Any:
    """The class to load a model with.

    Args:
        diffusers: The module.
        model: Which one.
        index: Its ``model_index.json``.
        first: Whether it begins from text; False for a later stage of a cascade.
        pictures: Whether it begins from pictures, too.

    Raises:
        ConfigError: There is no such class, or it is none for this model or for this purpose.
    """
    name = str(index["_class_name"])
    if model.pipeline is not None:
        kind = _named(diffusers, model.pipeline)
        _check_parts(kind, model, index)
        if first:
            _check_call(kind, pictures)
        return kind
    own = getattr(diffusers, name, None)
    arguments = _arguments(own) if own is not None else {}
    if not first:
        if own is not None and "image" not in arguments:
            raise ConfigError(
                f"{model.model} is of the class {name}, which enlarges no picture; a later stage takes a model of "
                "super-resolution, for example DeepFloyd/IF-II-L-v1.0"
            )
        return diffusers.DiffusionPipeline
    if pictures:
        return own if "image" in arguments else _from_pictures(name)
    if "prompt" in arguments and not _PICTURES & set(arguments):
        return own
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return diffusers.AutoPipelineForText2Image  # the text-to-image class of the same family


def _from_pictures(name: str) -> Any:
    """The class of the same family that begins from a picture."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from diffusers.pipelines import auto_pipeline as known

    families = {kind.__name__: family for family, kind in known.AUTO_TEXT2IMAGE_PIPELINES_MAPPING.items()}
    found = known.AUTO_IMAGE2IMAGE_PIPELINES_MAPPING.get(families.get(name, ""))
    if found is None:
        raise ConfigError(
            f"image: diffusers knows no class of {name} that begins from a picture; name one with pipeline=…, or show "
            "the pictures through an adapter (image.adapter)"
        )
    return found


def _named(diffusers: Any, name: str) -> Any:
    found = getattr(diffusers, name, None)
    if not (inspect.isclass(found) and issubclass(found, diffusers.DiffusionPipeline)):
        raise ConfigError(f"pipeline {name!r}: diffusers {diffusers.__version__} has no such pipeline")
    return found


def _check_parts(kind: Any, model: Model, index: Mapping[str, Any]) -> None:
    """Refuse a class that wants parts which the model has not, or another denoiser."""
    expected, _ = kind._get_signature_keys(kind)
    spare = [name for name in kind._optional_components if not name.startswith(TEXT_PARTS)]
    lacks = sorted(set(expected) - set(index) - set(spare) - {"safety_checker", "feature_extractor"})
    if lacks:
        raise ConfigError(
            f"pipeline {model.pipeline!r} is none for {model.model}, which is a {index['_class_name']} and has no "
            f"{', '.join(lacks)}; leave pipeline= out, or name a class of the same family"
        )
    types = kind._get_signature_types()
    for part in {"unet", "transformer"} & set(expected) & set(index):
        known = {getattr(one, "__name__", str(one)) for one in types.get(part, ())}
        if known and index[part][0] == "diffusers" and index[part][1] not in known:
            raise ConfigError(
                f"pipeline {model.pipeline!r} is none for {model.model}: its {part} is a {index[part][1]} where the "
                f"pipeline takes a {' or '.join(sorted(known))}; leave pipeline= out"
            )


def _check_call(kind: Any, pictures: bool) -> None:
    arguments = _arguments(kind)
    if "prompt" not in arguments:
        raise ConfigError(f"pipeline {kind.__name__!r} takes no prompt; name a text-to-image pipeline")
    if "strength" in arguments and _PICTURES & set(arguments) and not pictures:
        raise ConfigError(
            f"pipeline {kind.__name__!r} begins with a picture, not a prompt alone; name a text-to-image pipeline, or "
            "say what it begins from (image.from)"
        )
    if pictures and "image" not in arguments:
        raise ConfigError(f"pipeline {kind.__name__!r} begins from no picture; name an image-to-image pipeline")


def _arguments(kind: Any) -> Mapping[str, Any]:
    return inspect.signature(kind.__call__).parameters
