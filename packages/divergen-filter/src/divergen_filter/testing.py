"""For tests: an embedder without model or weights, and the contracts that embedders and scores keep."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from divergen_records import Config
from divergen_records.columns import is_number

from .embedder import Embedder, Embeddings, Image
from .score import Score

__all__ = ["ColourEmbedder", "check_embedder", "check_score"]


class ColourEmbedder:
    """Unit vectors of a crop's colour histogram: things of one colour are alike.

    Args:
        bins: Per channel.
    """

    def __init__(self, bins: int = 4) -> None:
        self.bins, self.dim = bins, bins**3
        self.identity = f"colour-histogram/{bins}"

    def __call__(self, crops: Sequence[Image]) -> Embeddings:
        """(N, bins³) float32, unit rows, of N crops (h, w, 3) uint8 RGB; black, the background, is not counted."""
        rows = np.zeros((len(crops), self.dim), dtype=np.float64)
        for row, crop in zip(rows, crops, strict=True):
            levels = crop.reshape(-1, 3).astype(np.int64) * self.bins // 256
            index = (levels[:, 0] * self.bins + levels[:, 1]) * self.bins + levels[:, 2]
            row += np.bincount(index[crop.reshape(-1, 3).any(axis=1)], minlength=self.dim)
            row[0] += 1e-6  # a crop that is black all over
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)


def check_embedder(build: Callable[[], Embedder]) -> None:
    """Check what every embedder promises; raises `AssertionError` with the promise that is broken.

    Args:
        build: Makes the embedder; called twice.
    """
    embedder, again = build(), build()
    assert isinstance(embedder, Embedder), "has identity and dim and is callable"
    assert embedder.identity, "the identity is not empty"
    assert (embedder.identity, embedder.dim) == (again.identity, again.dim), "same settings, same identity and width"
    assert embedder([]).shape == (0, embedder.dim), "no crop gives (0, dim)"
    random = np.random.default_rng(0)
    crops = [random.integers(0, 256, (*size, 3)).astype(np.uint8) for size in ((40, 30), (1, 1), (64, 64))]
    vectors = embedder(crops)
    assert vectors.shape == (3, embedder.dim), "(N, dim), one row for each crop"
    assert vectors.dtype == np.float32, "float32"
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3), "rows are of unit length"
    assert not np.allclose(vectors[0], vectors[2], atol=1e-4), "different crops give different vectors"
    alone = [again([crop])[0] for crop in reversed(crops)]
    assert np.array_equal(np.stack(alone[::-1]), vectors), "a vector depends on its crop only, bit for bit"


def check_score(config: Config, batch: Mapping[str, Sequence[Any]]) -> None:
    """Check what every score and its configuration promise; raises `AssertionError` with the promise that is broken.

    Args:
        config: The configuration.
        batch: Two rows or more with ``id`` and the columns that it reads, all of which it can measure.
    """
    declared: Any = config
    assert isinstance(declared.kind, str), "the configuration has a kind"
    score, again = declared.build(), declared.build()
    assert isinstance(score, Score), "has name, reads, writes and columns and is callable"
    assert score.columns is declared.columns, "the configuration carries the same columns, known before anything loads"
    assert score.writes, "it writes a column"
    fields = score.columns.model_fields
    assert all(name in fields and is_number(fields[name]) for name in score.writes), "it declares numbers or booleans"
    names = ("id", *score.reads)
    found = _measured(score, {name: batch[name] for name in names})
    for row in reversed(range(len(batch["id"]))):
        one = _measured(again, {name: batch[name][row : row + 1] for name in names})
        same = all(np.array_equal(one[name], found[name][row : row + 1], equal_nan=True) for name in score.writes)
        assert same, "a row's values depend on that row alone"


def _measured(score: Score, batch: Mapping[str, Any]) -> dict[str, Any]:
    result = score(batch)
    rows = len(batch["id"])
    errors = list(result.get("error", [None] * rows))
    assert errors == [None] * rows, f"no row error, but {errors}"
    assert all(len(result[name]) == rows for name in score.writes), "each written column has a value for each row"
    return {name: np.asarray(result[name], dtype=np.float64) for name in score.writes}
