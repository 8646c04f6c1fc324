"""The trainer of `divergen_train`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from divergen_records.files import write_text

from .protocol import Trained, TrainTask

if TYPE_CHECKING:
    from divergen_train import TrainConfig

__all__ = ["DivergenTrainer"]

_CHECKPOINT = "checkpoint.pt"


class DivergenTrainer:
    """Trains with `divergen_train.fit`, pasting anew in every epoch.

    Args:
        config: The detector and its schedule.
    """

    pastes = True

    def __init__(self, config: TrainConfig) -> None:
        self.config = config

    def train(self, task: TrainTask) -> Trained:
        """See `Trainer.train`."""
        from divergen_train import fit, predict
        from divergen_train.bsgal.config import BeliefConfig
        from divergen_train.bsgal.ledger import read_contributions
        from divergen_train.training.truncate import truncate

        config = self.config
        if task.draws is None:
            config = config.model_copy(update={"bsgal": None})  # no generated instances to choose from
        if task.start is not None:
            config = config.model_copy(update={"init": task.start / _CHECKPOINT})
        if isinstance(config.bsgal, BeliefConfig) and config.bsgal.judge == "baseline" and task.baseline is not None:
            bsgal = config.bsgal.model_copy(update={"judge": task.baseline / _CHECKPOINT})
            config = config.model_copy(update={"bsgal": bsgal})
        fitted = fit(
            task.dataset,
            out=task.out,
            config=config,
            paste=task.paste,
            val=task.val if config.eval_every else None,
            draws=task.draws,
            seed=task.seed,
            progress=task.name,
        )
        checkpoint = fitted.checkpoint
        if len(task.dataset.categories) > len(task.val.categories):
            checkpoint = task.out / "evaluated.pt"
            truncate(fitted.checkpoint, task.val.categories, checkpoint)
        write_text(task.results, json.dumps(predict(checkpoint, task.val)), overwrite=True)
        judged = () if config.bsgal is None else read_contributions(task.out / "contributions.jsonl")
        return Trained(judged)
