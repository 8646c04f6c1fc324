"""Model cards: how a saliency network wants its input, and what its output means."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from divergen_records import Config, ConfigError
from divergen_records.settings import validate_settings
from divergen_records.yaml_files import read_yaml
from numpy.typing import NDArray
from pydantic import Field, field_validator, model_validator

from .confidence import MAP_MEASURES, Calibration

__all__ = ["RAW", "ModelCard", "card_beside", "known_cards"]

_SUFFIXES = (".json", ".yaml", ".yml")


class ModelCard(Config):
    """How a saliency network wants its input, and what its output means.

    Attributes:
        size: Height and width of the input, pixels; pictures are stretched to it. Where an ONNX file fixes it, it need
            not be given.
        scale: What pixels are divided by before normalisation: ``"255"``, or the picture's own maximum (U2Net).
        mean: Per channel RGB, subtracted after that; of pixels 0 to 1, or of pixels 0 to 255 if any number says so.
        std: Per channel RGB, divided by; in the unit of the mean.
        output: Which of the outputs is the saliency map, its number or, of an ONNX file, its name; -1 is the last.
        activation: ``"sigmoid"`` where the network gives logits, ``"softmax"`` where it gives two channels of them,
            background and object.
        stretch: Stretch each map to 0 to 1, as U2Net's own script does; not for pictures that may show no object.
        threshold: A pixel belongs to the object from this value on.
        calibration: Turns `divergen_annotate.confidence.MAP_MEASURES` into the IoU to expect; printed by
            ``benchmarks/calibrate.py --onnx``. Without it the score is what the map itself promises.
        aliases: Other names that files of this network have.
        source: Where the authors say so.
        unverified: What could not be held against the authors' own files, or differs from them.
    """

    size: tuple[int, int] = (320, 320)
    scale: Literal["255", "maximum"] = "255"
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    output: Annotated[int, Field(ge=-1)] | str = 0
    activation: Literal["none", "sigmoid", "softmax"] = "none"
    stretch: bool = False
    threshold: float = Field(default=0.5, gt=0, lt=1)
    calibration: Calibration | None = None
    aliases: tuple[str, ...] = ()
    source: str = ""
    unverified: str = ""

    @model_validator(mode="after")
    def _units_agree(self) -> ModelCard:
        if min(self.std) <= 0:
            raise ValueError(f"std is what is divided by, so above 0, not {self.std}")
        means, spread = max(self.mean) > _LARGEST, max(self.std) > _LARGEST
        if (means and not spread) or (spread and not means and max(self.mean) > 0):
            raise ValueError(f"mean {self.mean} and std {self.std} are in different units: both of 0..1 or of 0..255")
        return self

    @field_validator("calibration")
    @classmethod
    def _is_of_maps(cls, calibration: Calibration | None) -> Calibration | None:
        if calibration is not None and len(calibration.weights) != len(MAP_MEASURES):
            raise ValueError(f"expected {len(MAP_MEASURES)} weights, for {', '.join(MAP_MEASURES)}")
        return calibration

    def normalise(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """Pixels (H, W, 3) of 0 to 255 as the network wants them, (3, H, W)."""
        unit = 255.0 if max(*self.mean, *self.std) > _LARGEST else 1.0
        shown = pixels / (255.0 if self.scale == "255" else max(float(pixels.max()), 1e-6))
        mean, std = np.array(self.mean, np.float32) / unit, np.array(self.std, np.float32) / unit
        return np.ascontiguousarray(((shown - mean) / std).transpose(2, 0, 1), dtype=np.float32)

    @classmethod
    def read(cls, source: Path | str) -> ModelCard:
        """From a JSON or YAML file, or by the name of one of `known_cards`.

        Raises:
            ConfigError: If there is no such file or name, or something in it is wrong.
        """
        path = Path(source)
        if not path.is_file() and str(source) in known_cards():
            return known_cards()[str(source)]
        if not path.is_file():
            raise ConfigError(
                f"{path}: there is no such model card; write one with size, mean, std and output, see ModelCard, or "
                f"name one of {', '.join(known_cards())}"
            )
        try:
            values: Any = read_yaml(path) if path.suffix in _SUFFIXES[1:] else json.loads(path.read_text("utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise ConfigError(f"{path}: this is no model card: {error}") from error
        card: ModelCard = validate_settings(cls, values, where=str(path))
        return card


RAW = {"scale": "255", "mean": (0.0, 0.0, 0.0), "std": (1 / 255, 1 / 255, 1 / 255)}
"""What leaves pixels as they are, 0 to 255, for a network that normalises them itself."""

_LARGEST = 2.0
"""Means and deviations of pixels 0 to 1 are smaller, those of pixels 0 to 255 are larger."""


@cache
def known_cards() -> dict[str, ModelCard]:
    """The cards of networks that people have, by their names and the other names of their files."""
    text = files(__package__).joinpath("saliency_cards.json").read_text("utf-8")
    cards = {name: ModelCard.model_validate(values) for name, values in json.loads(text).items()}
    return cards | {alias: card for card in cards.values() for alias in card.aliases}


def card_beside(weights: Path) -> ModelCard:
    """The card that lies beside a file of weights and is named like it, or the known one that has the file's name.

    Raises:
        ConfigError: If there is neither.
    """
    beside = next((path for path in map(weights.with_suffix, _SUFFIXES) if path.is_file()), None)
    if beside is None and weights.stem.lower() in known_cards():
        return known_cards()[weights.stem.lower()]
    return ModelCard.read(beside or weights.with_suffix(".json"))
