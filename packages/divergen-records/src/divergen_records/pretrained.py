"""A model of transformers before it is loaded: where it lies, whether it is whole, in which form its weights are."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from .errors import WeightsError, lacking
from .hub import local_model, variant_of
from .weights_files import check_shards, read_header, why_no_weights

__all__ = ["Pretrained", "find_pretrained", "loading_errors", "quiet_loading", "why_not_loaded"]

_PROCESSORS = ("preprocessor_config.json", "processor_config.json")


@dataclass(frozen=True)
class Pretrained:
    """A model by its hub id, or in a folder that holds a ``config.json``.

    Attributes:
        source: What ``from_pretrained`` is given.
        folder: Where it lies; None for a hub id.
    """

    source: str
    folder: Path | None = None

    def check_processor(self) -> None:
        """Refuse a folder that does not say how pictures are prepared; raises `WeightsError`."""
        if self.folder and not any((self.folder / name).is_file() for name in _PROCESSORS):
            raise WeightsError(
                f"{self.folder} does not say how pictures are prepared: it holds no {_PROCESSORS[0]}; copy that file "
                "from where the model comes from"
            )

    def find_variant(self) -> str | None:
        """The variant of the weights in the folder, for example ``fp16``; None where there are plain ones.

        Raises:
            WeightsError: If there are none, or not all of them.
        """
        return _check_weights(self.folder) if self.folder else None


def find_pretrained(model: str) -> Pretrained:
    """A model by its name, before anything is loaded.

    Args:
        model: Hub id; or a folder as ``save_pretrained`` writes it, or as the hub's cache keeps it.

    Raises:
        WeightsError: If there is no such folder, or it holds no model of transformers.
    """
    folder = local_model(model)
    if folder is None:
        return Pretrained(model)
    if folder.is_file():
        raise WeightsError(f"{folder} is a file; give the folder that holds it, with its config.json, or a hub id")
    if not (folder / "config.json").is_file():
        inner = sorted(path.parent for path in folder.glob("*/config.json"))
        remedy = f"give {inner[0]}" if len(inner) == 1 else "give the folder of a whole model, or its hub id"
        raise WeightsError(f"{folder} is no model of transformers: it holds no config.json; {remedy}")
    return Pretrained(str(folder), folder)


def loading_errors() -> tuple[type[Exception], ...]:
    """What transformers and diffusers raise for a model that cannot be loaded.

    Among it is a quantisation whose package is missing, and a configuration with a value of the wrong kind.
    """
    known = (OSError, RuntimeError, ValueError, TypeError, LookupError, AttributeError, ImportError)
    errors = import_module("huggingface_hub.errors") if find_spec("huggingface_hub") else None
    strict = getattr(errors, "StrictDataclassError", None)  # younger than what is required
    return known if strict is None else (*known, strict)


def why_not_loaded(error: Exception) -> str:
    """What one of `loading_errors` says, on one line; what installs a package that it only calls missing."""
    if isinstance(error, ModuleNotFoundError) and error.name:
        return lacking(error.name, f"pip install {error.name.partition('.')[0]}")
    text = " ".join(str(error).split())
    if "ignore_mismatched_sizes" in text:  # the libraries' remedy are random weights
        return "its weights have other shapes than its config.json says; download the model again"
    return text[:300].rstrip(".") or type(error).__name__


@contextmanager
def quiet_loading() -> Iterator[None]:
    """No progress bars, tables and warnings of transformers while it loads a model: what is wrong becomes our error."""
    log = import_module("transformers.utils.logging")
    level, bar = log.get_verbosity(), log.is_progress_bar_enabled()
    log.set_verbosity(logging.CRITICAL)
    log.disable_progress_bar()
    try:
        yield
    finally:
        log.set_verbosity(level)
        if bar:
            log.enable_progress_bar()


def _check_weights(folder: Path) -> str | None:
    check_shards(folder)
    safe = sorted(folder.glob("model*.safetensors"))
    for file in safe:
        read_header(file)
    pickled = sorted(folder.glob("pytorch_model*.bin"))  # transformers reads tensors from them, and nothing else
    for file in pickled if not safe else ():
        if wrong := why_no_weights(file):
            raise WeightsError(f"{file} {wrong}")
    variants = {variant_of(file.name) for file in safe or pickled}
    if not variants:
        raise WeightsError(f"{folder} has no weights: no model.safetensors; download the model again")
    return None if None in variants else min(variant for variant in variants if variant)
