"""How fast a backend works: as the user says, as this run has measured, or as others published it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any

from divergen_records import ConfigError
from divergen_records.yaml_files import read_yaml
from pydantic import BaseModel

from .plans import picture_sides

if TYPE_CHECKING:
    from .run import Run

__all__ = ["Rate", "on_gpu", "parse_rates", "published_rate", "published_training_rate", "rate_of"]

_SIDE, _STEPS = 512, 50
"""Of the pictures that ``steps_per_second`` is for; steps where a config leaves them to the model."""


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
    """Pictures per second of a backend, as others published it."""
    found = _entry(config)
    if found is None:
        return None
    if "per_second" in found:
        return Rate(found["per_second"], found["source"])
    height, width = picture_sides(config)
    steps = (getattr(config, "steps", None) or _STEPS) * height * width / _SIDE**2
    return Rate(found["steps_per_second"] / steps, found["source"])


def published_training_rate(config: Any) -> Rate | None:
    """Optimizer steps per second of a generator's personal weights, from how fast it draws.

    A picture's step passes twice through the network, with the prompt and without; a training step once for each crop,
    and backwards at twice that.
    """
    found = _entry(config)
    if found is None or "steps_per_second" not in found:
        return None
    height, width = picture_sides(config)
    passes = 3 * config.personal.batch_size / 2 * height * width / _SIDE**2
    return Rate(found["steps_per_second"] / passes, f"reckoned from its drawing; {found['source']}")


def on_gpu(config: Any) -> bool:
    """Whether a backend works on a GPU where there is one: it or a part of it has a device to set."""
    if not isinstance(config, BaseModel):
        return isinstance(config, (list, tuple)) and any(map(on_gpu, config))
    fields = type(config).model_fields
    if "device" in fields:
        return getattr(config, "device", None) != "cpu"
    return any(on_gpu(getattr(config, name)) for name in fields)


def _entry(config: Any) -> dict[str, Any] | None:
    model = str(getattr(config, "model", None) or getattr(config, "checkpoint", "")).lower()
    entries: list[dict[str, Any]] = read_yaml(resources.files("divergen") / "rates.yaml")  # type: ignore[arg-type]
    return next((one for one in entries if one["kind"] == config.kind and one["model"] in model), None)
