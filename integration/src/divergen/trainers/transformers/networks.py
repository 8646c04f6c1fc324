"""A model of transformers with the classes of a data set."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from divergen_records import Category, ConfigError, WeightsError, require_extra
from divergen_records.hub import hub_errors
from divergen_records.pretrained import Pretrained, find_pretrained, loading_errors, quiet_loading, why_not_loaded

from .heads import Boxes, Head, Masks

with require_extra("divergen", "transformers"):
    import torch
    from transformers import (
        AutoConfig,
        AutoImageProcessor,
        AutoModelForObjectDetection,
        AutoModelForUniversalSegmentation,
    )
    from transformers.models.auto.modeling_auto import (
        MODEL_FOR_OBJECT_DETECTION_MAPPING_NAMES,
        MODEL_FOR_UNIVERSAL_SEGMENTATION_MAPPING_NAMES,
    )

__all__ = ["Network", "load_network", "save_network"]


@dataclass(frozen=True)
class Network:
    """A model that can be trained.

    Attributes:
        model: The module.
        processor: What normalises images for it.
        head: What it learns from and detects.
        anew: Names of weights that were begun anew, as the classes are others.
    """

    model: Any
    processor: Any
    head: Head
    anew: tuple[str, ...]


def load_network(source: str | Path, revision: str | None, categories: Sequence[Category]) -> Network:
    """A model with its weights, but for the classes.

    Args:
        source: Hub id or folder.
        revision: Of the hub.
        categories: What classes 0, 1, … mean.

    Raises:
        WeightsError: If it cannot be had, or other weights than the classes' are missing.
        ConfigError: If it detects neither masks nor boxes.
    """
    options: dict[str, Any] = {} if revision is None else {"revision": revision}
    names = [category.name for category in categories]
    found = find_pretrained(str(source))
    with _readable(found), quiet_loading():
        config = AutoConfig.from_pretrained(found.source, **options)
        family = _family(source, config)
        found.check_processor()
        processor = AutoImageProcessor.from_pretrained(found.source, **options)
        model, report = family.from_pretrained(
            found.source,
            variant=found.find_variant(),
            dtype=torch.float32,
            id2label=dict(enumerate(names)),
            label2id={name: number for number, name in enumerate(names)},
            ignore_mismatched_sizes=True,
            output_loading_info=True,
            **options,
        )
    missing = sorted(report["missing_keys"])
    if missing:
        raise WeightsError(
            f"{source}: {len(missing)} weights are not in it ({', '.join(missing[:3])} …); they would be random. It is "
            "the checkpoint of another architecture, or incomplete"
        )
    anew = sorted(str(key if isinstance(key, str) else key[0]) for key in report["mismatched_keys"])
    shapes = {key: tensor.shape for key, tensor in model.state_dict().items()}
    counts = (len(names),), (len(names) + 1,)  # the second with a class for "no object"
    if others := [key for key in anew if shapes[key][:1] not in counts]:
        raise WeightsError(
            f"{source}: {len(others)} weights have other shapes than its config.json says ({', '.join(others[:3])} …); "
            "they would be random. It is the checkpoint of another architecture"
        )
    head: Head = Masks() if family is AutoModelForUniversalSegmentation else Boxes(len(names))
    _check_forward(source, model, head)
    return Network(model, processor, head, tuple(anew))


@contextmanager
def _readable(found: Pretrained) -> Iterator[None]:
    """Translate what transformers raises for a model that cannot be had or loaded."""
    try:
        with nullcontext() if found.folder else hub_errors(found.source):
            yield
    except loading_errors() as error:
        raise WeightsError(f"{found.source} cannot be loaded: {why_not_loaded(error)}") from error


def _family(source: str | Path, config: Any) -> Any:
    """The auto class that loads what the checkpoint says it is."""
    made = set(config.architectures or ())
    if made & set(MODEL_FOR_UNIVERSAL_SEGMENTATION_MAPPING_NAMES.values()):
        return AutoModelForUniversalSegmentation
    if made & set(MODEL_FOR_OBJECT_DETECTION_MAPPING_NAMES.values()):
        return AutoModelForObjectDetection
    raise ConfigError(
        f"train.model={str(source)!r} is {', '.join(sorted(made)) or 'of no architecture'}; name one that detects, for "
        "example facebook/mask2former-swin-tiny-coco-instance or PekingU/rtdetr_r50vd"
    )


def _check_forward(source: str | Path, model: Any, head: Head) -> None:
    """Refuse a model that learns from other things, such as OneFormer from texts."""
    known = inspect.signature(model.forward).parameters
    lacking = set(head.targets((), 1)) - set(known)
    if lacking or "task_inputs" in known:
        raise ConfigError(
            f"train.model={str(source)!r}: {type(model).__name__} does not learn from masks or boxes alone"
        )


def save_network(network: Network, folder: Path) -> None:
    """Weights, config and processor, as `load_network` reads them."""
    network.model.save_pretrained(folder)
    network.processor.save_pretrained(folder)
