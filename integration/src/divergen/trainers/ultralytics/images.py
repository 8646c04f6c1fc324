"""A data set as Ultralytics' loader takes it: nothing is copied, and objects are pasted anew at each visit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import cv2
import numpy as np
import torch
from divergen_records import require_extra
from divergen_records.coco import Dataset, ImageInfo, load_sample
from divergen_records.formats.yolo import yolo_outline
from divergen_records.sample import Instance, Sample
from numpy.typing import NDArray

with require_extra("divergen", "ultralytics"):
    from ultralytics.data import YOLODataset

__all__ = ["PastedImages"]

_VISITS = 2**20
"""Visits of an image within an epoch are told apart by a random number below this."""


class PastedImages(YOLODataset):  # type: ignore[misc]  # the library is not typed
    """Images and labels of a `Dataset`; mosaics take what was pasted last.

    Args:
        dataset: The data set.
        classes: Category id -> class from 0; others are no objects here.
        paste: Adds instances to a sample; None for the images as they are.
        settings: As of ``YOLODataset``.

    Attributes:
        epoch: () int64, shared with the loader's processes; with a visit's random number it decides what is pasted.
    """

    def __init__(
        self,
        dataset: Dataset,
        classes: Mapping[int, int],
        paste: Callable[[Sample], Sample] | None = None,
        **settings: Any,
    ) -> None:
        self.source, self.classes, self.paste = dataset, classes, paste
        self.epoch = torch.zeros((), dtype=torch.int64).share_memory_()  # type: ignore[no-untyped-call]
        super().__init__(img_path=str(dataset.image_dir), task="segment", **settings)

    def get_img_files(self, img_path: str) -> list[str]:
        """Paths of the data set's images, in its order."""
        return [str(self.source.image_path(image)) for image in self.source.images]

    def get_labels(self) -> list[dict[str, Any]]:
        """Labels without outlines: those are made when an image is visited."""
        return [
            self._label(path, image.height, image.width, []) | {"cls": self._classes_of(image)}
            for path, image in zip(self.im_files, self.source.images, strict=True)
        ]

    def _classes_of(self, image: ImageInfo) -> NDArray[np.float32]:
        """Classes of an image's own objects, (N, 1) float32, which class weights are counted from."""
        found = (one for one in self.source.annotations_of(image.id) if not one.iscrowd)
        known = [self.classes[one.category_id] for one in found if one.category_id in self.classes]
        return np.array(known, dtype=np.float32).reshape(-1, 1)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Visit an image."""
        self._visit(index)
        return dict(super().__getitem__(index))

    def get_image_and_label(self, index: int) -> dict[str, Any]:
        """Image and label for the transforms, as they were at the last visit."""
        if self.ims[index] is None:
            self._visit(index)
        return dict(super().get_image_and_label(index))

    def _visit(self, index: int) -> None:
        """Read an image, paste, and put it where the base class keeps those that mosaics are made of."""
        visit = int(self.epoch) * _VISITS + int(torch.randint(_VISITS, ()))
        sample = load_sample(self.source, self.source.images[index], visit)
        sample = sample if self.paste is None else self.paste(sample)
        height, width = sample.image.shape[:2]
        scale = self.imgsz / max(height, width)
        size = tuple(min(max(round(side * scale), 1), self.imgsz) for side in (width, height))
        image = cv2.resize(sample.image[:, :, ::-1], size, interpolation=cv2.INTER_LINEAR)
        objects = [one for one in sample.instances if not one.iscrowd and one.category_id in self.classes]
        self.labels[index] = self._label(self.im_files[index], height, width, objects)
        self.ims[index], self.im_hw0[index], self.im_hw[index] = image, (height, width), image.shape[:2]
        self._keep(index)

    def _keep(self, index: int) -> None:
        if index in self.buffer:
            self.buffer.remove(index)
        self.buffer.append(index)
        if len(self.buffer) > max(self.max_buffer_length, 1):
            oldest = self.buffer.pop(0)
            self.ims[oldest] = self.im_hw0[oldest] = self.im_hw[oldest] = None

    def _label(self, path: str, height: int, width: int, objects: list[Instance]) -> dict[str, Any]:
        corners = np.array([one.box for one in objects], dtype=np.float32).reshape(-1, 2, 2) / (width, height)
        boxes = np.concatenate([corners.mean(axis=1), corners[:, 1] - corners[:, 0]], axis=1)
        outlines = [(yolo_outline(one.mask) + np.array([one.x, one.y])) / (width, height) for one in objects]
        return {
            "im_file": path,
            "shape": (height, width),
            "cls": np.array([self.classes[one.category_id] for one in objects], dtype=np.float32).reshape(-1, 1),
            "bboxes": boxes.astype(np.float32),
            "segments": [outline.astype(np.float32) for outline in outlines],
            "normalized": True,
            "bbox_format": "xywh",
        }
