"""For torchvision's detectors: a transform for its v2 pipelines, and a dataset of a COCO or LVIS file.

Both say which epoch it is through memory that all loader workers share, so that ``set_epoch`` reaches workers that
live on between epochs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from divergen_records import ConfigError, require_extra
from divergen_records.coco import load_sample
from divergen_records.sample import Instance, Sample

if TYPE_CHECKING:
    from divergen_records.coco import Dataset

    from .chain import Chain
    from .paster import Paster

with require_extra("divergen-paste", "torchvision"):
    import torch
    import torchvision.tv_tensors as tv

__all__ = ["InstancePaste", "PasteDataset", "sample_to_target"]

_OWN_KEYS = ("boxes", "masks", "labels", "area", "iscrowd")
"""What a target holds per object and is made anew."""


class InstancePaste(torch.nn.Module):
    """Pastes instances into (image, target) pairs; goes into ``torchvision.transforms.v2.Compose``.

    Place it before conversions to float and before normalisation. Randomness comes from (seed, epoch, image id); where
    a target has no ``image_id``, from torch's generator, which differs in every loader worker.

    Args:
        paster: What pastes.
        label_of: Category id -> label in the targets; by default labels are category ids.
    """

    def __init__(self, paster: Paster | Chain, label_of: Mapping[int, int] | None = None) -> None:
        super().__init__()
        self.paster = paster
        self.label_of = None if label_of is None else dict(label_of)
        self._category_of = None if label_of is None else {label: key for key, label in label_of.items()}
        self._epoch = _shared_number()

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch it is, in all processes."""
        self._epoch.fill_(epoch)

    def forward(self, image: torch.Tensor, target: Mapping[str, Any]) -> tuple[tv.Image, dict[str, Any]]:
        """Paste.

        Args:
            image: (3, H, W) uint8.
            target: ``masks`` (N, H, W) and ``labels`` (N,); ``iscrowd`` (N,) and ``image_id`` where known. Other
                tensors with an entry per object keep those of the objects that stay, and 0 for the pasted ones.

        Returns:
            Image and target; ``boxes`` (M, 4) are XYXY, ``masks`` (M, H, W) uint8.
        """
        sample = self._sample(image, target)
        if "image_id" in target:
            result = self.paster(sample)
        else:
            result = self.paster.paste(sample, np.random.default_rng(_torch_seed()))
        made = sample_to_target(result, self.label_of)
        kept = torch.tensor([-1 if i.annotation_id is None else i.annotation_id for i in result.instances])
        count = len(target["labels"])
        for key, value in target.items():
            if key not in _OWN_KEYS:
                per_object = isinstance(value, torch.Tensor) and value.ndim > 0 and len(value) == count != 1
                made[key] = _take(value, kept) if per_object else value
        return tv.Image(torch.from_numpy(result.image).permute(2, 0, 1)), made

    def _sample(self, image: torch.Tensor, target: Mapping[str, Any]) -> Sample:
        if image.dtype != torch.uint8 or image.ndim != 3 or len(image) != 3:
            raise ConfigError(
                f"InstancePaste takes (3, H, W) uint8, found {tuple(image.shape)} {image.dtype}; place it earlier in "
                "the pipeline"
            )
        masks = np.asarray(target["masks"], dtype=bool)
        crowds = target.get("iscrowd", torch.zeros(len(masks)))
        instances = []
        for number, (mask, label, crowd) in enumerate(
            zip(masks, target["labels"].tolist(), crowds.tolist(), strict=True)
        ):
            if mask.any():
                category_id = label if self._category_of is None else self._category_of[label]
                instances.append(Instance.from_mask(mask, category_id, iscrowd=bool(crowd), annotation_id=number))
        pixels = np.ascontiguousarray(image.permute(1, 2, 0).numpy())
        return Sample(pixels, tuple(instances), int(target.get("image_id", 0)), int(self._epoch))


class PasteDataset(torch.utils.data.Dataset[tuple[tv.Image, dict[str, Any]]]):
    """A COCO or LVIS dataset with pasted instances, as torchvision's detectors take it.

    Args:
        dataset: The dataset.
        paster: What pastes; None for the images as they are.
        transforms: Applied to (image, target) afterwards, for example a ``torchvision.transforms.v2.Compose``.
        label_of: Category id -> label; by default 1, 2, … in the order of the dataset's categories.

    Example:
        >>> train = PasteDataset(read_dataset("train.json"), paster)  # doctest: +SKIP
        >>> loader = DataLoader(train, 2, shuffle=True, collate_fn=lambda pairs: tuple(zip(*pairs)))  # doctest: +SKIP
        >>> train.set_epoch(epoch)  # doctest: +SKIP
    """

    def __init__(
        self,
        dataset: Dataset,
        paster: Paster | Chain | None,
        transforms: Callable[..., Any] | None = None,
        *,
        label_of: Mapping[int, int] | None = None,
    ) -> None:
        self.dataset, self.paster, self.transforms = dataset, paster, transforms
        numbered = {category.id: number for number, category in enumerate(dataset.categories, start=1)}
        self.label_of = numbered if label_of is None else dict(label_of)
        self._epoch = _shared_number()

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch it is, in all processes."""
        self._epoch.fill_(epoch)

    def __len__(self) -> int:
        return len(self.dataset.images)

    def __getitem__(self, index: int) -> tuple[tv.Image, dict[str, Any]]:
        """Image and target; see `InstancePaste.forward`. Raises `ImageError` if the picture cannot be read."""
        sample = load_sample(self.dataset, self.dataset.images[index], epoch=int(self._epoch))
        sample = sample if self.paster is None else self.paster(sample)
        target = sample_to_target(sample, self.label_of) | {"image_id": sample.image_id}
        image = tv.Image(torch.from_numpy(sample.image).permute(2, 0, 1))
        return (image, target) if self.transforms is None else self.transforms(image, target)


def sample_to_target(sample: Sample, label_of: Mapping[int, int] | None = None) -> dict[str, Any]:
    """The instances of a sample as torchvision's detectors take them.

    Args:
        sample: Image and instances.
        label_of: Category id -> label; by default labels are category ids.

    Returns:
        ``boxes`` (N, 4) float32 XYXY and ``masks`` (N, H, W) uint8 as tv_tensors, ``labels`` (N,) int64, ``area`` (N,)
        float32, ``iscrowd`` (N,) int64.
    """
    height, width = sample.image.shape[:2]
    labels = [key if label_of is None else label_of[key] for key in sample.category_ids().tolist()]
    return {
        "boxes": tv.BoundingBoxes(torch.from_numpy(sample.boxes()), format="XYXY", canvas_size=(height, width)),
        "masks": tv.Mask(torch.from_numpy(sample.masks().view(np.uint8))),
        "labels": torch.tensor(labels, dtype=torch.int64),
        "area": torch.tensor([instance.area for instance in sample.instances], dtype=torch.float32),
        "iscrowd": torch.tensor([instance.iscrowd for instance in sample.instances], dtype=torch.int64),
    }


def _take(values: torch.Tensor, kept: torch.Tensor) -> torch.Tensor:
    """Rows of the objects that stay, and zeros where ``kept`` is -1."""
    taken = values[kept.clamp(min=0)]
    taken[kept < 0] = 0
    return taken


def _shared_number() -> torch.Tensor:
    """A number that all processes see, 0 at first."""
    number = torch.zeros((), dtype=torch.int64)
    number.share_memory_()  # type: ignore[no-untyped-call]
    return number


def _torch_seed() -> int:
    return int(torch.randint(2**62, ()))
