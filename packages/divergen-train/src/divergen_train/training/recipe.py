"""Recipes: the papers' trainings as YAML files that a reader can put beside the paper."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

from divergen_records import Config
from divergen_records.errors import ConfigError
from divergen_records.settings import validate_settings
from divergen_records.yaml_files import parse_yaml, read_yaml
from pydantic import Field

from ..bsgal.config import BsgalConfig
from .config import TrainConfig

__all__ = ["Expected", "Recipe", "find_recipe", "load_recipe", "recipe", "recipe_names", "recipe_text"]


class Expected(Config):
    """What a paper reports on LVIS v1 val, percent; None where it does not say.

    Attributes:
        box_AP: Of all categories.
        mask_AP: Of all categories.
        box_APr: Of the rare ones.
        mask_APr: Of the rare ones.
        source: Where it is reported.
    """

    box_AP: float | None = Field(default=None, ge=0, le=100)  # noqa: N815 - the field's names
    mask_AP: float | None = Field(default=None, ge=0, le=100)  # noqa: N815
    box_APr: float | None = Field(default=None, ge=0, le=100)  # noqa: N815
    mask_APr: float | None = Field(default=None, ge=0, le=100)  # noqa: N815
    source: str

    def __str__(self) -> str:
        values = (self.box_AP, self.mask_AP, self.box_APr, self.mask_APr)
        return " ".join(f"{name} {'–' if v is None else v}" for name, v in zip(_COLUMNS, values, strict=True))


_COLUMNS = ("box", "mask", "APr box", "APr mask")


class Recipe(Config):
    """A training that somebody published, or its small version.

    Attributes:
        summary: What is trained, in one line.
        pastes: What has to be pasted into the training images, which is the caller's part: `fit` takes it as
            ``paste``, ``divergen run`` does it. None where nothing is.
        classes: Categories of the training data, those that are cut off afterwards among them; None: the data's.
        hardware: What it needs.
        expected: What to expect on LVIS v1 val, where it is known.
        differs: Where this differs from the published code, and why.
        bsgal: Which of the pasted instances are learned; all where left out.
        train: The training.
    """

    summary: str
    pastes: str | None = None
    classes: int | None = Field(default=None, gt=0)
    hardware: str
    expected: Expected | None = None
    differs: tuple[str, ...] = ()
    bsgal: BsgalConfig | None = None
    train: TrainConfig


def recipe_names() -> list[str]:
    """Names of the shipped recipes."""
    folder = files(__package__).joinpath("recipes")
    return sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml"))


def recipe(name: str) -> Recipe:
    """A shipped recipe, for example ``"divergen-swin-l"``; raises `ConfigError` for an unknown name."""
    return _parse(parse_yaml(recipe_text(name), f"recipe {name}"), f"recipe {name}")


def recipe_text(name: str) -> str:
    """The YAML of a shipped recipe, with its comments; raises `ConfigError` for an unknown name."""
    if name not in recipe_names():
        raise ConfigError(f"recipe {name!r}: unknown; there are {', '.join(recipe_names())}")
    return files(__package__).joinpath("recipes", f"{name}.yaml").read_text(encoding="utf-8")


def load_recipe(path: Path) -> Recipe:
    """A recipe from a YAML file.

    Raises:
        ConfigError: If the file is missing, not YAML, or a setting in it is wrong.
    """
    return _parse(read_yaml(path), str(path))


def find_recipe(name: str) -> Recipe | None:
    """The recipe of this name, or in this ``.yaml`` file; None where the name is neither."""
    if name in recipe_names():
        return recipe(name)
    return load_recipe(Path(name)) if Path(name).suffix in (".yaml", ".yml") else None


def _parse(values: Any, where: str) -> Recipe:
    found: Recipe = validate_settings(Recipe, values, where=where)
    return found
