"""Settings of trainings that come with the package, by name."""

from __future__ import annotations

from importlib.resources import files

from divergen_records.errors import ConfigError
from divergen_records.text import did_you_mean

from .config import TrainConfig
from .recipe import find_recipe, recipe_names

__all__ = ["preset", "preset_names"]


def preset_names() -> list[str]:
    """Names of the shipped presets."""
    return sorted(entry.name.removesuffix(".json") for entry in files(__package__).joinpath("presets").iterdir())


def preset(name: str) -> TrainConfig:
    """A shipped preset, for example ``"quickstart"``, or the training of a recipe, by its name or from its file.

    Raises:
        ConfigError: If the name is unknown, or the file is no recipe.
    """
    if name not in preset_names():
        if (found := find_recipe(name)) is not None:
            return found.train
        raise ConfigError(
            f"preset {name!r}: unknown; there are {', '.join(preset_names())}, and the recipes "
            f"{', '.join(recipe_names())}{did_you_mean(name, [*preset_names(), *recipe_names()])}"
        )
    return TrainConfig.model_validate_json(
        files(__package__).joinpath("presets", f"{name}.json").read_text(encoding="utf-8")
    )
