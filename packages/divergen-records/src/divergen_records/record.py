"""The records that all stages share: a category, a prompt, an instance.

`InstanceRecord` is the part of an instance table's row that all packages share; a stage declares what else it writes
(`divergen_records.columns`). `divergen_records.schema` derives the Arrow schema from both.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

from .columns import Arrow, Float32, Int32
from .explain import unsuitable
from .file_names import from_home

__all__ = ["SCHEMA_VERSION", "Category", "Config", "Frequency", "InstanceRecord", "PromptRecord"]

SCHEMA_VERSION = 3
"""Version of `InstanceRecord`. It grows when a column of the record is added or changes its meaning; the columns that
stages declare come and go without it. Until version 2 the record held all of those, too."""

Frequency = Literal["r", "c", "f"]
"""LVIS frequency group by training images: rare 1-10, common 11-100, frequent above 100."""


def _takes(annotation: Any, *kinds: type) -> bool:
    """Whether one of some types, or a literal of one, stands in an annotation."""
    return (
        annotation in kinds
        or isinstance(annotation, kinds)
        or any(_takes(part, *kinds) for part in get_args(annotation))
    )


def _paths_from_home(given: Any) -> Any:
    if isinstance(given, Mapping):
        return {key: _paths_from_home(inside) for key, inside in given.items()}
    return from_home(given) if isinstance(given, (str, Path)) and str(given).startswith("~") else given


class Config(BaseModel):
    """Base of every configuration: frozen, and a key that nobody reads is an error; so is a number that is none.

    In a field that takes a path ``~`` is the home folder.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _numbers(cls, values: Any) -> Any:
        """Yes and no are no numbers, though Python takes them for 1 and 0."""
        for name, field in cls.model_fields.items() if isinstance(values, Mapping) else ():
            kind, given = field.annotation, values.get(name)
            if isinstance(given, bool) and _takes(kind, int, float) and not _takes(kind, bool):
                raise unsuitable(f"{name} is {str(given).lower()}; expected a number")
        return values

    @model_validator(mode="before")
    @classmethod
    def _paths(cls, values: Any) -> Any:
        if not isinstance(values, Mapping):
            return values
        names = [name for name, field in cls.model_fields.items() if name in values and _takes(field.annotation, Path)]
        return {**values, **{name: _paths_from_home(values[name]) for name in names}}


class Record(BaseModel):
    """Base of every record: frozen; unknown keys are an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_bytes="base64", val_json_bytes="base64")


class Category(Record):
    """A category, in the terms of the LVIS v1 format.

    Attributes:
        id: Category id in the dataset.
        name: Name as in the dataset, for example ``"sports_ball"``.
        synonyms: Other names, the first is the preferred one.
        synset: WordNet synset, for example ``"ball.n.01"``.
        definition: What the word means (``def`` in LVIS files); tells a bow from a bow.
        frequency: Group by number of training images.
        image_count: Training images that show it.
        instance_count: Training instances.
    """

    id: int
    name: str = Field(min_length=1)
    synonyms: tuple[str, ...] = ()
    synset: str | None = None
    definition: str | None = None
    frequency: Frequency | None = None
    image_count: int | None = None
    instance_count: int | None = None

    @property
    def label(self) -> str:
        """The name as a person writes it: ``"sports ball"``, ``"bow"`` for ``"bow_(weapon)"``."""
        return self.name.split("_(")[0].replace("_", " ").strip()


class PromptRecord(Record):
    """A prompt with where it came from; one JSON line of a prompts file.

    Attributes:
        text: What the text-to-image model is asked for.
        category_id: Category id in the dataset.
        category: Category name in the dataset.
        source: How it was made: ``"template"``, ``"grammar"``, ``"llm"``, or another tool's name.
        model: The template's name, the grammar's version or the language model.
        attributes: What the prompt asks for, for example ``{"colour": "red", "view": "from above"}``.
        request_hash: Hash of the request to the language model.
        tokens: Length in tokens of the target text encoder, where counted.
        created: ISO 8601 time, where known; left out by the deterministic sources.
    """

    text: str = Field(min_length=1)
    category_id: int
    category: str = Field(min_length=1)
    source: str
    model: str | None = None
    attributes: dict[str, str] = Field(default_factory=dict)
    request_hash: str | None = None
    tokens: int | None = None
    created: str | None = None


class InstanceRecord(Record):
    """One generated instance: a row of the instance table. Columns are filled stage by stage; None is pending.

    Columns that a stage declares beside these (`divergen_records.columns`) are carried along under their names, in
    ``model_extra``; a table refuses those that it does not have.

    Frames: pixels of the generated picture, origin at the top left, x to the right, y down.

    Attributes:
        id: Content hash of (category, prompt, generator and its revision, seed); see `divergen_records.instance_id`.
        category_id: Category id in the dataset.
        category: Category name.
        frequency: The category's frequency group.
        prompt: What was asked for.
        prompt_source: `PromptRecord.source`.
        generator: Name of the generator in the configuration.
        generator_revision: Its revision and settings, as a short text that changes when its pictures would.
        seed: Seed of this picture, 0 <= seed < 2**63.
        image: The encoded picture.
        image_format: ``"jpeg"``, ``"png"`` or ``"webp"``.
        width: Pixels.
        height: Pixels.
        alpha: True alpha where the generator knows it: PNG, 8-bit grey, (height, width).
        mask: COCO compressed RLE counts of the object; its size is [height, width].
        bbox: XYWH, pixels, tight around the mask.
        area_fraction: Mask pixels / picture pixels.
        annotator: Name of the annotator that made the mask.
        kept: The decision.
        reject_reason: Why not; None for kept rows.
        error_stage: The stage that failed on this row.
        error: Why it failed.
    """

    model_config = ConfigDict(extra="allow")

    SCHEMA_VERSION: ClassVar[int] = SCHEMA_VERSION

    id: str
    category_id: int
    category: str
    frequency: Frequency | None = None
    prompt: str
    prompt_source: str | None = None
    generator: str
    generator_revision: str
    seed: int = Field(ge=0, lt=2**63)

    image: Annotated[bytes, Arrow("bytes", marker="width")] | None = Field(default=None, repr=False)
    image_format: Literal["jpeg", "png", "webp"] | None = None
    width: Int32 | None = None
    height: Int32 | None = None
    alpha: bytes | None = Field(default=None, repr=False)

    mask: Annotated[str, Arrow("str", marker="area_fraction")] | None = Field(default=None, repr=False)
    bbox: Annotated[tuple[float, float, float, float], Arrow("box")] | None = None
    area_fraction: Float32 | None = None
    annotator: str | None = None

    kept: bool | None = None
    reject_reason: str | None = None

    error_stage: str | None = None
    error: str | None = None

    def failed(self, stage: str, reason: str) -> Self:
        """This record with the row error of ``stage``."""
        return self.model_copy(update={"error_stage": stage, "error": reason})
