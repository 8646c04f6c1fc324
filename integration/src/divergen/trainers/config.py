"""Which trainers a configuration may name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from divergen_records import Config, ConfigError, backend_union
from divergen_records.formats import writers
from divergen_records.requirements import Requirement
from divergen_records.settings import Shorthand
from divergen_train.training.config import TrainConfig
from divergen_train.training.presets import preset
from divergen_train.training.recipe import recipe
from pydantic import BeforeValidator, Field, model_validator

from .detectron2.config import Detectron2ScriptConfig
from .places import PLACES, Program, fill_in
from .transformers.config import TransformersTrainConfig
from .ultralytics.config import UltralyticsTrainConfig

if TYPE_CHECKING:
    from .protocol import Trainer

__all__ = ["CommandTrainConfig", "DivergenTrainConfig", "TrainSection", "TrainerConfig"]


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


class CommandTrainConfig(Config):
    """Any program: a script of yours, MMDetection, YOLOX. It gets data sets with pasted images on disk.

    Attributes:
        kind: ``"command"``.
        command: Its command line. ``{data}`` and ``{val}`` are the training and validation data, ``{images}`` and
            ``{val_images}`` the folders of their pictures, ``{out}`` a folder of its own, ``{seed}`` and
            ``{iterations}`` numbers, and ``{results}`` where it leaves its detections, a COCO results file.
        predict: A second line with the same places, for programs that predict apart from training.
        format: In what it gets the data: any format that can be written; files for ``coco`` and ``lvis``, else folders.
        iterations: For ``{iterations}``.
    """

    kind: Literal["command"] = "command"
    command: str = Field(min_length=1)
    predict: str | None = None
    format: str = "coco"
    iterations: int = Field(default=0, ge=0)

    @property
    def lines(self) -> tuple[str, ...]:
        """The lines to run, in their order."""
        return (self.command, self.predict) if self.predict else (self.command,)

    @property
    def summary(self) -> str:
        """What the report says of it."""
        return f"Trained by `{self.command}`."

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.format not in writers():
            raise ValueError(f"format {self.format!r} cannot be written; these can: {', '.join(writers())}")
        for line in self.lines:
            try:
                fill_in(line, dict.fromkeys(PLACES, "x"))
            except (KeyError, IndexError, ValueError) as error:
                known = ", ".join(f"{{{place}}}" for place in PLACES)
                raise ValueError(
                    f"{line!r}: {error} is no place; there are {known} (braces of your own: {{{{}}}})"
                ) from error
        if not any("{results}" in line for line in self.lines) and not any("{out}" in line for line in self.lines):
            raise ValueError("the command must be told where to leave its detections: {results}")
        return self

    def requirements(self) -> Iterable[Requirement]:
        """See `divergen_records.requirements`."""
        return map(Program, self.lines)

    def build(self) -> Trainer:
        """Make the trainer."""
        from .command import CommandTrainer

        return CommandTrainer(self.lines, kind=self.format, iterations=self.iterations)


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


TrainerConfig: Any = backend_union(
    "divergen.trainers",
    DivergenTrainConfig,
    CommandTrainConfig,
    UltralyticsTrainConfig,
    TransformersTrainConfig,
    Detectron2ScriptConfig,
)
"""Any trainer's config, told apart by ``kind``; packages add theirs by the entry point ``divergen.trainers``."""

TrainSection: Any = Annotated[TrainerConfig | None, BeforeValidator(_resolved), Shorthand("preset", "recipe")]
"""The section ``train`` of a run: a trainer's settings, ours where no ``kind`` is named; null for none."""
