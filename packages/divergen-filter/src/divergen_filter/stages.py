"""Embedding, scoring and deciding as stages of the pipeline over the instance table."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
from divergen_records import Batch, ConfigError, DivergenError
from divergen_records.images import read_image
from divergen_records.masks import decode_counts

from .calibration import calibrate
from .config import RulesConfig
from .crops import crop_instance
from .decision import decide, needs_references, rule_columns
from .embedder import Embedder, Image
from .references import References
from .similarity import CategorySums, bad_vectors, inter_similarity

if TYPE_CHECKING:
    from .crops import Fill

__all__ = ["DecideStage", "EmbedStage", "ScoreStage"]


class EmbedStage:
    """Embeds the masked instance of each row; a `divergen_records.Stage`.

    Args:
        embedder: Makes the vectors.
        fill: What replaces the background; the papers put black.
        min_side: The crop's sides are at least this long where the picture allows, pixels.
        square: Widen the shorter side of the crop to the longer.
        workers: Threads that decode and crop; the number of CPU cores where None.
    """

    name = "embed"
    reads = ("image", "mask")
    writes = ("embedder", "embedding")

    def __init__(
        self,
        embedder: Embedder,
        *,
        fill: Fill = "black",
        min_side: int = 0,
        square: bool = False,
        workers: int | None = None,
    ) -> None:
        self.embedder, self.workers = embedder, workers or os.cpu_count() or 1
        self._options: dict[str, Any] = {"fill": fill, "min_side": min_side, "square": square}

    def __call__(self, batch: Batch) -> Batch:
        """Embed a batch of encoded pictures and their masks."""
        with ThreadPoolExecutor(self.workers) as pool:
            crops = list(pool.map(self._crop, batch["image"], batch["mask"]))
        good = [index for index, crop in enumerate(crops) if isinstance(crop, np.ndarray)]
        vectors = self.embedder([crop for crop in crops if isinstance(crop, np.ndarray)])
        broken = bad_vectors(vectors)
        names: list[str | None] = [None] * len(crops)
        rows: list[Any] = [None] * len(crops)
        errors = [str(crop) if isinstance(crop, DivergenError) else None for crop in crops]
        for index, vector, bad in zip(good, vectors, broken, strict=True):
            if bad:
                errors[index] = f"{self.embedder.identity} gave a vector that is zero or not a number"
            else:
                names[index], rows[index] = self.embedder.identity, vector
        return {"embedder": names, "embedding": rows, "error": errors}

    def _crop(self, image: bytes, mask: str) -> Image | DivergenError:
        try:
            picture = read_image(image)
            return crop_instance(picture, decode_counts(mask, *picture.shape[:2]), **self._options)
        except DivergenError as error:
            return error


class ScoreStage:
    """Writes inter-similarity from the stored embeddings; a `divergen_records.Stage`.

    A category with no real crop gets NaN, which is a value (the row is done), not NULL (pending).

    Args:
        references: Real crops' embeddings, of the same embedder.
    """

    name = "score"
    reads = ("embedding", "embedder", "category_id")
    writes = ("inter_similarity",)

    def __init__(self, references: References) -> None:
        self.embedder = references.embedder
        self._sums = CategorySums(references.embeddings, references.category_ids)

    def __call__(self, batch: Batch) -> Batch:
        """Score a batch of embeddings.

        Raises:
            ConfigError: If a row's embedding is another model's.
        """
        other = next((name for name in batch["embedder"] if name != self.embedder), None)
        if other is not None:
            raise ConfigError(
                f"the table's embeddings are of {other}, the references of {self.embedder}: two models' vectors "
                "cannot be compared; embed the real crops again with the table's model, or clear the columns "
                "embedder and embedding and fill them again"
            )
        vectors = np.stack([np.asarray(vector, dtype=np.float32) for vector in batch["embedding"]])
        broken = bad_vectors(vectors)
        category_ids = np.asarray(batch["category_id"], dtype=np.int64)
        similarity = inter_similarity(vectors, category_ids, self._sums)
        return {
            "inter_similarity": [None if bad else float(value) for value, bad in zip(similarity, broken, strict=True)],
            "error": ["the embedding is not of unit length" if bad else None for bad in broken],
        }


class DecideStage:
    """Writes the decision from the scores; a `divergen_records.Stage` that never reads a picture.

    To decide again with other rules, clear ``kept`` and ``reject_reason`` and fill the table again.

    Args:
        rules: What is kept.
        references: Real crops' embeddings; needed where a rule's threshold is calibrated.

    Raises:
        ConfigError: If a rule is calibrated and there are no references.
    """

    name = "decide"
    writes = ("kept", "reject_reason")

    def __init__(self, rules: RulesConfig | None = None, references: References | None = None) -> None:
        self.rules = rules or RulesConfig()
        self.reads = ("category_id", *rule_columns(self.rules))
        self.thresholds: dict[int, float] | None = None
        if references is not None and needs_references(self.rules):
            self.thresholds = calibrate(references, **self.rules.calibration.model_dump()).thresholds()
        decide({name: [] for name in self.reads}, self.rules, thresholds=self.thresholds)

    def __call__(self, batch: Batch) -> Batch:
        """Decide a batch of rows."""
        kept, reasons = decide(batch, self.rules, thresholds=self.thresholds)
        return {"kept": kept.tolist(), "reject_reason": reasons}
