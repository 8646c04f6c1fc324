"""The columns that the filter adds to an instance table: embeddings and scores. What each holds stands below it."""

from __future__ import annotations

from typing import Annotated

from divergen_records import Columns, Float32, Int32
from divergen_records.columns import Arrow

__all__ = [
    "BasicsColumns",
    "EmbedColumns",
    "FolderColumns",
    "GeneratedColumns",
    "ReviewColumns",
    "SimilarityColumns",
    "TextColumns",
    "VlmColumns",
]


class EmbedColumns(Columns):
    """What `EmbedStage` writes, and every score of embeddings reads."""

    embedder: str | None = None
    """Identity of the model that made the embedding (name, weights hash, preprocessing)."""
    embedding: Annotated[tuple[float, ...], Arrow("vector", marker="embedder")] | None = None
    """Image embedding of the masked instance, unit length."""


class SimilarityColumns(EmbedColumns):
    """Scores against the category's real crops; NaN where it has none."""

    inter_similarity: Float32 | None = None
    """Mean cosine to the embeddings of all real crops of the category (DiverGen, section 3.4)."""
    max_similarity: Float32 | None = None
    """Largest cosine to a real crop of the category."""
    top_similarity: Float32 | None = None
    """Mean of the five largest cosines to real crops of the category, of all where it has fewer."""
    similarity_percentile: Float32 | None = None
    """Share of the category's real crops that are less similar to the rest of them than this instance is to all."""
    rival_category_id: int | None = None
    """The other category whose real crops are the most similar by mean cosine."""
    rival_margin: Float32 | None = None
    """Inter-similarity less the mean cosine to the rival category; negative where it looks more like that."""
    rival_share: Float32 | None = None
    """Share of the other categories whose real crops are more similar, by mean cosine, than the own one's."""
    mahalanobis: Float32 | None = None
    """Distance to the category's mean real crop in the spread within categories, 1 for a typical crop."""


class TextColumns(EmbedColumns):
    """What `TextScoreStage` writes."""

    clip_score: Float32 | None = None
    """Text-image cosine."""


class GeneratedColumns(Columns):
    """How alike the generated instances of a category are."""

    intra_similarity: Float32 | None = None
    """Mean cosine to the other generated instances of the category; NaN for a single one."""
    nearest_generated: Float32 | None = None
    """Largest cosine to another generated instance of the category; -1 for a single one."""
    duplicate_similarity: Float32 | None = None
    """The same, to those with a smaller id only: of near-duplicates, all but one are high."""


class BasicsColumns(Columns):
    """What a picture tells without any model; see `divergen_filter.basics`."""

    sharpness: Float32 | None = None
    """0 for a flat blur to 1."""
    saturation: Float32 | None = None
    """Mean saturation of the object's pixels, 0 to 1."""
    contrast: Float32 | None = None
    """Standard deviation of the object's luminance, 0 to 0.5; 0 is blank."""


class FolderColumns(Columns):
    """What `filter_folder` measures of the masks of plain pictures, under the names of divergen-annotate."""

    components: Int32 | None = None
    """Connected components of the mask (8-connected)."""
    border_contact: Float32 | None = None
    """Share of the picture's border pixels that the mask touches, 0 to 1."""


class ReviewColumns(Columns):
    """What a person said of an instance, and what the rules alone say of the same one."""

    review: str | None = None
    """A person's verdict: ``keep``, ``reject``, ``mask`` (the mask is wrong) or ``category`` (it is another one)."""
    review_category: str | None = None
    """Name of the category that the reviewer saw, where it is another one."""
    reviewer: str | None = None
    """Who said it."""
    reviewed_at: str | None = None
    """When: ISO 8601, UTC."""
    rule_kept: bool | None = None
    """What the rules alone decide about a reviewed instance; NULL where they lack a score of it."""


class VlmColumns(Columns):
    """What a vision model says of the cut-out: 1 for yes, 0 for no, NaN where it gave no answer."""

    vlm_whole: Float32 | None = None
    """Is it one whole object?"""
    vlm_category: Float32 | None = None
    """Is it of its category?"""
    vlm_uncut: Float32 | None = None
    """Is no part of it cut off?"""
    vlm_clean: Float32 | None = None
    """Is it free of text and watermarks?"""
