"""What a training run is made of: frozen pydantic models with every number in them, and presets as JSON files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal, Self

from divergen_records.requirements import InputFile, Requirement
from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from ..bsgal.config import BsgalConfig
from ..detectors.config import DetectorConfig, TorchvisionConfig
from ..engine.config import EngineConfig
from .loggers import LoggerConfig

__all__ = ["DetectorConfig", "TorchvisionConfig", "TrainConfig"]


class TrainConfig(EngineConfig):
    """A training run; schedule, optimiser and precision are `EngineConfig`'s.

    Attributes:
        detector: The detector.
        image_size: Side of the square that training images are resized into, pixels.
        batch_size: Images per step, over all processes.
        micro_batch: Images that go through the detector at once; a step's gradient is the mean over so many slices as
            its batch has, whatever the number of processes. The whole of a process's share by default; lower it where
            the memory is small.
        repeat_threshold: Repeat-factor sampling of LVIS (section 4.3): a category in a share f of the images has factor
            max(1, sqrt(threshold / f)), an image the largest factor of its categories. 0 switches it off.
        repeat_min_images: Raises the threshold so that every category in fewer images than this is repeated. LVIS's
            0.001 means 100 of its 100,000 images, and nothing at all in a set of 1,000.
        flip: Probability of a horizontal flip.
        scale: Large-scale jitter: smallest and largest size of the image relative to ``image_size``.
        scale_sampling: How sizes between them are drawn: ``log`` halves as often as it doubles, ``linear`` is that of
            Ghiasi et al. and the papers; from 0.1 to 2.0 it has half of the images larger than 1.05.
        min_area: Objects that keep fewer pixels than this are not learned.
        bsgal: Judge pasted instances, and draw or learn more of those that help; None learns from all alike.
        init: Checkpoint of another training on the same categories whose averaged weights this one begins with.
        workers: Loader processes; 0 loads in the training process.
        device: ``auto`` takes the GPU, the CPU where there is none; or ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
        loggers: Where the log goes besides ``log.jsonl``.
        checkpoint_every: Steps between checkpoints.
        log_every: Steps between lines of the log.
        eval_every: Steps between evaluations where validation data is given; 0 evaluates only at the end.
    """

    detector: DetectorConfig = TorchvisionConfig()
    image_size: int = Field(default=512, ge=64, multiple_of=32)
    batch_size: PositiveInt = 8
    micro_batch: PositiveInt | None = None
    repeat_threshold: float = Field(default=0.001, ge=0)
    repeat_min_images: int = Field(default=0, ge=0)
    flip: float = Field(default=0.5, ge=0, le=1)
    scale: tuple[PositiveFloat, PositiveFloat] = (0.5, 1.5)
    scale_sampling: Literal["linear", "log"] = "log"
    min_area: PositiveInt = 4
    bsgal: BsgalConfig | None = None
    init: Path | None = None
    workers: int = Field(default=0, ge=0)
    device: str = Field(default="auto", pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$")
    loggers: tuple[LoggerConfig, ...] = ()
    checkpoint_every: PositiveInt = 500
    log_every: PositiveInt = 10
    eval_every: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.scale[0] > self.scale[1]:
            raise ValueError(f"scale={self.scale}: the smallest comes first")
        if self.micro_batch and self.batch_size % self.micro_batch:
            raise ValueError(f"batch_size={self.batch_size} is not a multiple of micro_batch={self.micro_batch}")
        return self

    def requirements(self) -> Iterable[Requirement]:
        """See `divergen_records.requirements`."""
        if self.init is not None:
            yield InputFile(self.init, "init is the checkpoint of another training that this one begins with")
        judge = getattr(self.bsgal, "judge", None)
        if isinstance(judge, Path):
            yield InputFile(judge, "bsgal.judge is the checkpoint of the detector that judges first")
