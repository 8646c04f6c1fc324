"""The core for any trainer: an image and COCO annotations in, an image and COCO annotations out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from divergen_records import ConfigError, MaskError
from divergen_records.masks import crop_segmentation, encode_rle, mask_to_polygons
from divergen_records.sample import Instance, Sample
from numpy.typing import NDArray

from .chain import Chain
from .composite import check_image
from .paster import Paster
from .pool import InstancePool

__all__ = ["full_mask", "instance_annotation", "paste", "sample_from_annotations"]

MaskForm = Literal["rle", "bitmap", "polygons"]


def paste(
    image: NDArray[np.uint8],
    annotations: Sequence[Mapping[str, Any]],
    pool: InstancePool | Paster | Chain,
    rng: np.random.Generator,
    *,
    masks: MaskForm = "rle",
) -> tuple[NDArray[np.uint8], list[dict[str, Any]]]:
    """Paste instances into an image.

    Args:
        image: (H, W, 3) uint8 RGB; not changed.
        annotations: COCO annotations: ``category_id`` and ``segmentation`` (polygons, RLE, or a bitmap (H, W)),
            and whatever else they hold. Not changed.
        pool: Where instances come from, pasted with the defaults, or a `Paster` or `Chain` with settings of its own.
            Pasted ones get its category ids: ``pool.matched(categories)`` has those of your data set.
        rng: Source of randomness.
        masks: Form of the segmentations that are new: compressed ``"rle"``, ``"bitmap"`` (H, W) bool, or
            ``"polygons"``.

    Returns:
        The image, and the annotations that stay, those without a pixel left out: what nothing covered is as it was;
        what is partly covered has a new ``segmentation``, ``bbox`` (XYWH, pixels) and ``area``; pasted ones have a
        ``source``.

    Raises:
        ConfigError: If an annotation has no category, or ``masks`` is of none of these forms.
        ImageError: If the image is not of this form; the message says how to make it so.
        MaskError: If a segmentation is missing or does not fit the image.
    """
    if masks not in _FORMS:
        raise ConfigError(f"masks is one of {', '.join(_FORMS)}, found {masks!r}")
    check_image(image)
    paster = Paster(pool) if isinstance(pool, InstancePool) else pool
    sample = sample_from_annotations(image, annotations)
    untouched = {id(instance) for instance in sample.instances}
    result = paster.paste(sample, rng)
    kept: list[dict[str, Any]] = []
    for instance in result.instances:
        old = {} if instance.annotation_id is None else annotations[instance.annotation_id]
        new = {} if id(instance) in untouched else instance_annotation(instance, image.shape[:2], masks)
        kept.append({**old, **new})
    return result.image, kept


def sample_from_annotations(image: NDArray[np.uint8], annotations: Sequence[Mapping[str, Any]]) -> Sample:
    """A sample of an image and COCO annotations; ``annotation_id`` of its instances is the position in the list.

    Raises:
        MaskError: If a segmentation does not fit the image; the message names its position.
    """
    instances = []
    for position, annotation in enumerate(annotations):
        name = f"annotation {annotation.get('id', position)}"
        if annotation.get("category_id") is None:
            raise ConfigError(f"{name} has no category_id")
        if annotation.get("segmentation") is None:
            raise MaskError(f"{name} has no segmentation, so nobody knows what a paste covers of it; leave it out")
        try:
            mask, x, y = _crop(annotation["segmentation"], image.shape[:2])
        except MaskError as error:
            raise MaskError(f"{name}: {error}") from error
        if mask.size:
            crowd = bool(int(annotation.get("iscrowd") or 0))
            instances.append(Instance(annotation["category_id"], mask, x, y, crowd, position))
    return Sample(image, tuple(instances), image_id=0)


def _crop(segmentation: Any, size: tuple[int, ...]) -> tuple[NDArray[np.bool_], int, int]:
    height, width = size
    if isinstance(segmentation, Sequence | Mapping):
        return crop_segmentation(segmentation, height, width)
    segmentation = np.asarray(segmentation)  # it may be a tensor, or a picture
    if segmentation.shape != (height, width):
        raise MaskError(f"the bitmap is {segmentation.shape}, the image {(height, width)} (height, width)")
    if not segmentation.any():
        return np.zeros((0, 0), dtype=bool), 0, 0
    instance = Instance.from_mask(segmentation, 0)
    return instance.mask, instance.x, instance.y


def full_mask(instance: Instance, size: tuple[int, ...]) -> NDArray[np.bool_]:
    """Mask (H, W) bool of an instance in an image of ``size`` (height, width)."""
    mask = np.zeros(size, dtype=bool)
    mask[instance.slices] = instance.mask
    return mask


def instance_annotation(instance: Instance, size: tuple[int, ...], masks: MaskForm = "rle") -> dict[str, Any]:
    """COCO annotation of an instance in an image of ``size`` (height, width), without ids.

    Its keys are ``category_id``, ``bbox`` (XYWH, pixels), ``area``, ``iscrowd``, ``segmentation``, and ``source`` for
    pasted instances.
    """
    x0, y0, x1, y1 = instance.box
    annotation: dict[str, Any] = {
        "category_id": instance.category_id,
        "bbox": [float(x0), float(y0), float(x1 - x0), float(y1 - y0)],
        "area": float(instance.area),
        "iscrowd": int(instance.iscrowd),
        "segmentation": _FORMS[masks](full_mask(instance, size)),
    }
    return annotation if instance.source is None else {**annotation, "source": instance.source}


_FORMS: dict[str, Callable[[NDArray[np.bool_]], Any]] = {
    "rle": encode_rle,
    "bitmap": lambda mask: mask,
    "polygons": mask_to_polygons,
}
