"""What a camera adds: white balance, exposure, vignette, defocus, shake, grain."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from .textures import Image

__all__ = ["photograph"]


def photograph(rng: np.random.Generator, scene: Image) -> NDArray[np.uint8]:
    """Take a picture of a scene.

    Args:
        rng: Random numbers.
        scene: (H, W, 3) float32 RGB in 0..1.

    Returns:
        (H, W, 3) uint8 RGB. Objects stay where they are: blur is symmetric.
    """
    image = scene * _white_balance(rng) * np.float32(rng.uniform(0.9, 1.3))
    image *= _vignette(rng, *scene.shape[:2])[..., None]
    np.clip(image, 0, 1, out=image)
    cv2.pow(image, rng.uniform(0.7, 1.15), dst=image)
    pivot = np.float32(rng.uniform(0.35, 0.6))
    image = pivot + np.float32(rng.uniform(0.8, 1.2)) * (image - pivot)
    image = _blur(rng, np.asarray(image, np.float32))
    image = _grain(rng, np.clip(image, 0, 1))
    return np.asarray(np.clip(image * 255 + 0.5, 0, 255), np.uint8)


def _white_balance(rng: np.random.Generator) -> Image:
    warmth, magenta = rng.normal(0, 0.09), rng.normal(0, 0.025)
    return np.array([1 + warmth, 1 - magenta, 1 - warmth], np.float32)


def _vignette(rng: np.random.Generator, height: int, width: int) -> Image:
    x = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    return 1 - np.float32(rng.uniform(0, 0.22)) * (x**2 + y**2)


def _blur(rng: np.random.Generator, image: Image) -> Image:
    scale = image.shape[1] / 256
    kind = rng.random()
    if kind < 0.12:
        return np.asarray(cv2.filter2D(image, -1, _shake(rng, scale)), np.float32)
    sigma = scale * (rng.uniform(0.8, 1.5) if kind < 0.25 else rng.uniform(0.3, 0.75))
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.float32)


def _shake(rng: np.random.Generator, scale: float) -> Image:
    """Motion blur: a short line through the kernel's centre."""
    reach = rng.uniform(1.2, 3.5) * scale
    side = 2 * int(np.ceil(reach)) + 1
    angle, centre = rng.uniform(0, np.pi), side // 2
    steps = np.linspace(-reach, reach, 8 * side)
    kernel = np.zeros((side, side), np.float32)
    rows = np.rint(centre + steps * np.sin(angle)).astype(int)
    columns = np.rint(centre + steps * np.cos(angle)).astype(int)
    np.add.at(kernel, (rows, columns), 1)
    return np.asarray(kernel / kernel.sum(), np.float32)


def _grain(rng: np.random.Generator, image: Image) -> Image:
    """Photon noise grows with the root of the light, read noise is the same everywhere; colour noise is coarser."""
    shot, read = rng.uniform(0.002, 0.025), rng.uniform(0.001, 0.012)
    noise = rng.standard_normal(image.shape[:2], np.float32)
    deviation = np.float32(read) + np.float32(shot) * np.sqrt(image.mean(2))
    image = image + (noise * deviation)[..., None]
    height, width = image.shape[:2]
    coarse = rng.standard_normal((height // 2, width // 2, 3), np.float32) * np.float32(0.5 * (shot + read))
    return np.asarray(image + cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
