"""Train YOLO-seg by Ultralytics' own trainer, and let it detect."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from divergen_records import ConfigError, DivergenError, Progress, WeightsError, require_extra
from divergen_records.detections import detection_row
from divergen_records.files import new_name, sweep, write_bytes, write_text
from divergen_records.images import read_image
from divergen_train.training.log import TrainLog

from ..protocol import Trained, TrainTask
from .images import PastedImages

with require_extra("divergen", "ultralytics"):
    from ultralytics import YOLO
    from ultralytics.models.yolo.segment import SegmentationTrainer
    from ultralytics.utils.torch_utils import strip_optimizer

__all__ = ["UltralyticsFailed", "UltralyticsTrainer"]

_LEAST_SCORE = 0.001
"""As in Ultralytics' validation: AP looks at all detections."""


class UltralyticsFailed(DivergenError):
    """Ultralytics gave up."""


class UltralyticsTrainer:
    """Trains YOLO-seg, pasting anew at each visit of an image; no validation image decides when it stops.

    Args:
        model: Shape (.yaml) or weights (.pt).
        epochs: Times that each image is visited.
        image_size: Longest side, pixels.
        batch_size: Images of a step.
        detections: Most detections on an image.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
        workers: Loader processes, on a GPU.
        settings: Further arguments of Ultralytics' trainer.
    """

    pastes = True

    def __init__(
        self,
        model: str,
        *,
        epochs: int,
        image_size: int,
        batch_size: int,
        detections: int,
        device: str,
        workers: int,
        settings: dict[str, Any],
    ) -> None:
        self.model, self.image_size, self.batch_size, self.detections = model, image_size, batch_size, detections
        self.device = {"auto": "", "cuda": "0"}.get(device, device.removeprefix("cuda:"))
        self.arguments = {
            "plots": False,
            **settings,
            "epochs": epochs,
            "imgsz": image_size,
            "batch": batch_size,
            "device": self.device,
            "workers": workers,
            "patience": 0,
        }

    def train(self, task: TrainTask) -> Trained:
        """See `Trainer.train`; a training that was stopped goes on with its last epoch.

        Raises:
            ConfigError: If the model is none that segments, or Ultralytics refuses a setting.
            WeightsError: If the model cannot be had.
            UltralyticsFailed: If the training fails.
        """
        weights = task.out / "weights.pt"
        if not weights.exists():
            last = self._train(task)
            with new_name(weights) as new:
                strip_optimizer(last, str(new))
                write_bytes(weights, new.read_bytes())
        write_text(task.results, json.dumps(self._detect(weights, task)), overwrite=True)
        return Trained()

    def _train(self, task: TrainTask) -> Path:
        """The last epoch's checkpoint."""
        folder = task.out / "ultralytics"
        last = folder / "weights" / "last.pt"
        sweep(last.parent)  # a last epoch that was killed has no next one to do it
        begun = last.exists()
        with _in_our_words(self.model):
            if begun and YOLO(last).ckpt["epoch"] + 1 >= self.arguments["epochs"]:
                return last
            model = last if begun else self.model if task.start is None else task.start / "weights.pt"
            if YOLO(model).task != "segment":
                raise ConfigError(f"{self.model} does not segment; take one whose name ends in -seg")
            arguments = self.arguments | {
                "model": str(model),
                "data": str(task.dataset.path),
                "seed": task.seed % 2**31,
            }
            resume = {"resume": str(last)} if begun else {}
            _PastingTrainer(task, {**arguments, "save_dir": str(folder.resolve()), **resume}).train()
        return last

    def _detect(self, weights: Path, task: TrainTask) -> list[dict[str, Any]]:
        """COCO results for the validation images; extra categories are learned and not detected."""
        model = YOLO(weights)
        wanted = {category.id for category in task.val.categories}
        categories = [category.id for category in task.dataset.class_categories]
        arguments = {
            "imgsz": self.image_size,
            "device": self.device,
            "conf": _LEAST_SCORE,
            "max_det": self.detections,
            "classes": [label for label, category in enumerate(categories) if category in wanted],
            "retina_masks": True,
            "verbose": False,
        }
        rows: list[dict[str, Any]] = []
        with Progress(task.name.replace("train", "predict"), len(task.val.images), unit="images") as bar:
            for image in task.val.images:
                if 2 * min(image.width, image.height) * self.image_size <= max(image.width, image.height):
                    continue  # scaled, nothing would be left of it
                pixels = read_image(task.val.image_path(image), size=(image.height, image.width))
                found = model.predict(np.ascontiguousarray(pixels[:, :, ::-1]), **arguments)[0].cpu().numpy()
                masks = [] if found.masks is None else found.masks.data.astype(bool)
                rows += (
                    detection_row(image.id, categories[int(box.cls.item())], box.xyxy[0], box.conf.item(), mask)
                    for box, mask in zip(found.boxes, masks, strict=True)
                )
                bar.update()
        return rows


