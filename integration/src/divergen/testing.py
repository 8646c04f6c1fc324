"""For tests: a trainer that costs nothing, and the contract that every trainer keeps."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from divergen_records.coco import Dataset
from divergen_records.files import write_text

from .trainers.protocol import Trained, Trainer, TrainTask

__all__ = ["FakeTrainer", "check_trainer"]


class FakeTrainer:
    """Learns nothing: it detects the objects of the validation set, each with the same score.

    Args:
        pastes: As of `Trainer`.

    Attributes:
        tasks: What it was given.
    """

    def __init__(self, pastes: bool = True) -> None:
        self.pastes = pastes
        self.tasks: list[TrainTask] = []

    def train(self, task: TrainTask) -> Trained:
        """See `Trainer.train`."""
        self.tasks.append(task)
        rows = [
            {"image_id": a.image_id, "category_id": a.category_id, "bbox": list(a.bbox), "score": 0.5}
            for a in task.val.annotations
        ]
        write_text(task.results, json.dumps(rows), overwrite=True)
        return Trained()


def check_trainer(build: Callable[[], Trainer], train: Dataset, val: Dataset, out: Path) -> None:
    """Check what every trainer promises; raises `AssertionError` with the promise that is broken.

    Args:
        build: Makes the trainer; called twice.
        train: A few training images.
        val: A few others, of the same categories or some of them.
        out: A folder for the training, which is not there yet.
    """
    from divergen_evaluate import evaluate_lvis, read_results

    trainer = build()
    assert isinstance(trainer, Trainer), "has pastes and train"
    task = TrainTask(name="train", dataset=train, val=val, out=out, seed=0)
    assert isinstance(trainer.train(task), Trained), "train returns Trained"
    assert task.results.is_file(), "the results are where the task says"
    rows = read_results(task.results)
    evaluate_lvis(rows, val)  # raises where a row is not as COCO's format says, or of an unknown image or category
    build().train(task)
    assert read_results(task.results) == rows, "a finished training, called again, leaves the same results"
