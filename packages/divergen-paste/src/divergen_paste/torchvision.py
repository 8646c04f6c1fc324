"""For torchvision's detectors: a transform for its v2 pipelines, and a dataset of a COCO or LVIS file.

Both say which epoch it is through memory that all loader workers share, so that ``set_epoch`` reaches workers that
live on between epochs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from divergen_records import ConfigError, MaskError, require_extra
from divergen_records.coco import load_sample
from divergen_records.sample import Instance, Sample

if TYPE_CHECKING:
    from divergen_records.coco import Dataset

    from .chain import Chain
    from .paster import Paster
    from .pool import Classes

from .adapters import Labels, matched, plain_id

with require_extra("divergen-paste", "torchvision"):
    import torch
    import torchvision.tv_tensors as tv
    from torchvision.transforms.v2.functional import to_dtype

__all__ = ["PER_OBJECT", "InstancePaste", "PasteDataset", "collate", "sample_to_target"]

_MADE_ANEW = ("boxes", "masks", "labels", "area", "iscrowd")
"""What a target holds per object and every paste makes anew."""

PER_OBJECT = frozenset(["bbox", "category_id", "id", "ids", "keypoints", "scores", "segmentation"])
"""What else is known, by its name, to hold an entry per object."""


class InstancePaste(torch.nn.Module):
    """Pastes instances into (image, target) pairs; goes into ``torchvision.transforms.v2.Compose``.

    Place it before conversions to float and before normalisation. Randomness comes from (seed, epoch, image id); where
    a target has no ``image_id``, from torch's generator, which differs in every loader worker.

    Args:
        paster: What pastes.
        categories: What the labels mean: the categories of the data set, or {label: name}. The pool's are found among
            them by name.
        label_of: Category id -> label in the targets; by default labels are category ids.
        per_object: Names of further values of a target that hold an entry per object; those in `PER_OBJECT` are known.
            All others, whatever their length, go through as they are.

    Raises:
        ConfigError: If the pool has categories that are not among these.
    """

    def __init__(
        self,
        paster: Paster | Chain,
        categories: Classes,
        label_of: Mapping[int, int] | None = None,
        *,
        per_object: Iterable[str] = (),
    ) -> None:
        super().__init__()
        self.paster = matched(paster, categories)
        self.labels = Labels(categories, self.paster, label_of)
        names = (per_object,) if isinstance(per_object, str) else per_object
        self.per_object = PER_OBJECT.union(names).difference(_MADE_ANEW)
        self._epoch = _shared_number()

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch it is, in all processes."""
        self._epoch.fill_(epoch)

    def forward(self, image: torch.Tensor, target: Mapping[str, Any]) -> tuple[tv.Image, dict[str, Any]]:
        """Paste.

        Args:
            image: (3, H, W) uint8.
            target: ``masks`` (N, H, W) and ``labels`` (N,); ``iscrowd`` (N,) and ``image_id``, a number or a name,
                where known. Values with an entry per object keep those of the objects that stay; pasted ones get 0, in
                a list None.

        Returns:
            Image and target; ``boxes`` (M, 4) are XYXY, ``masks`` (M, H, W) uint8.

        Raises:
            ConfigError: If image or target are not of this form; the message says how to make them.
            MaskError: If the masks do not have the image's size.
        """
        sample = self._sample(image, target)
        if target.get("image_id") is not None:
            result = self.paster(sample)
        else:
            result = self.paster.paste(sample, np.random.default_rng(_torch_seed()))
        made = sample_to_target(result, self.labels.label_of)
        kept = [instance.annotation_id for instance in result.instances]
        for key, value in target.items():
            if key in self.per_object:
                made[key] = _entries(key, value, kept, len(target["labels"]))
            elif key not in _MADE_ANEW:
                made[key] = value
        return tv.Image(torch.from_numpy(result.image).permute(2, 0, 1)), made

    def _sample(self, image: torch.Tensor, target: Mapping[str, Any]) -> Sample:
        _check_image(image)
        masks, labels, crowds = _checked_objects(target, image)
        instances = tuple(
            Instance.from_mask(mask, self.labels.category(label), iscrowd=bool(crowd), annotation_id=number)
            for number, (mask, label, crowd) in enumerate(zip(masks, labels, crowds, strict=True))
            if mask.any()
        )
        pixels = np.ascontiguousarray(image.permute(1, 2, 0).numpy())
        return Sample(pixels, instances, plain_id(target.get("image_id")), int(self._epoch))


