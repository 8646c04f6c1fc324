"""A box as its file declares it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

from divergen_records import Config, ConfigError
from divergen_records.settings import validate_settings
from divergen_records.yaml_files import parse_yaml, read_yaml
from pydantic import AfterValidator, Field, field_validator, model_validator

from ..renderer.looks import FAULTS, Shot

__all__ = ["BOXES", "Box", "Finishes", "Habit", "Light", "Pose", "Split", "World", "read_box"]

BOXES = ("classic", "modes", "proof")
"""The boxes that come along."""

Share = Annotated[float, Field(ge=0, le=1)]
Range = tuple[float, float]


def _of_a_shot(ranges: dict[str, Range]) -> dict[str, Range]:
    known = [field.name for field in fields(Shot)]
    unknown = [name for name in ranges if name not in known]
    if unknown:
        raise ValueError(f"{unknown[0]!r} is no number of a shot; there are {', '.join(known)}")
    return ranges


ShotRanges = Annotated[dict[str, Range], AfterValidator(_of_a_shot)]


class Split(Config):
    """How often a set shows its categories; between the two ends, Zipf's law with a flattened head.

    Attributes:
        images: Scenes.
        head: Share of them that shows the most frequent category.
        tail: Scenes that show the rarest one.
    """

    images: int = Field(ge=10)
    head: float = Field(gt=0, le=1)
    tail: int = Field(ge=1)


class Pose(Config):
    """From where, and how it lies: words of `divergen_minilvis.renderer.Attributes`; empty is as the program has it."""

    view: str = ""
    pose: str = ""


class Light(Config):
    """A light.

    Attributes:
        shot: Ranges of numbers of `divergen_minilvis.renderer.looks.Shot`, instead of the style's.
        gain: Range of the brightness of the place around, as a factor.
        warmth: Range of its warmth; positive is warm.
    """

    shot: ShotRanges
    gain: Range
    warmth: Range


class Finishes(Config):
    """What the finishes of a category are drawn from; the first is the category's own.

    Attributes:
        number: How many a category has.
        kin: Groups of materials that can stand for each other. A category of another material keeps its own.
        colours: Main and second colours of categories that can be of another material, beside their own.
        patterns: Of those.
        patterned: Share of their finishes that has a pattern.
        conditions: Of all.
        conditioned: Share of the finishes that has a condition.
    """

    number: int = Field(ge=1)
    kin: tuple[tuple[str, ...], ...]
    colours: tuple[str, ...]
    patterns: tuple[str, ...]
    patterned: Share
    conditions: tuple[str, ...]
    conditioned: Share


class World(Config):
    """In how many ways a category looks in reality: each factor is drawn evenly and apart from the others.

    Attributes:
        families: Families of shapes of a category.
        spread: How much the members of a family differ, 0 to 1; see `divergen_minilvis.renderer.Member`.
        stretch: How much the families differ in their proportions.
        finishes: Material, colours, pattern and condition.
        poses: Views and poses.
        lights: By name; the names that a prompt can ask for are in `divergen_minilvis.renderer.attributes`.
    """

    families: int = Field(ge=1)
    spread: Share
    stretch: float = Field(ge=0)
    finishes: Finishes
    poses: tuple[Pose, ...] = Field(min_length=1)
    lights: dict[str, Light] = Field(min_length=1)


class Habit(Config):
    """What a generator draws where the prompt leaves it open, and how it fails.

    Attributes:
        families: Numbers of the families of shapes that it knows, in an order of each category's own.
        finishes: Numbers of the finishes that it falls back on.
        poses: Numbers of the poses that it falls back on.
        faults: Share of its pictures that fails in each way.
        shot: Ranges of numbers of `divergen_minilvis.renderer.looks.Shot`, instead of the style's. A light that the
            prompt asks for wins.
    """

    families: tuple[int, ...] = Field(min_length=1)
    finishes: tuple[int, ...] = Field(min_length=1)
    poses: tuple[int, ...] = Field(min_length=1)
    faults: dict[str, Share]
    shot: ShotRanges = Field(default_factory=dict)

    @field_validator("faults")
    @classmethod
    def _known(cls, faults: dict[str, float]) -> dict[str, float]:
        unknown = sorted(set(faults) - set(FAULTS))
        if unknown:
            raise ValueError(f"{unknown[0]!r} is no fault of the renderer; there are {', '.join(FAULTS)}")
        if sum(faults.values()) > 1:
            raise ValueError("the shares of the faults are more than 1 together")
        return faults


class Box(Config):
    """What MiniLVIS shows, and what the generators draw that are to help it.

    Attributes:
        name: Of the box; its families and finishes depend on it.
        train: The training set.
        val: The validation set.
        size: Longer side of a scene, pixels.
        categories: Their names, or how many of those that the renderer knows, chosen by the seed.
        world: The ways to look; None leaves them to the shape programs, whose members all come from one distribution.
        generators: By rendering style; a style that is not here draws all families, and fails as the style says.
    """

    name: str = Field(min_length=1)
    train: Split
    val: Split
    size: int = Field(ge=64)
    categories: Annotated[int, Field(ge=2)] | Annotated[tuple[str, ...], Field(min_length=2)]
    world: World | None = None
    generators: Mapping[str, Habit] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _numbers_exist(self) -> Box:
        for style, habit in self.generators.items():
            if self.world is None:
                raise ValueError(f"generators.{style}: there is no world whose families it could know")
            limits = {
                "families": self.world.families,
                "finishes": self.world.finishes.number,
                "poses": len(self.world.poses),
            }
            for key, limit in limits.items():
                if not all(0 <= number < limit for number in getattr(habit, key)):
                    raise ValueError(f"generators.{style}.{key}: the numbers are 0 to {limit - 1}")
        return self

    def split(self, name: Literal["train", "val"]) -> Split:
        """One of its two sets."""
        return self.train if name == "train" else self.val


def read_box(name: str) -> Box:
    """A box that comes along, by name, or one of a YAML file.

    Raises:
        ConfigError: There is none, or the file is wrong; the message names every wrong key.
    """
    if name in BOXES:
        return _shipped(name)
    if Path(name).suffix in {".yaml", ".yml"}:
        return _box(read_yaml(Path(name)), name)
    raise ConfigError(f"box {name!r}: neither a YAML file nor one of {', '.join(BOXES)}")


@cache
def _shipped(name: str) -> Box:
    where = files(__package__).joinpath(f"{name}.yaml")
    return _box(parse_yaml(where.read_text("utf-8"), f"{name}.yaml"), f"{name}.yaml")


def _box(values: Any, where: str) -> Box:
    box: Box = validate_settings(Box, values, where=where)
    return box
