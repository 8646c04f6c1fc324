"""Train a detector of transformers with accelerate, and let it detect."""

from __future__ import annotations

import json
import math
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import torch
from divergen_records import Progress, derive_seed, require_extra
from divergen_records.coco import ImageInfo
from divergen_records.command import echo
from divergen_records.detections import detection_row
from divergen_records.files import write_text, writing
from divergen_records.folders import new_folder
from divergen_records.images import read_image
from divergen_records.weights_files import read_tensors
from divergen_train.detectors.protocol import PADDING, Target
from divergen_train.errors import TrainingDiverged
from divergen_train.training.augment import Augmentation, resize_longest
from divergen_train.training.data import TrainImages, batches, in_terms_of, loader
from divergen_train.training.log import TrainLog
from divergen_train.training.sampling import BatchSampler, repeat_factors
from torch import Tensor

from ..protocol import Trained, TrainTask
from .heads import Found, View
from .networks import Network, load_network, save_network

with require_extra("divergen", "transformers"):
    from accelerate import Accelerator
    from transformers import get_linear_schedule_with_warmup

__all__ = ["TransformersTrainer"]


class TransformersTrainer:
    """Trains a detector of transformers, pasting anew at each visit of an image; see `TransformersTrainConfig`.

    Args:
        model: Hub id or folder.
        revision: Of the hub.
        settings: The rest of the configuration, by the same names.
    """

    pastes = True

    def __init__(self, model: str, revision: str | None = None, **settings: Any) -> None:
        self.model, self.revision, self.settings = model, revision, settings

    def train(self, task: TrainTask) -> Trained:
        """See `Trainer.train`; a training that was stopped goes on with its last checkpoint, to equal weights.

        Raises:
            ConfigError: If the model is none that detects.
            WeightsError: If it cannot be had, or is incomplete.
            TrainingDiverged: If the loss is no longer a number.
        """
        accelerator = Accelerator(cpu=self.settings["device"] == "cpu", mixed_precision=self.settings["precision"])
        final = task.out / "model"
        if not final.exists():
            task.out.mkdir(parents=True, exist_ok=True)
            with torch.random.fork_rng():
                _Training(task, self._begin(task), accelerator, self.settings).run(final)
        rows = _detect(load_network(final, None, task.dataset.categories), task, accelerator, self.settings)
        write_text(task.results, json.dumps(list(rows)), overwrite=True)
        return Trained()

    def _begin(self, task: TrainTask) -> Network:
        torch.manual_seed(derive_seed(task.seed, "init"))  # of the classes
        if task.start is not None:
            return load_network(task.start / "model", None, task.dataset.categories)
        network = load_network(self.model, self.revision, task.dataset.categories)
        if network.anew:
            echo(
                f"{task.name}: {len(network.anew)} weights of the classes begin anew: {', '.join(network.anew)}",
                err=True,
            )
        return network