def _check_image(image: Any) -> None:
    if not isinstance(image, torch.Tensor):
        raise ConfigError(
            f"InstancePaste takes tensors, found {type(image).__module__}.{type(image).__name__}; put "
            "torchvision.transforms.v2.ToImage() before it"
        )
    if image.dtype != torch.uint8 or image.ndim != 3 or len(image) != 3:
        raise ConfigError(
            f"InstancePaste takes (3, H, W) uint8, found {tuple(image.shape)} {image.dtype}; place it earlier in the "
            "pipeline"
        )


def _checked_objects(target: Mapping[str, Any], image: torch.Tensor) -> tuple[np.ndarray, list[int], list[int]]:
    """Masks (N, H, W) bool, labels and crowd flags of a target, of one length and of the image's size."""
    if not isinstance(target, Mapping):
        raise ConfigError(f"InstancePaste takes (image, target), the target a dict; found a {type(target).__name__}")
    for key in ("masks", "labels"):
        if target.get(key) is None:
            raise ConfigError(f"the target has no {key!r}; InstancePaste needs the mask and the label of each object")
    masks, labels = np.asarray(target["masks"], dtype=bool), np.asarray(target["labels"]).tolist()
    crowds = torch.as_tensor(target.get("iscrowd", [0] * len(labels))).tolist()
    if not len(masks) == len(labels) == len(crowds):
        raise ConfigError(f"the target has {len(masks)} masks, {len(labels)} labels and {len(crowds)} iscrowd")
    size = tuple(image.shape[1:])
    if len(masks) and masks.ndim != 3:
        raise MaskError(f"the masks must be (N, H, W), one bitmap for each object, and are of shape {masks.shape}")
    if len(masks) and masks.shape[1:] != size:
        raise MaskError(
            f"the masks are {' x '.join(map(str, masks.shape[1:]))}, the image is {' x '.join(map(str, size))} (height "
            "x width); transforms before InstancePaste must change both"
        )
    return masks, labels, crowds


def _entries(key: str, values: Any, kept: Sequence[int | None], count: int) -> Any:
    """The entries of the objects that stay, by their position in ``kept``, and empty ones for pasted objects."""
    if len(values) != count:
        raise ConfigError(f"the target's {key!r} has {len(values)} entries for {count} objects; it holds one for each")
    if not isinstance(values, torch.Tensor):
        return [None if position is None else values[position] for position in kept]
    made = torch.zeros((len(kept), *values.shape[1:]), dtype=values.dtype)
    for row, position in enumerate(kept):
        if position is not None:
            made[row] = values[position]
    return tv.wrap(made, like=values) if isinstance(values, tv.TVTensor) else made


