"""The records that all stages share: a category, a prompt, an instance.

`InstanceRecord` *is* the row of the instance table; `divergen_records.schema` derives the Arrow schema from it.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["SCHEMA_VERSION", "Arrow", "Category", "Config", "Frequency", "InstanceRecord", "PromptRecord"]

SCHEMA_VERSION = 2
"""Version of `InstanceRecord`. It grows when a column is added or changes its meaning."""

Frequency = Literal["r", "c", "f"]
"""LVIS frequency group by training images: rare 1-10, common 11-100, frequent above 100."""


class Config(BaseModel):
    """Base of every configuration: frozen, and a key that nobody reads is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Record(BaseModel):
    """Base of every record: frozen; unknown keys are an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_bytes="base64", val_json_bytes="base64")


class Arrow:
    """The Arrow type of a column where the Python type alone does not say it (``Annotated[int, Arrow("int32")]``)."""

    def __init__(self, name: str) -> None:
        self.name = name


Int32 = Annotated[int, Arrow("int32")]
Float32 = Annotated[float, Arrow("float32")]


class Category(Record):
    """A category, in the terms of the LVIS v1 format.

    Attributes:
        id: Category id in the dataset.
        name: Name as in the dataset, for example ``"sports_ball"``.
        synonyms: Other names, the first is the preferred one.
        synset: WordNet synset, for example ``"ball.n.01"``.
        definition: What the word means (``def`` in LVIS files); tells a bow from a bow.
        frequency: Group by number of training images.
        image_count: Training images that show it.
        instance_count: Training instances.
    """

    id: int
    name: str = Field(min_length=1)
    synonyms: tuple[str, ...] = ()
    synset: str | None = None
    definition: str | None = None
    frequency: Frequency | None = None
    image_count: int | None = None
    instance_count: int | None = None

    @property
    def label(self) -> str:
        """The name as a person writes it: ``"sports ball"``, ``"bow"`` for ``"bow_(weapon)"``."""
        return self.name.split("_(")[0].replace("_", " ").strip()


class PromptRecord(Record):
    """A prompt with where it came from; one JSON line of a prompts file.

    Attributes:
        text: What the text-to-image model is asked for.
        category_id: Category id in the dataset.
        category: Category name in the dataset.
        source: How it was made: ``"template"``, ``"grammar"``, ``"llm"``, or another tool's name.
        model: The template's name, the grammar's version or the language model.
        attributes: What the prompt asks for, for example ``{"colour": "red", "view": "from above"}``.
        request_hash: Hash of the request to the language model.
        tokens: Length in tokens of the target text encoder, where counted.
        created: ISO 8601 time, where known; left out by the deterministic sources.
    """

    text: str = Field(min_length=1)
    category_id: int
    category: str = Field(min_length=1)
    source: str
    model: str | None = None
    attributes: dict[str, str] = Field(default_factory=dict)
    request_hash: str | None = None
    tokens: int | None = None
    created: str | None = None


class InstanceRecord(Record):
    """One generated instance: the row of the instance table. Columns are filled stage by stage; None is pending.

    Frames: pixels of the generated picture, origin at the top left, x to the right, y down.

    Attributes:
        id: Content hash of (category, prompt, generator and its revision, seed); see `divergen_records.instance_id`.
        category_id: Category id in the dataset.
        category: Category name.
        frequency: The category's frequency group.
        prompt: What was asked for.
        prompt_source: `PromptRecord.source`.
        generator: Name of the generator in the configuration.
        generator_revision: Its revision and settings, as a short text that changes when its pictures would.
        seed: Seed of this picture, 0 <= seed < 2**63.
        image: The encoded picture.
        image_format: ``"jpeg"``, ``"png"`` or ``"webp"``.
        width: Pixels.
        height: Pixels.
        alpha: True alpha where the generator knows it: PNG, 8-bit grey, (height, width).
        mask: COCO compressed RLE counts of the object; its size is [height, width].
        bbox: XYWH, pixels, tight around the mask.
        area_fraction: Mask pixels / picture pixels.
        annotator: Name of the annotator that made the mask.
        mask_score: The annotator's own confidence, 0 to 1.
        components: Connected components of the mask (8-connected).
        border_contact: Share of the picture's border pixels that the mask touches, 0 to 1.
        solidity: Mask pixels / pixels of its convex hull.
        thin_share: Share of the mask's pixels in structures too thin to survive an opening, 0 to 1.
        embedding: Image embedding of the masked instance, unit length.
        embedder: Identity of the model that made it (name, weights hash, preprocessing).
        inter_similarity: Mean cosine to the embeddings of all real crops of the category (DiverGen, section 3.4).
        clip_score: Text-image cosine.
        kept: The decision.
        reject_reason: Why not; None for kept rows.
        max_similarity: Largest cosine to a real crop of the category; NaN where it has none, as in all scores that
            compare with real crops.
        top_similarity: Mean of the five largest cosines to real crops of the category, of all where it has fewer.
        similarity_percentile: Share of the category's real crops that are less similar to the rest of them than this
            instance is to all, 0 to 1.
        rival_category_id: The other category whose real crops are the most similar by mean cosine.
        rival_margin: Inter-similarity less the mean cosine to that category; negative where it looks more like it.
        mahalanobis: Distance to the category's mean real crop in the spread within categories, 1 for a typical crop.
        intra_similarity: Mean cosine to the other generated instances of the category; NaN for a single one.
        nearest_generated: Largest cosine to another generated instance of the category; -1 for a single one.
        duplicate_similarity: The same, to those with a smaller id only: of near-duplicates, all but one are high.
        sharpness: 0 for a flat blur to 1; see `divergen_filter.basics`.
        saturation: Mean saturation of the object's pixels, 0 to 1.
        contrast: Standard deviation of the object's luminance, 0 to 0.5; 0 is blank.
        judged: How often a training judged this instance (BSGAL).
        acceptance: Share of these in which it was learned from, 0 to 1.
        contribution: Mean estimated contribution to the loss on real data; above 0 helps.
        error_stage: The stage that failed on this row.
        error: Why it failed.
    """

    SCHEMA_VERSION: ClassVar[int] = SCHEMA_VERSION

    id: str
    category_id: int
    category: str
    frequency: Frequency | None = None
    prompt: str
    prompt_source: str | None = None
    generator: str
    generator_revision: str
    seed: int = Field(ge=0, lt=2**63)

    image: bytes | None = Field(default=None, repr=False)
    image_format: Literal["jpeg", "png", "webp"] | None = None
    width: Int32 | None = None
    height: Int32 | None = None
    alpha: bytes | None = Field(default=None, repr=False)

    mask: str | None = Field(default=None, repr=False)
    bbox: Annotated[tuple[float, float, float, float], Arrow("fixed_size_list<float>[4]")] | None = None
    area_fraction: Float32 | None = None
    annotator: str | None = None
    mask_score: Float32 | None = None
    components: Int32 | None = None
    border_contact: Float32 | None = None
    solidity: Float32 | None = None
    thin_share: Float32 | None = None

    embedding: Annotated[tuple[float, ...], Arrow("vector")] | None = Field(default=None, repr=False)
    embedder: str | None = None
    inter_similarity: Float32 | None = None
    clip_score: Float32 | None = None
    kept: bool | None = None
    reject_reason: str | None = None
    max_similarity: Float32 | None = None
    top_similarity: Float32 | None = None
    similarity_percentile: Float32 | None = None
    rival_category_id: int | None = None
    rival_margin: Float32 | None = None
    mahalanobis: Float32 | None = None
    intra_similarity: Float32 | None = None
    nearest_generated: Float32 | None = None
    duplicate_similarity: Float32 | None = None
    sharpness: Float32 | None = None
    saturation: Float32 | None = None
    contrast: Float32 | None = None

    judged: Int32 | None = None
    acceptance: Float32 | None = None
    contribution: Float32 | None = None

    error_stage: str | None = None
    error: str | None = None

    def failed(self, stage: str, reason: str) -> Self:
        """This record with the row error of ``stage``."""
        return self.model_copy(update={"error_stage": stage, "error": reason})
