"""Which categories each image shows: a long tail of image counts, spread over images of a handful of categories."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["assign_categories", "zipf_counts"]


def zipf_counts(categories: int, *, head: int, tail: int, offset: float = 30.0) -> NDArray[np.int64]:
    """Images per category by the Zipf-Mandelbrot law ``(rank + offset) ** -s`` from ``head`` down to ``tail``.

    Args:
        categories: How many.
        head: Images of the first category.
        tail: Images of the last one.
        offset: Flattens the head; 0 is Zipf's law proper.

    Returns:
        (categories,) int64, falling.
    """
    ranks = np.arange(categories) + 1 + offset
    if categories == 1 or head <= tail:
        return np.full(categories, head)
    exponent = math.log(head / tail) / math.log(ranks[-1] / ranks[0])
    return np.asarray(np.rint(head * (ranks[0] / ranks) ** exponent), np.int64)


def assign_categories(
    counts: NDArray[np.int64], images: int, rng: np.random.Generator, *, most: int = 8
) -> list[list[int]]:
    """Choose images for each category: exactly ``counts[k]`` different ones, none of them empty where it can be.

    Args:
        counts: (K,) images per category, each at most ``images``.
        images: How many images there are.
        rng: Random numbers.
        most: Categories in one image, as far as the counts allow it.

    Returns:
        For each image the indices of its categories, sorted.
    """
    mean = counts.sum() / images
    # Real pictures differ in how much they show: some have one category, some have eight.
    capacity = np.clip(rng.gamma(3.0, mean / 3.0, images), 0.5, most)
    capacity *= mean / capacity.mean()
    filled = np.zeros(images)
    chosen: list[list[int]] = [[] for _ in range(images)]
    for category in np.argsort(-counts, kind="stable"):
        room = np.clip(capacity - filled, 0.02, None)
        room[filled >= most] = 1e-9
        # Efraimidis-Spirakis: a weighted sample without replacement is the top of u ** (1 / weight).
        keys = np.log(rng.random(images)) / room
        for image in np.argsort(-keys, kind="stable")[: counts[category]]:
            chosen[image].append(int(category))
            filled[image] += 1
    _fill_empty(chosen, counts)
    return [sorted(categories) for categories in chosen]


def _fill_empty(chosen: list[list[int]], counts: NDArray[np.int64]) -> None:
    for categories in chosen:
        if categories:
            continue
        richest = max(chosen, key=len)
        if len(richest) < 2:
            return
        common = max(richest, key=lambda category: counts[category])
        richest.remove(common)
        categories.append(common)
