"""What an embedder is: crops of objects in, unit vectors out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

__all__ = ["Embedder", "Embeddings", "Image", "Mask", "TextEmbedder"]

Image: TypeAlias = NDArray[np.uint8]
"""A picture, (H, W, 3) uint8 RGB."""

Mask: TypeAlias = NDArray[np.bool_]
"""A mask, (H, W) bool, true on the object."""

Embeddings: TypeAlias = np.ndarray[Any, np.dtype[np.float32]]
"""(N, D) float32, rows of unit length."""


@runtime_checkable
class Embedder(Protocol):
    """Turns crops into unit vectors whose cosine says how alike two objects look.

    The vector of a crop depends on that crop alone, bit for bit: not on the others of its batch.

    Attributes:
        identity: Name, weights hash and preprocessing: two embedders with one identity give the same vectors. It is
            stored with every vector; vectors of two identities are never compared.
        dim: D, length of a vector.
    """

    identity: str
    dim: int

    def __call__(self, crops: Sequence[Image]) -> Embeddings:
        """(N, D) float32, unit rows, of N crops (h, w, 3) uint8 RGB of any sizes, in their order."""


@runtime_checkable
class TextEmbedder(Embedder, Protocol):
    """An embedder that embeds texts into the space of its pictures, as CLIP does."""

    def texts(self, texts: Sequence[str]) -> Embeddings:
        """(N, D) float32, unit rows, of N texts."""
