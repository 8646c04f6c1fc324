"""What a trainer is: it gets a task and leaves detections. AP, intervals, report and ablations are not its business."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from divergen_records.coco import Dataset
from divergen_records.sample import Sample

if TYPE_CHECKING:
    from divergen_train.bsgal import Draws

__all__ = ["TrainTask", "Trained", "Trainer"]


@dataclass(frozen=True)
class TrainTask:
    """One training.

    Attributes:
        name: For the progress line, for example ``"train generated"``.
        dataset: The training images; its categories may be more than those of ``val`` (extra ones, cut off afterwards).
        val: The images to detect objects in.
        out: The training's own folder. A training that was stopped is called again with the same one and goes on.
        seed: Decides every random choice.
        paste: Adds instances to a sample, another way at each of its visits; a pure function of the sample. None where
            nothing is pasted: the baseline, or ``dataset`` has the pasted images already.
        draws: What ``paste`` draws from, whose weights a trainer that judges instances may change.
        start: Folder of the baseline's training, finished, to go on from; None to begin anew.
        baseline: That folder in any case; None where the run trains no baseline, or this is the baseline.
    """

    name: str
    dataset: Dataset
    val: Dataset
    out: Path
    seed: int
    paste: Callable[[Sample], Sample] | None = None
    draws: Draws | None = None
    start: Path | None = None
    baseline: Path | None = None

    @property
    def results(self) -> Path:
        """Where the trainer leaves the detections in the images of ``val``.

        A JSON file in COCO's results format: boxes, masks (compressed RLE) or both, of the categories of ``val`` alone.
        """
        return self.out / "results.json"


@dataclass(frozen=True)
class Trained:
    """What a training tells, beside the file of its results.

    Attributes:
        contributions: What the training thought of single instances, where it judges them: rows with ``source`` (the
            instance's id), ``n``, ``mean``, ``accepted``, ``belief`` and ``weight``, as
            `divergen_train.bsgal.ledger.Contribution` has them.
    """

    contributions: Iterable[Any] = ()


@runtime_checkable
class Trainer(Protocol):
    """Trains a detector and lets it detect.

    Attributes:
        pastes: Whether it calls `TrainTask.paste` on the images as it loads them. One that cannot is given a data set
            with pasted images on disk instead.

    Beside the results it may leave ``log.jsonl`` in the training's folder, lines with ``iteration`` and ``loss``, which
    the report plots.
    """

    pastes: bool

    def train(self, task: TrainTask) -> Trained:
        """Do the task, or what an earlier call left of it, up to ``task.results``.

        Raises:
            DivergenError: If it cannot be done; the message says what to do.
        """
