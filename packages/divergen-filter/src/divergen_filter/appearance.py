"""How two sets of objects of one category look beside each other: what of one the other reaches, and how far apart."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from .embedder import Embeddings

__all__ = ["look_alike_cosine", "recall", "set_distance"]


def look_alike_cosine(categories: Iterable[tuple[Embeddings, NDArray[np.int64]]], *, share: float = 0.9) -> float:
    """From which cosine on two objects look alike: so near have most objects another one of their category.

    The balls of the precision and recall family (Kynkäänniemi et al., NeurIPS 2019) have a radius of their own for each
    object, which a category with one object lacks; this is one for all, from categories that are shown well.

    Args:
        categories: Of each category that is shown well, the embeddings (N, D) and the images (N,) of its objects.
        share: Of all these objects, so many have another in another image that is so near.

    Returns:
        The cosine; NaN where no category is shown in two images.
    """
    nearest = [
        np.where(images[:, None] == images[None], -np.inf, vectors @ vectors.T).max(axis=1)
        for vectors, images in categories
        if len(set(images.tolist())) > 1
    ]
    if not nearest:
        return float("nan")
    return float(np.quantile(np.concatenate(nearest), 1 - share))


def recall(real: Embeddings, shown: Embeddings, cosine: float) -> float:
    """Share of real objects (N, D) with one of those shown (M, D) within the cosine; NaN where it is, or N is 0."""
    if not len(real) or np.isnan(cosine):
        return float("nan")
    return float(((real @ shown.T).max(axis=1, initial=-1) >= cosine).mean())


def set_distance(one: Embeddings, other: Embeddings) -> float:
    """How differently two sets are distributed: their energy distance as a part of their mean distance, unbiased.

    1 - (E|x - x'| + E|y - y'|) / 2 E|x - y| (Székely and Rizzo, 2013): 0 on average where both come from one
    distribution, 1 where all of a set are the same and the other is elsewhere.

    Args:
        one: (N, D), unit rows.
        other: (M, D), unit rows.

    Returns:
        The distance; NaN where a set has fewer than two.
    """
    if min(len(one), len(other)) < 2:
        return float("nan")
    across = float(_distances(one, other).mean())
    inside = sum(float(_distances(some, some).sum()) / (len(some) * (len(some) - 1)) for some in (one, other))
    return 1 - inside / (2 * across) if across else 0.0


def _distances(one: Embeddings, other: Embeddings) -> NDArray[np.float64]:
    """Euclidean distances (N, M) of unit rows."""
    return np.asarray(np.sqrt(np.clip(2 - 2 * (one.astype(np.float64) @ other.T), 0, None)), np.float64)
