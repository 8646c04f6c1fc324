"""Which trainers a configuration may name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from divergen_records import ConfigError, backend_union
from divergen_records.settings import Shorthand
from divergen_train.training.config import TrainConfig
from divergen_train.training.presets import preset
from divergen_train.training.recipe import recipe
from pydantic import BeforeValidator

if TYPE_CHECKING:
    from .protocol import Trainer

__all__ = ["DivergenTrainConfig", "TrainSection", "TrainerConfig"]


class DivergenTrainConfig(TrainConfig):
    """The trainer of this house, and all its settings.

    Attributes:
        kind: ``"divergen"``.
    """

    kind: Literal["divergen"] = "divergen"

    @property
    def summary(self) -> str:
        """What the report says of it."""
        return f"{self.iterations:,} iterations of {self.batch_size} images."

    def build(self) -> Trainer:
        """Make the trainer."""
        from .own import DivergenTrainer

        return DivergenTrainer(TrainConfig.model_validate(self.model_dump(exclude={"kind"})))


def _resolved(value: Any) -> Any:
    """A plain name means a shipped preset; a mapping with ``preset`` or ``recipe`` changes one."""
    try:
        if isinstance(value, str):
            return {"kind": "divergen", **preset(value).model_dump()}
        if isinstance(value, Mapping) and value.get("kind") in (None, "divergen"):
            return {"kind": "divergen", **_with_base(value)}
    except ConfigError as error:
        raise ValueError(str(error)) from error
    return value


def _with_base(value: Mapping[str, Any]) -> Mapping[str, Any]:
    changes = dict(value)
    if "preset" in value:
        return _merged(preset(changes.pop("preset")).model_dump(), changes)
    if "recipe" in value:
        found = recipe(changes.pop("recipe"))
        return _merged({**found.train.model_dump(), "bsgal": found.bsgal and found.bsgal.model_dump()}, changes)
    return value


def _merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with some changed, also inside sections; another ``kind`` of section takes the place of the first."""
    merged = dict(base)
    for key, change in changes.items():
        old = merged.get(key)
        inside = isinstance(old, dict) and isinstance(change, dict) and change.get("kind") in (None, old.get("kind"))
        merged[key] = _merged(old or {}, change) if inside else change
    return merged


TrainerConfig: Any = backend_union("divergen.trainers", DivergenTrainConfig)
"""Any trainer's config, told apart by ``kind``; packages add theirs by the entry point ``divergen.trainers``."""

TrainSection: Any = Annotated[TrainerConfig | None, BeforeValidator(_resolved), Shorthand("preset", "recipe")]
"""The section ``train`` of a run: a trainer's settings, ours where no ``kind`` is named; null for none."""
