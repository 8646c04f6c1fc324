"""A trainer in a hurry: two steps on two small images, with any detector."""

from __future__ import annotations

import json
from typing import Literal

from divergen.trainers.protocol import Trained, TrainTask
from divergen_records import Config
from divergen_records.files import write_text
from divergen_train.detectors.config import DetectorConfig


class Hasty:
    pastes = False

    def __init__(self, detector: DetectorConfig) -> None:
        self.detector = detector

    def train(self, task: TrainTask) -> Trained:
        from divergen_train import TrainConfig, fit, predict

        config = TrainConfig(detector=self.detector, image_size=64, batch_size=2, iterations=2, warmup=0, device="cpu")
        fitted = fit(task.dataset, out=task.out, config=config, seed=task.seed, progress=task.name)
        write_text(task.results, json.dumps(predict(fitted.checkpoint, task.val)), overwrite=True)
        return Trained()


class HastyConfig(Config):
    kind: Literal["hasty"] = "hasty"
    detector: DetectorConfig

    summary: str = "Two steps."

    def build(self) -> Hasty:
        return Hasty(self.detector)
