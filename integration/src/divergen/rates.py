"""How fast a backend works: as the user says, as this run has measured, or as others published it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from divergen_records import ConfigError
from divergen_records.yaml_files import read_yaml
from pydantic import BaseModel

if TYPE_CHECKING:
    from .run import Run

__all__ = [
    "Rate",
    "on_gpu",
    "parse_rates",
    "published_detector_rate",
    "published_rate",
    "published_token_rate",
    "published_training_rate",
    "rate_of",
]

_SIDE, _STEPS = 512, 50
"""Of the pictures that ``steps_per_second`` is for, and steps where a config leaves them to the model; `rates.yaml` may
say others."""


@dataclass(frozen=True)
class Rate:
    """Units of work per second on one device.

    Attributes:
        per_second: Pictures, optimizer steps …
        source: Who says so.
    """

    per_second: float
    source: str


def parse_rates(texts: Sequence[str], names: Sequence[str]) -> dict[str, float]:
    """``["sd15=4", "train=0.7"]`` as a mapping.

    Raises:
        ConfigError: If a name is none of ``names``, or a rate is no positive number.
    """
    found = {}
    for text in texts:
        name, _, value = text.rpartition("=")
        if name not in names:
            raise ConfigError(f"--rate {text!r}: expected NAME=PER_SECOND, with NAME one of {', '.join(names)}")
        try:
            found[name] = float(value)
        except ValueError as error:
            raise ConfigError(f"--rate {text!r}: {value!r} is not a number") from error
        if not 0 < found[name] < float("inf"):
            raise ConfigError(f"--rate {text!r}: must be above 0")
    return found


def rate_of(name: str, run: Run, said: Mapping[str, float], published: Rate | None = None) -> Rate | None:
    """The rate of a step or generator; None where nobody knows it."""
    if name in said:
        return Rate(said[name], "as you say")
    measured = run.measured_rates().get(name)
    return Rate(measured, "measured in this run") if measured else published


def published_rate(config: Any) -> Rate | None:
    """Pictures per second of a backend, as others published it; of one with parts, where each part's is known."""
    rates = [_part_rate(kind, part) for kind, part in _parts(config)]
    known = [rate for rate in rates if rate is not None]
    if len(known) < len(rates):
        return None
    seconds = sum(1 / rate.per_second for rate in known)
    return Rate(1 / seconds, "; ".join(dict.fromkeys(rate.source for rate in known)))


def published_training_rate(config: Any) -> Rate | None:
    """Optimizer steps per second of a generator's personal weights, from how fast it draws.

    A picture's step passes twice through the network, with the prompt and without; a training step once for each crop,
    and backwards at twice that.
    """
    found = _entry(config.kind, config)
    if found is None or "steps_per_second" not in found:
        return None
    passes = 3 * config.personal.batch_size / 2 * _area(config, found)
    return Rate(found["steps_per_second"] / passes, f"reckoned from its drawing; {found['source']}")


def published_detector_rate(train: Any) -> Rate | None:
    """Optimizer steps per second of one GPU, from how many images of what size others trained on."""
    detector = getattr(train, "detector", None)
    backbone = getattr(detector, "backbone", None)
    wanted = (getattr(detector, "kind", None), getattr(backbone, "kind", None), getattr(backbone, "embed_dim", None))
    for one in _published()["detectors"]:
        if (one["kind"], one["backbone"], one.get("embed_dim")) == wanted:
            images = one["images_per_second"] * (one["side"] / train.image_size) ** 2
            judge = "; of a plain step, what judges comes on top" if train.bsgal is not None else ""
            return Rate(images / train.batch_size, f"{one['source']}{judge}")
    return None


def published_token_rate(model: str, at_once: int) -> Rate | None:
    """Tokens per second of a language model that answers several requests at once."""
    for one in _published()["language_models"]:
        if one["model"] in model.lower():
            return Rate(one["tokens_per_second"] * at_once, f"{at_once} answers at once; {one['source']}")
    return None


def on_gpu(config: Any) -> bool:
    """Whether a backend works on a GPU where there is one: it or a part of it has a device to set."""
    if not isinstance(config, BaseModel):
        return isinstance(config, (list, tuple)) and any(map(on_gpu, config))
    fields = type(config).model_fields
    if "device" in fields:
        return getattr(config, "device", None) != "cpu"
    return any(on_gpu(getattr(config, name)) for name in fields)


def _parts(config: Any) -> list[tuple[str, Any]]:
    """What works on each picture in turn, with the kind that its rate is published under."""
    stages = [stage for number in (1, 2, 3) if (stage := getattr(config, f"stage{number}", None)) is not None]
    if stages:
        return [(config.kind, stage) for stage in stages]
    annotators = getattr(config, "annotators", ())
    if annotators:  # the scorer looks at the mask of each
        return [(one.kind, one) for one in (*annotators, *[config.scorer] * len(annotators))]
    return [(config.kind, config)]


def _part_rate(kind: str, config: Any) -> Rate | None:
    found = _entry(kind, config)
    if found is None:
        return None
    if "per_second" in found:
        return Rate(found["per_second"], found["source"])
    steps = (getattr(config, "steps", None) or found.get("steps", _STEPS)) * _area(config, found)
    return Rate(found["steps_per_second"] / steps, found["source"])


def _area(config: Any, found: Mapping[str, Any]) -> float:
    """Of a picture, in that of the pictures that the rate is for."""
    side = found.get("side", _SIDE)
    size = getattr(config, "size", None) or side
    height, width = size if isinstance(size, tuple) else (size, size)
    return float(height * width / side**2)


def _entry(kind: str, config: Any) -> dict[str, Any] | None:
    model = str(getattr(config, "model", None) or getattr(config, "checkpoint", "")).lower()
    return next((one for one in _published()["backends"] if one["kind"] == kind and one["model"] in model), None)


@cache
def _published() -> Mapping[str, list[dict[str, Any]]]:
    rates: Mapping[str, list[dict[str, Any]]] = read_yaml(resources.files("divergen") / "rates.yaml")  # type: ignore[arg-type]
    return rates