class PasteDataset(torch.utils.data.Dataset[tuple[tv.Image, dict[str, Any]]]):
    """A COCO or LVIS dataset with pasted instances, as torchvision's detectors take it.

    Args:
        dataset: The dataset.
        paster: What pastes; None for the images as they are.
        transforms: Applied to (image, target) afterwards, for example a ``torchvision.transforms.v2.Compose``.
        label_of: Category id -> label; by default 1, 2, … in the order of the dataset's categories.
        dtype: Of the images after the transforms: ``"uint8"``, or ``"float32"`` in 0..1, which torchvision's detectors
            take.

    Raises:
        ConfigError: If the pool has categories that are not the dataset's.

    Example:
        >>> train = PasteDataset(read_dataset("train.json"), paster, dtype="float32")  # doctest: +SKIP
        >>> loader = DataLoader(train, 2, shuffle=True, collate_fn=collate)  # doctest: +SKIP
        >>> train.set_epoch(epoch)  # doctest: +SKIP
    """

    def __init__(
        self,
        dataset: Dataset,
        paster: Paster | Chain | None,
        transforms: Callable[..., Any] | None = None,
        *,
        label_of: Mapping[int, int] | None = None,
        dtype: Literal["uint8", "float32"] = "uint8",
    ) -> None:
        if dtype not in ("uint8", "float32"):
            raise ConfigError(f"dtype is 'uint8' or 'float32', found {dtype!r}")
        self.dataset, self.transforms, self.dtype = dataset, transforms, dtype
        numbered = {category.id: number for number, category in enumerate(dataset.categories, start=1)}
        self.label_of = numbered if label_of is None else dict(label_of)
        self.paster = None if paster is None else matched(paster, dataset.categories)
        if self.paster is not None:
            Labels(dataset.categories, self.paster, self.label_of)  # each that may be pasted has one
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
        if self.transforms is not None:
            image, target = self.transforms(image, target)
        return (to_dtype(image, torch.float32, scale=True) if self.dtype == "float32" else image), target


def collate(pairs: Iterable[tuple[torch.Tensor, dict[str, Any]]]) -> tuple[list[torch.Tensor], list[dict[str, Any]]]:
    """A batch as torchvision's detectors take it: ``model(*collate(pairs))``.

    Args:
        pairs: Of a `PasteDataset`. Crowds are left out, which these models would learn as single objects.

    Returns:
        Images and targets, a list of each.
    """
    images, targets = zip(*pairs, strict=True)
    return list(images), [_without_crowds(target) for target in targets]


def _without_crowds(target: dict[str, Any]) -> dict[str, Any]:
    single = target["iscrowd"] == 0
    return target | {key: target[key][single] for key in _MADE_ANEW if key in target}


def sample_to_target(sample: Sample, label_of: Mapping[int, int] | None = None) -> dict[str, Any]:
    """The instances of a sample as torchvision's detectors take them.

    Args:
        sample: Image and instances.
        label_of: Category id -> label; by default labels are category ids.

    Returns:
        ``boxes`` (N, 4) float32 XYXY and ``masks`` (N, H, W) uint8 as tv_tensors, ``labels`` (N,) int64, ``area`` (N,)
        float32, ``iscrowd`` (N,) int64.

    Raises:
        ConfigError: If ``label_of`` lacks a category.
    """
    height, width = sample.image.shape[:2]
    ids = sample.category_ids().tolist()
    missing = sorted(set(ids) - label_of.keys()) if label_of is not None else []
    if missing:
        raise ConfigError(f"image {sample.image_id}: label_of has no label for the category ids {missing[:5]}")
    labels = [key if label_of is None else label_of[key] for key in ids]
    return {
        "boxes": tv.BoundingBoxes(torch.from_numpy(sample.boxes()), format="XYXY", canvas_size=(height, width)),
        "masks": tv.Mask(torch.from_numpy(sample.masks().view(np.uint8))),
        "labels": torch.tensor(labels, dtype=torch.int64),
        "area": torch.tensor([instance.area for instance in sample.instances], dtype=torch.float32),
        "iscrowd": torch.tensor([instance.iscrowd for instance in sample.instances], dtype=torch.int64),
    }


def _shared_number() -> torch.Tensor:
    """A number that all processes see, 0 at first."""
    number = torch.zeros((), dtype=torch.int64)
    number.share_memory_()  # type: ignore[no-untyped-call]
    return number


def _torch_seed() -> int:
    return int(torch.randint(2**62, ()))
