"""From a checkpoint and images to COCO results."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import torch
from divergen_records import Category, Progress
from divergen_records.coco import Dataset, ImageInfo
from divergen_records.detections import detection_row
from divergen_records.devices import pick_device
from divergen_records.errors import ConfigError
from divergen_records.images import read_image
from numpy.typing import NDArray
from torch import Tensor, nn

from ..detectors.protocol import Detections, Detector
from .augment import resize_longest
from .checkpoint import Checkpoint, check_evaluated, load_checkpoint, load_detector

__all__ = ["open_detector", "paste_mask", "predict", "resized_tensors"]


def predict(
    model: Path | str | Detector,
    dataset: Dataset,
    *,
    image_size: int | None = None,
    detections: int | None = None,
    categories: Sequence[Category] | None = None,
    batch_size: int = 8,
    device: str = "auto",
    progress: str = "predict",
) -> list[dict[str, Any]]:
    """Detect the objects in all images of a data set; its annotations are not looked at.

    Args:
        model: A checkpoint's path, or a detector in evaluation mode.
        dataset: Images, and categories: all that the detector knows, or some, of which alone there are results.
        image_size: Longest side that images are resized to, pixels; the checkpoint's by default, needed for a detector.
        detections: Most detections on an image; for a checkpoint, whose own number is the default. AP-fixed wants more
            than LVIS's 300.
        categories: What the labels of a detector mean; the data set's by default, the checkpoint's for a path.
        batch_size: Images at once.
        device: For a checkpoint, ``auto`` takes the GPU where there is one; a detector stays where it is.
        progress: Name on the progress line.

    Returns:
        COCO results: ``image_id``, ``category_id``, ``bbox`` (XYWH, pixels), ``score``, ``segmentation`` (compressed
        RLE), per image by falling score.

    Raises:
        ConfigError: If the detector has no such setting, or a detector that is built already gets one.
        WeightsError: If the checkpoint cannot be read.
        DatasetError: If the data set has categories that the detector does not know.
        ImageError: If an image cannot be read.
    """
    detector, image_size, trained = open_detector(model, image_size, device, detections)
    categories = trained or categories or dataset.categories
    check_evaluated(categories, dataset)
    wanted = {category.id for category in dataset.categories}
    results: list[dict[str, Any]] = []
    with Progress(progress, len(dataset.images), unit="images") as bar, torch.inference_mode():
        for start in range(0, len(dataset.images), batch_size):
            images = dataset.images[start : start + batch_size]
            for image, (tensor, found) in zip(images, _detect(detector, dataset, images, image_size), strict=True):
                rows = _results(found, image, tensor, categories)
                results += [row for row in rows if row["category_id"] in wanted]
            bar.update(len(images))
    return results


def open_detector(
    model: Path | str | Detector, image_size: int | None = None, device: str = "auto", detections: int | None = None
) -> tuple[Detector, int, tuple[Category, ...] | None]:
    """A detector that is ready to detect, the size of its images, and the categories of its checkpoint.

    Args:
        model: A checkpoint's path, or a detector in evaluation mode, which stays where it is.
        image_size: Longest side of the images; the checkpoint's by default.
        device: For a checkpoint.
        detections: Most detections on an image, for a checkpoint.
    """
    if not isinstance(model, Path | str):
        if image_size is None:
            raise ConfigError("a detector needs image_size, the longest side of the images it was trained on")
        if detections is not None:
            raise ConfigError("detections is for a checkpoint; of a detector it is a setting that it was built with")
        return model, image_size, None
    checkpoint = load_checkpoint(Path(model))
    if detections is not None:
        checkpoint = _with_detections(checkpoint, detections)
    detector = load_detector(checkpoint)
    cast(nn.Module, detector).to(pick_device(device))
    return detector, image_size or checkpoint.config.image_size, checkpoint.categories


def _with_detections(checkpoint: Checkpoint, detections: int) -> Checkpoint:
    config = checkpoint.config.detector
    if not hasattr(config, "detections"):
        raise ConfigError(f"detector {config.kind!r}: has no setting `detections`; leave it out")
    config = config.model_copy(update={"detections": detections})
    return replace(checkpoint, config=checkpoint.config.model_copy(update={"detector": config}))


def resized_tensors(detector: Detector, dataset: Dataset, images: Sequence[ImageInfo], image_size: int) -> list[Tensor]:
    """Images (3, h, w) uint8, the longest side ``image_size``, on the detector's device."""
    device, tensors = _device_of(detector), []
    for image in images:
        pixels = read_image(dataset.image_path(image), size=(image.height, image.width))
        resized = resize_longest(pixels, image_size)
        tensors.append(torch.from_numpy(np.ascontiguousarray(resized.transpose(2, 0, 1))).to(device))
    return tensors


def _detect(
    detector: Detector, dataset: Dataset, images: Sequence[ImageInfo], image_size: int
) -> Iterator[tuple[Tensor, Detections]]:
    tensors = resized_tensors(detector, dataset, images, image_size)
    return zip(tensors, detector(tensors), strict=True)


def _device_of(detector: Detector) -> torch.device:
    weights = detector.parameters() if isinstance(detector, nn.Module) else iter(())
    return next((weight.device for weight in weights), torch.device("cpu"))


def _results(
    found: Detections, image: ImageInfo, tensor: Tensor, categories: Sequence[Category]
) -> Iterator[dict[str, Any]]:
    scale = np.array([image.width / tensor.shape[2], image.height / tensor.shape[1]] * 2, dtype=np.float32)
    boxes = found["boxes"].float().cpu().numpy() * scale
    masks = found["masks"].float().cpu().numpy()
    for box, mask, label, score in zip(boxes, masks, found["labels"].tolist(), found["scores"].tolist(), strict=True):
        whole = paste_mask(mask, box, image.height, image.width)
        yield detection_row(image.id, categories[label - 1].id, box, score, whole)


def paste_mask(
    mask: NDArray[np.float32], box: NDArray[np.float32], height: int, width: int, threshold: float = 0.5
) -> NDArray[np.bool_]:
    """Mask of the whole image from a detection's mask, exact to parts of a pixel.

    Args:
        mask: (M, M) float32 probabilities in the frame of the box.
        box: (4,) float32, XYXY, pixels of the image.
        height: Of the image.
        width: Of the image.
        threshold: Probability from which a pixel belongs to the object.

    Returns:
        (height, width) bool.
    """
    x0, y0, x1, y1 = (float(edge) for edge in box)
    left, top = max(int(np.floor(x0)), 0), max(int(np.floor(y0)), 0)
    right, bottom = min(int(np.ceil(x1)), width), min(int(np.ceil(y1)), height)
    canvas = np.zeros((height, width), bool)
    if right <= left or bottom <= top:
        return canvas
    size = mask.shape[0]
    x_scale, y_scale = size / max(x1 - x0, 1e-3), size / max(y1 - y0, 1e-3)
    # Pixel centres lie at .5 in the image and in the mask.
    matrix = np.array(
        [
            [x_scale, 0, (left + 0.5 - x0) * x_scale - 0.5],
            [0, y_scale, (top + 0.5 - y0) * y_scale - 0.5],
        ]
    )
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    soft = cv2.warpAffine(mask, matrix, (right - left, bottom - top), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    canvas[top:bottom, left:right] = soft >= threshold
    return canvas
