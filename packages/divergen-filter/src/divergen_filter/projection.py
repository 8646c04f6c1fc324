"""Embeddings on a page: two dimensions by PCA, or by UMAP where the extra is installed."""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
from divergen_records import require_extra
from numpy.typing import NDArray

from .embedder import Embeddings

__all__ = ["Projection", "project"]

Projection: TypeAlias = Literal["pca", "umap"]


def project(embeddings: Embeddings, method: Projection = "pca") -> NDArray[np.float64]:
    """Coordinates (N, 2) for embeddings (N, D).

    Raises:
        MissingExtra: If UMAP is asked for and not installed.
    """
    if len(embeddings) < 3:
        return np.zeros((len(embeddings), 2))
    if method == "umap":
        with require_extra("divergen-filter", "umap"):
            from umap import UMAP
        neighbours = min(15, len(embeddings) - 1)
        found = UMAP(n_neighbors=neighbours, metric="cosine", random_state=0, n_jobs=1).fit_transform(embeddings)
        return np.asarray(found, dtype=np.float64)
    centred = embeddings.astype(np.float64) - embeddings.mean(axis=0, dtype=np.float64)
    _, axes = np.linalg.eigh(centred.T @ centred)
    return np.asarray(centred @ axes[:, :-3:-1])
