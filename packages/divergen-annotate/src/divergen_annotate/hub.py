"""Models of transformers from a hub id or a folder: what goes wrong is one sentence, and nothing stays random."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from divergen_records import WeightsError, require_extra
from divergen_records.pretrained import find_pretrained, loading_errors, quiet_loading, why_not_loaded

__all__ = ["load_pretrained", "read_model_type"]


def read_model_type(model: str) -> str:
    """The ``model_type`` of a model's config.

    Raises:
        WeightsError: If there is no such model.
        MissingExtra: If transformers is not installed.
    """
    with require_extra("divergen-annotate", "transformers"):
        import torch  # noqa: F401
        from transformers import AutoConfig
    source = find_pretrained(model).source
    with _readable(model):
        return str(AutoConfig.from_pretrained(source, trust_remote_code=False).model_type)


def load_pretrained(model: str, class_name: str) -> Any:
    """``transformers.<class_name>.from_pretrained(model)``, in float32 where it is a model.

    Raises:
        WeightsError: If there is no such model, it cannot be read, or some of its weights are missing.
        MissingExtra: If transformers is not installed.
    """
    with require_extra("divergen-annotate", "transformers"):
        import torch
        import transformers
    loader = getattr(transformers, class_name, None)
    if loader is None:
        raise WeightsError(
            f"{model}: transformers {transformers.__version__} has no {class_name}; pip install --upgrade transformers"
        )
    found = find_pretrained(model)
    if not (issubclass(loader, transformers.PreTrainedModel) or hasattr(loader, "_model_mapping")):  # AutoModelFor…
        found.check_processor()
        with _readable(model), quiet_loading(), require_extra("divergen-annotate", "transformers"):
            loaded = loader.from_pretrained(found.source, trust_remote_code=False)
        tokenizer = getattr(loaded, "tokenizer", None)
        if tokenizer is not None and set(tokenizer.get_vocab()) <= set(tokenizer.all_special_tokens):
            raise WeightsError(
                f"{model} holds no words: no tokenizer.json, vocab.json, vocab.txt or .model; any text would be the "
                "same to it. Download the model again"
            )
        return loaded
    variant = found.find_variant()
    with _readable(model), quiet_loading():
        loaded, report = loader.from_pretrained(
            found.source, variant=variant, dtype=torch.float32, output_loading_info=True
        )
    missing = sorted(report["missing_keys"])
    if missing:
        raise WeightsError(
            f"{model}: {len(missing)} weights of {class_name} are not in it ({', '.join(missing[:3])} …); they would "
            "be random. It is the checkpoint of another architecture, or incomplete"
        )
    return loaded


@contextmanager
def _readable(model: str) -> Iterator[None]:
    """Translate what transformers and safetensors raise for a model that cannot be loaded."""
    from safetensors import SafetensorError

    known: tuple[type[Exception], ...] = (*loading_errors(), SafetensorError)
    try:
        yield
    except known as error:
        said = why_not_loaded(error)
        raise WeightsError(
            f"{model}: the model cannot be loaded: {said}. Give the id of a model on the hub, or a folder that "
            "holds config.json, preprocessor_config.json and model.safetensors"
        ) from error
