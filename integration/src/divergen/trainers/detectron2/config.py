"""What a training by a script on detectron2 needs to know."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from divergen_records import Config
from divergen_records.file_names import from_home
from divergen_records.requirements import InputFile, Requirement
from pydantic import Field, PositiveInt, field_validator

from ..places import PLACES

if TYPE_CHECKING:
    from ..protocol import Trainer

__all__ = ["Detectron2ScriptConfig"]

_LAUNCH = Path(__file__).with_name("launch.py")
_DECIDED = {
    **dict.fromkeys(["DATASETS.TRAIN", "DATASETS.TEST"], "the run's data"),
    **dict.fromkeys(["dataloader.train.dataset.names", "dataloader.test.dataset.names"], "the run's data"),
    **dict.fromkeys(["SOLVER.MAX_ITER", "train.max_iter"], "`iterations`"),
    **dict.fromkeys(["SEED", "train.seed"], "the run's seed"),
    **dict.fromkeys(["OUTPUT_DIR", "train.output_dir", "dataloader.evaluator.output_dir"], "the run's folder"),
}
"""Settings that are made here -> what decides them."""


class Detectron2ScriptConfig(Config):
    """A training script of yours on detectron2, as its ``train_net.py`` or ``lazyconfig_train_net.py`` are.

    It gets ``--config-file``, ``--resume`` where it was stopped, and settings: two registered data sets (with what is
    pasted), classes, seed, iterations and folder. It evaluates with `COCOEvaluator` or `LVISEvaluator`, whose file of
    results is taken.

    Attributes:
        kind: ``"detectron2-script"``.
        script: The script.
        config: Its config: ``.yaml``, or ``.py`` for a lazy one; any text that the script's ``--config-file`` takes.
        iterations: Steps.
        settings: Further settings, for example ``{MODEL.DEVICE: cpu, SOLVER.IMS_PER_BATCH: 2}``.
        arguments: Further arguments of the script, for example ``[--num-gpus, "2"]``.
        evaluator: The data set's ``evaluator_type``, by which ``train_net.py`` chooses.
        python: The interpreter that has detectron2, as a command; of an environment of its own, if you like.
    """

    kind: Literal["detectron2-script"] = "detectron2-script"
    script: Path
    config: str = Field(min_length=1)
    iterations: PositiveInt
    settings: dict[str, str | int | float | bool] = Field(default_factory=dict)
    arguments: tuple[str, ...] = ()
    evaluator: Literal["coco", "lvis"] = "coco"
    python: str = "python"

    @field_validator("settings")
    @classmethod
    def _leave_ours(cls, value: dict[str, str | int | float | bool]) -> dict[str, str | int | float | bool]:
        for key in value:
            if key in _DECIDED:
                raise ValueError(f"{key!r} is decided by {_DECIDED[key]}; leave it out")
        return value

    @property
    def command(self) -> str:
        """The line that `CommandTrainer` runs."""
        own = ["--script", str(self.script), "--config", str(from_home(self.config)), "--evaluator", self.evaluator]
        own += [word for key, value in self.settings.items() for word in ("--set", f"{key}={value}")]
        words = [*shlex.split(self.python), str(_LAUNCH), *own, *(f"--argument={word}" for word in self.arguments)]
        places = " ".join(f"--{name.replace('_', '-')} {{{name}}}" for name in PLACES)
        return shlex.join(words).replace("{", "{{").replace("}", "}}") + " " + places

    @property
    def summary(self) -> str:
        """What the report says of it."""
        return f"Trained by {self.script.name} with {self.config}, {self.iterations:,} iterations."

    def requirements(self) -> Iterable[Requirement]:
        """See `divergen_records.requirements`."""
        yield InputFile(self.script)
        if Path(self.config).suffix in (".yaml", ".yml", ".py"):
            yield InputFile(Path(self.config))

    def build(self) -> Trainer:
        """Make the trainer."""
        from ..command import CommandTrainer

        return CommandTrainer([self.command], iterations=self.iterations)