class _PastingTrainer(SegmentationTrainer):  # type: ignore[misc]  # the library is not typed
    """Ultralytics' trainer on a task's images; its checkpoint is always whole, and it looks at no validation image.

    Args:
        task: The task.
        arguments: Of Ultralytics.
    """

    def __init__(self, task: TrainTask, arguments: dict[str, Any]) -> None:
        self.task = task
        self.names = dict(enumerate(category.name for category in task.dataset.class_categories))
        self.classes = {category.id: label for label, category in enumerate(task.dataset.class_categories)}
        super().__init__(overrides=arguments)
        self.add_callback("on_train_start", _PastingTrainer._open_log)
        self.add_callback("on_train_epoch_start", _PastingTrainer._tell_epoch)
        self.add_callback("on_model_save", _PastingTrainer._write_log)

    def get_dataset(self) -> dict[str, Any]:
        """What Ultralytics wants to know of the data; there is no file of it."""
        return {"train": "train", "val": "val", "names": self.names, "nc": len(self.names), "channels": 3}

    def build_dataset(self, img_path: str, mode: str = "train", batch: int | None = None) -> PastedImages:
        """The training images with what is pasted, or the validation images."""
        train = mode == "train"
        return PastedImages(
            self.task.dataset if train else self.task.val,
            self.classes,
            self.task.paste if train else None,
            data=self.data,
            augment=train,
            imgsz=self.args.imgsz,
            hyp=self.args,
            batch_size=batch,
            stride=self.stride,
        )

    def validate(self) -> tuple[dict[str, float], float]:
        """Nothing: the validation images are for the comparison afterwards."""
        return self.metrics, 0.0

    def final_eval(self) -> None:
        """Nothing, as in `validate`."""

    def save_model(self) -> bool:
        """Write the checkpoint of an epoch; a kill leaves the one before whole."""
        last: Path = self.wdir / "last.pt"
        try:
            with new_name(last) as new:
                self.last = new
                saved = bool(super().save_model())
                write_bytes(last, new.read_bytes(), overwrite=True)
                return saved
        finally:
            self.last = last

    def _open_log(self) -> None:
        self.log = TrainLog(self.task.out / "log.jsonl", self.start_epoch * len(self.train_loader))

    def _tell_epoch(self) -> None:
        self.train_loader.dataset.epoch.fill_(self.epoch)

    def _write_log(self) -> None:
        losses = {name: float(value) for name, value in self.tloss.items()}
        iteration = (self.epoch + 1) * len(self.train_loader)
        self.log.write({"iteration": iteration, "loss": sum(losses.values()), **losses})


@contextmanager
def _in_our_words(model: str) -> Iterator[None]:
    try:
        with warnings.catch_warnings():  # Ultralytics asks Ray Tune for a trial, where Ray is and no trial
            warnings.filterwarnings("ignore", "`get_trial_id` is meant to only be called", UserWarning)
            yield
    except FileNotFoundError as error:
        raise WeightsError(f"{model} cannot be had: {error}") from error
    except (SyntaxError, TypeError, ValueError) as error:  # SyntaxError is how Ultralytics says "no such argument"
        raise ConfigError(f"train: Ultralytics refuses it: {error}") from error
    except RuntimeError as error:
        raise UltralyticsFailed(f"Ultralytics gave up: {error}; the same line goes on with the last epoch") from error
