"""What the trainer on Ultralytics needs to know."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from divergen_records import Config
from divergen_records.requirements import Finding, InputFile, Requirement, extra_modules
from divergen_records.text import did_you_mean
from pydantic import Field, PositiveInt, field_validator

if TYPE_CHECKING:
    from ..protocol import Trainer

__all__ = ["UltralyticsTrainConfig"]

_OURS = {
    **dict.fromkeys(["data", "classes", "single_cls"], "the run's data and categories"),
    **dict.fromkeys(["project", "name", "exist_ok", "save", "save_dir", "resume"], "the run's folder"),
    **dict.fromkeys(["val", "patience", "time", "fraction"], "the same training with and without"),
    **dict.fromkeys(["task", "mode"], "training a model that segments"),
    **dict.fromkeys(["cache"], "pasting anew at each visit"),
    "model": "`model`",
    "epochs": "`epochs`",
    "imgsz": "`image_size`",
    "batch": "`batch_size`",
    "device": "`device`",
    "workers": "`workers`",
    "seed": "the run's seed",
}
"""Ultralytics' arguments that are set here -> what decides them."""


class UltralyticsTrainConfig(Config):
    """YOLO-seg of any version and size by Ultralytics (extra ``ultralytics``, licence AGPL-3.0).

    Attributes:
        kind: ``"ultralytics"``.
        model: ``yolo11n-seg.yaml`` and its like begin with random weights; ``yolo11n-seg.pt``, or a file of yours, with
            trained ones.
        epochs: Times that each image is visited.
        image_size: Longest side, pixels.
        batch_size: Images of a step.
        detections: Most detections on an image.
        device: ``auto`` takes the GPU, the CPU where there is none; or ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
        workers: Loader processes, on a GPU.
        settings: Further arguments of ``YOLO.train``, for example ``{mosaic: 0.5, lr0: 0.001, optimizer: AdamW}``.
    """

    kind: Literal["ultralytics"] = "ultralytics"
    model: str = Field(min_length=1)
    epochs: PositiveInt = 100
    image_size: int = Field(default=640, ge=32, multiple_of=32)
    batch_size: PositiveInt = 16
    detections: PositiveInt = 300
    device: str = Field(default="auto", pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$")
    workers: int = Field(default=8, ge=0)
    settings: dict[str, Any] = Field(default_factory=dict)

    @field_validator("model")
    @classmethod
    def _weights_or_shape(cls, value: str) -> str:
        if Path(value).suffix not in (".pt", ".yaml", ".yml"):
            raise ValueError(f"{value!r} is neither weights (.pt) nor the shape of a model (.yaml)")
        return value

    @field_validator("settings")
    @classmethod
    def _leave_ours(cls, value: dict[str, Any]) -> dict[str, Any]:
        for key in value:
            if key in _OURS:
                raise ValueError(f"{key!r} is decided by {_OURS[key]}; leave it out")
        return value

    @property
    def summary(self) -> str:
        """What the report says of it."""
        return f"{self.model}, {self.epochs:,} epochs in batches of {self.batch_size} images."

    def requirements(self) -> Iterable[Requirement]:
        """See `divergen_records.requirements`."""
        yield from extra_modules("divergen", "ultralytics", "ultralytics")
        yield YoloModel(self.model)
        yield YoloSettings(tuple(sorted(self.settings)))

    def build(self) -> Trainer:
        """Make the trainer."""
        from .trainer import UltralyticsTrainer

        return UltralyticsTrainer(**self.model_dump(exclude={"kind"}))


@dataclass(frozen=True)
class YoloModel:
    """A model's file, or a name that Ultralytics knows.

    Attributes:
        model: The path or name.
    """

    model: str

    def look(self) -> Finding | None:
        """Whether it is here, comes with the package, or will be downloaded by it."""
        path = Path(self.model)
        if path.is_file() or find_spec("ultralytics") is None:
            return InputFile(path).look() if path.is_file() else None
        from ultralytics.nn.tasks import yaml_model_load
        from ultralytics.utils import SETTINGS
        from ultralytics.utils.downloads import GITHUB_ASSETS_NAMES

        if path.suffix != ".pt":
            try:
                yaml_model_load(self.model)
            except FileNotFoundError:
                return Finding(f"{self.model} is neither a file nor a model that Ultralytics knows", problem=True)
            return Finding(f"{self.model}: begins with random weights")
        if (Path(SETTINGS["weights_dir"]) / path).is_file():
            return Finding(f"{self.model}: in Ultralytics' folder of weights")
        if self.model in GITHUB_ASSETS_NAMES:
            return Finding(f"{self.model}: Ultralytics will download it into this folder")
        return Finding(f"{self.model} is not there; give the path of yours, or a name of Ultralytics'", problem=True)


@dataclass(frozen=True)
class YoloSettings:
    """Names of arguments that Ultralytics has to know.

    Attributes:
        names: The arguments.
    """

    names: tuple[str, ...]

    def look(self) -> Finding | None:
        """Unknown ones."""
        if not self.names or find_spec("ultralytics") is None:
            return None
        from ultralytics.utils import DEFAULT_CFG_DICT

        unknown = [name for name in self.names if name not in DEFAULT_CFG_DICT]
        if not unknown:
            return None
        hint = did_you_mean(unknown[0], DEFAULT_CFG_DICT)
        return Finding(f"settings: this version of Ultralytics has no {', '.join(unknown)}{hint}", problem=True)
