"""Pictures with known masks, for tests and trials of annotators, and the contract that every annotator keeps."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from divergen_records import DivergenError
from numpy.typing import NDArray

from .annotator import Annotator, Image, Mask, Prediction, Result, run_annotator

__all__ = ["check_annotator", "plain_picture"]


def plain_picture(
    seed: int, *, height: int = 256, width: int = 256, shadow: float = 0.3, hole: bool = False
) -> tuple[Image, Mask]:
    """A striped blob on a white background with noise and a soft shadow under it, and its true mask.

    Args:
        seed: Decides shape, colours and noise.
        height: Pixels.
        width: Pixels.
        shadow: How much light the shadow takes away at its darkest, 0 to 1.
        hole: Whether the blob has a hole in its middle, like a doughnut.

    Returns:
        The picture (H, W, 3) uint8 RGB and its mask (H, W) bool.
    """
    random = np.random.default_rng(seed)
    side = min(height, width)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    x, y = x - width / 2, y - height / 2
    angle, radius = np.arctan2(y, x), np.hypot(x, y)
    rim = 0.3 * side * (1 + sum(random.uniform(0, 0.12) * np.cos(k * angle + random.uniform(0, 6)) for k in (2, 3, 5)))
    mask: NDArray[np.bool_] = radius < rim
    if hole:
        mask &= radius > 0.12 * side
    colours = random.integers(20, 190, (2, 3)).astype(np.float32)
    stripe = (np.sin(x / side * random.uniform(10, 40)) > 0)[..., None]
    image = np.full((height, width, 3), random.uniform(238, 253), dtype=np.float32)
    fallen = np.exp(-((x / (0.32 * side)) ** 2) - ((y - 0.33 * side) / (0.08 * side)) ** 2)
    image *= 1 - shadow * fallen[..., None]
    coverage = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 0.6)[..., None]
    image = coverage * np.where(stripe, colours[0], colours[1]) + (1 - coverage) * image
    image += random.normal(0, 2, image.shape)
    return np.clip(image, 0, 255).astype(np.uint8), mask


def check_annotator(build: Callable[[], Annotator], images: Sequence[Image] | None = None) -> None:
    """Check what every annotator promises; raises `AssertionError` with the promise that is broken.

    Args:
        build: Makes the annotator; called twice.
        images: Pictures (H, W, 3) uint8 RGB of different sizes, of which it can mask one at least; plain ones by
            default. What an annotator of another column than ``image`` gets, where it says so.
    """
    annotator, again = build(), build()
    assert isinstance(annotator, Annotator), "has a name and is callable"
    assert annotator.name, "the name is not empty"
    assert annotator.name == again.name, "same settings, same name"
    assert len(annotator([])) == 0, "no picture gives no result"
    images = images or [plain_picture(1)[0], plain_picture(2, height=96, width=160)[0]]
    before = [image.copy() for image in images]
    texts = ["object"] * len(images)
    results = list(run_annotator(annotator, images, texts))
    assert len(results) == len(images), "one result for each picture"
    assert all(map(np.array_equal, images, before)), "the pictures are left as they are"
    for image, result in zip(images, results, strict=True):
        _check_result(image, result)
    assert any(isinstance(result, Prediction) and result.mask.any() for result in results), "one mask at least"
    alone = [run_annotator(again, [image], texts[:1])[0] for image in reversed(images)]
    assert all(map(_is_same, reversed(alone), results)), "a mask depends on its picture only, not on batch or order"


def _check_result(image: Image, result: Result) -> None:
    assert isinstance(result, Prediction | DivergenError), "a result is a Prediction or a DivergenError"
    if isinstance(result, Prediction):
        assert result.mask.shape == image.shape[:2], "the mask has the picture's height and width"
        assert result.mask.dtype == np.bool_, "the mask is bool"
        assert 0 <= result.score <= 1, "the score is from 0 to 1"


def _is_same(one: Result, other: Result) -> bool:
    if isinstance(one, Prediction) and isinstance(other, Prediction):
        return np.array_equal(one.mask, other.mask)
    return str(one) == str(other)
