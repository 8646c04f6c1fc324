"""Embedding, scoring and deciding as stages of the pipeline over the instance table."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
from divergen_records import Batch, Category, Columns, ConfigError, DivergenError
from divergen_records.cores import usable_cores
from divergen_records.images import read_image
from divergen_records.masks import decode_counts

from .calibration import rule_thresholds
from .columns import EmbedColumns, SimilarityColumns, TextColumns
from .config import CropConfig
from .crops import crop_instance
from .decision import decide, rule_columns
from .embedder import Embedder, Embeddings, Image, TextEmbedder
from .real_scores import ALWAYS, RealScorer, score_columns
from .references import References, Summary
from .rules import RealScore, RulesConfig
from .similarity import bad_vectors

if TYPE_CHECKING:
    from .crops import Fill

__all__ = ["DecideStage", "EmbedStage", "ScoreStage", "TextScoreStage"]

_BROKEN = "the embedding is not of unit length"


class EmbedStage:
    """Embeds the masked instance of each row; a `divergen_records.Stage`.

    Args:
        embedder: Makes the vectors.
        fill: What replaces the background; the papers put black.
        margin: Room on each side of the object's box, pixels.
        min_side: The crop's sides are at least this long where the picture allows, pixels.
        square: Widen the shorter side of the crop to the longer.
        whole: The whole picture instead of the object's box.
        workers: Threads that decode and crop; the number of CPU cores where None.
    """

    name = "embed"
    reads = ("image", "mask")
    writes = ("embedder", "embedding")
    columns = EmbedColumns

    def __init__(
        self,
        embedder: Embedder,
        *,
        fill: Fill = "black",
        margin: int = 0,
        min_side: int = 0,
        square: bool = False,
        whole: bool = False,
        workers: int | None = None,
    ) -> None:
        self.embedder, self.workers = embedder, workers or usable_cores()
        crop = CropConfig(fill=fill, margin=margin, min_side=min_side, square=square, whole=whole)
        self._options: dict[str, Any] = crop.model_dump()

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
    """Writes scores against real crops from the stored embeddings; a `divergen_records.Stage`.

    A category with no real crop gets NaN, which is a value (the row is done), not NULL (pending).

    Args:
        references: Real crops' embeddings, of the same embedder; a `Summary` is enough for ``inter_similarity``,
            ``rival_margin`` and ``rival_share``.
        scores: Which ones. A row is pending while the first is NULL.
    """

    name = "score"
    reads = ("embedding", "embedder", "category_id")
    writes: tuple[str, ...] = ALWAYS
    columns = SimilarityColumns

    def __init__(self, references: References | Summary, *, scores: Sequence[RealScore] = ALWAYS) -> None:
        self.embedder = references.embedder
        self._scorer = RealScorer(references, scores)
        self.writes = score_columns(scores)

    def __call__(self, batch: Batch) -> Batch:
        """Score a batch of embeddings.

        Raises:
            ConfigError: If a row's embedding is another model's.
        """
        _check_model(batch, self.embedder, "the references")
        vectors = _vectors(batch)
        broken = bad_vectors(vectors)
        vectors = np.where(broken[:, None], np.float32(0), vectors) if broken.any() else vectors
        columns = self._scorer(vectors, np.asarray(batch["category_id"], dtype=np.int64))
        return {**columns, "error": [_BROKEN if bad else None for bad in broken]}


class TextScoreStage:
    """Writes the CLIP score, the cosine of the embedding to the category's name; a `divergen_records.Stage`.

    Args:
        embedder: The model that made the table's embeddings; one with texts.
        template: The text, with ``{name}`` for the category; X-Paste's is the default.

    Raises:
        ConfigError: If the embedder has no texts, or the template no ``{name}``.
    """

    name = "text-score"
    reads = ("embedding", "embedder", "category")
    writes = ("clip_score",)
    columns = TextColumns

    def __init__(self, embedder: Embedder, *, template: str = "a photo of a single {name}") -> None:
        if not isinstance(embedder, TextEmbedder):
            raise ConfigError(f"{embedder.identity} has no texts; the CLIP score takes a CLIP model (open-clip)")
        if "{name}" not in template:
            raise ConfigError(f"the template {template!r} has no {{name}}")
        self.embedder, self.template = embedder, template
        self._texts: dict[str, Embeddings] = {}

    def __call__(self, batch: Batch) -> Batch:
        """Score a batch of embeddings.

        Raises:
            ConfigError: If a row's embedding is another model's.
        """
        _check_model(batch, self.embedder.identity, "the texts")
        names = list(batch["category"])
        if new := sorted(set(names) - set(self._texts)):
            texts = [self.template.replace("{name}", Category(id=0, name=name).label) for name in new]
            self._texts.update(zip(new, self.embedder.texts(texts), strict=True))
        vectors = _vectors(batch)
        scores = np.einsum("nd,nd->n", vectors, np.stack([self._texts[name] for name in names]))
        broken = bad_vectors(vectors)
        return {"clip_score": scores, "error": [_BROKEN if bad else None for bad in broken]}


class DecideStage:
    """Writes the decision from the scores; a `divergen_records.Stage` that never reads a picture.

    To decide again with other rules, clear ``kept`` and ``reject_reason`` and fill the table again. Rules that look
    at the other instances of a category need all rows at once: `divergen_filter.decide_table`.

    Args:
        rules: What is kept.
        references: Real crops' embeddings; needed where a rule's threshold is calibrated.

    Raises:
        ConfigError: If a rule is calibrated and there are no references, or one looks at a whole category.
    """

    name = "decide"
    writes = ("kept", "reject_reason")
    columns = Columns

    def __init__(self, rules: RulesConfig | None = None, references: References | None = None) -> None:
        self.rules = rules or RulesConfig()
        if within := next((rule for rule in self.rules.rules if rule.within_category), None):
            raise ConfigError(
                f"the rule {str(within)!r} looks at all instances of a category, a stage only at a batch of them; "
                "use divergen_filter.decide_table, or the command divergen-filter decide"
            )
        self.reads = ("category_id", *rule_columns(self.rules))
        self.thresholds = rule_thresholds(self.rules, references)
        decide({name: [] for name in self.reads}, self.rules, thresholds=self.thresholds)

    def __call__(self, batch: Batch) -> Batch:
        """Decide a batch of rows."""
        kept, reasons = decide(batch, self.rules, thresholds=self.thresholds)
        return {"kept": kept.tolist(), "reject_reason": reasons}


def _check_model(batch: Batch, embedder: str, what: str) -> None:
    other = next((name for name in batch["embedder"] if name != embedder), None)
    if other is not None:
        raise ConfigError(
            f"the table's embeddings are of {other}, {what} of {embedder}: two models' vectors "
            "cannot be compared; embed the real crops again with the table's model, or clear the columns "
            "embedder and embedding and fill them again"
        )


def _vectors(batch: Batch) -> Embeddings:
    column = batch["embedding"]
    if isinstance(column, np.ndarray):
        return np.asarray(column, dtype=np.float32)
    return np.stack([np.asarray(vector, dtype=np.float32) for vector in column])