class _Training:
    """The steps of one training; each is a pure function of the weights before, the seed and its number."""

    def __init__(self, task: TrainTask, network: Network, accelerator: Accelerator, settings: dict[str, Any]) -> None:
        self.task, self.network, self.accelerator, self.settings = task, network, accelerator, settings
        self.checkpoint = task.out / "checkpoint.pt"
        self.iteration = 0
        optimizer = torch.optim.AdamW(self._groups(), lr=settings["lr"], weight_decay=settings["weight_decay"])
        self.schedule = get_linear_schedule_with_warmup(optimizer, settings["warmup"], settings["iterations"])
        self.model, self.optimizer = accelerator.prepare(network.model, optimizer)
        if self.checkpoint.exists():
            self._load()

    def _groups(self) -> list[dict[str, Any]]:
        named = [(name, weight) for name, weight in self.network.model.named_parameters() if weight.requires_grad]
        inside = [weight for name, weight in named if self.network.head.backbone in name]
        outside = [weight for name, weight in named if self.network.head.backbone not in name]
        return [{"params": outside}, {"params": inside, "lr": self.settings["lr"] * self.settings["backbone_lr"]}]

    def run(self, final: Path) -> None:
        """Do what is left, and leave the model."""
        settings, log = self.settings, TrainLog(self.task.out / "log.jsonl", self.iteration)
        self.model.train()
        with (
            Progress(self.task.name, settings["iterations"] - self.iteration, unit="iterations") as bar,
            closing(self._batches()) as remaining,
        ):
            for images, targets in remaining:
                loss = self._step(images, targets)
                self.iteration += 1
                if self.iteration % settings["log_every"] == 0 or self.iteration == settings["iterations"]:
                    log.write({"iteration": self.iteration, "loss": loss, "lr": self.schedule.get_last_lr()[0]})
                if self.iteration % settings["checkpoint_every"] == 0 and self.iteration < settings["iterations"]:
                    self._save()
                bar.update(note=f"loss {loss:.3f}")
        with new_folder(final, listed=False) as folder:
            save_network(self.network, folder)
        self.checkpoint.unlink(missing_ok=True)

    def _batches(self) -> Generator[tuple[list[Tensor], list[Target]], None, None]:
        task, settings = self.task, self.settings
        augmentation = Augmentation(settings["image_size"], settings["flip"], settings["scale"])
        images = TrainImages(task.dataset, augmentation, seed=task.seed, paste=in_terms_of(task.dataset, task.paste))
        sampler = BatchSampler(
            repeat_factors(task.dataset, settings["repeat_threshold"]),
            settings["batch_size"],
            seed=task.seed,
            start=self.iteration,
            stop=settings["iterations"],
        )
        return batches(loader(images, sampler, settings["workers"]))

    def _step(self, images: Sequence[Tensor], targets: Sequence[Target]) -> float:
        device, head = self.accelerator.device, self.network.head
        torch.manual_seed(derive_seed(self.task.seed, "step", self.iteration))
        inputs = _inputs(self.network, images) | head.targets(targets, self.settings["image_size"])
        with self.accelerator.autocast():
            loss = self.model(**_moved(inputs, device)).loss
        value = float(loss.item())
        if not math.isfinite(value):
            raise TrainingDiverged(
                f"{self.task.name}: the loss of iteration {self.iteration} is not a number; lower "
                f"lr={self.settings['lr']:g}, lengthen warmup={self.settings['warmup']} or lower clip_norm"
            )
        self.accelerator.backward(loss)
        self.accelerator.clip_grad_norm_(self.model.parameters(), self.settings["clip_norm"])
        self.optimizer.step()
        self.schedule.step()
        self.optimizer.zero_grad()
        return value

    def _parts(self) -> dict[str, Any]:
        scaler = self.accelerator.scaler
        parts = {"model": self.network.model, "optimizer": self.optimizer, "schedule": self.schedule}
        return parts if scaler is None else parts | {"scaler": scaler}

    def _save(self) -> None:
        state = {name: part.state_dict() for name, part in self._parts().items()}
        with writing(self.checkpoint, overwrite=True) as file:
            torch.save({"iteration": self.iteration, **state}, file)

    def _load(self) -> None:
        state = read_tensors(self.checkpoint, "checkpoint")
        self.iteration = state["iteration"]
        for name, part in self._parts().items():
            part.load_state_dict(state[name])


def _inputs(network: Network, images: Sequence[Tensor]) -> dict[str, Any]:
    """Images (3, S, S) uint8 as the model takes them."""
    return dict(network.processor(images=list(images), do_resize=False, return_tensors="pt"))


def _moved(value: Any, device: torch.device) -> Any:
    """Tensors inside lists and mappings on a device."""
    if isinstance(value, Tensor):
        return value.to(device)
    if isinstance(value, dict):
        return {key: _moved(inside, device) for key, inside in value.items()}
    return [_moved(inside, device) for inside in value]


def _detect(
    network: Network, task: TrainTask, accelerator: Accelerator, settings: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    """COCO results for the validation images; extra categories are learned and not detected."""
    model = network.model.to(accelerator.device).eval()
    wanted = {category.id for category in task.val.categories}
    categories = [category.id for category in task.dataset.categories]
    classes = torch.tensor([label for label, key in enumerate(categories) if key in wanted], device=accelerator.device)
    images, step = task.val.images, settings["batch_size"]
    with Progress(task.name.replace("train", "predict"), len(images), unit="images") as bar:
        for start in range(0, len(images), step):
            batch = images[start : start + step]
            squares, views = zip(*(_square(task, image, settings["image_size"]) for image in batch), strict=True)
            with torch.inference_mode(), accelerator.autocast():
                output = model(**_moved(_inputs(network, squares), accelerator.device))
                found = network.head.detect(output, views, classes, settings["detections"])
            for image, one in zip(batch, found, strict=True):
                yield from _rows(image, one, categories)
            bar.update(len(batch))


def _square(task: TrainTask, image: ImageInfo, side: int) -> tuple[Tensor, View]:
    """An image in the upper left of a square, as in training."""
    pixels = read_image(task.val.image_path(image), size=(image.height, image.width))
    resized = resize_longest(pixels, side)
    height, width = resized.shape[:2]
    square = np.full((side, side, 3), PADDING, np.uint8)
    square[:height, :width] = resized
    return torch.from_numpy(square).permute(2, 0, 1), View((image.height, image.width), (height, width), side)


def _rows(image: ImageInfo, found: Found, categories: Sequence[int]) -> Iterator[dict[str, Any]]:
    masks = [None] * len(found.scores) if found.masks is None else found.masks.cpu().numpy()
    labels, boxes, scores = found.classes.tolist(), found.boxes.tolist(), found.scores.tolist()
    for label, box, score, mask in zip(labels, boxes, scores, masks, strict=True):
        yield detection_row(image.id, categories[label], box, score, mask)
