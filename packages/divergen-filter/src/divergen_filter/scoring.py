"""All scores of a table, stage by stage."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from divergen_records import ConfigError, InstanceTable, Shard, Stage, fill

from . import config
from .config import CropConfig
from .embedder import Embedder
from .generated import GENERATED_SCORES
from .references import References, Summary
from .rules import REAL_SCORES
from .stages import BasicsStage, EmbedStage, ScoreStage, TextScoreStage
from .whole_table import score_generated

__all__ = ["OPTIONAL_SCORES", "further_scores", "score_table"]

_SUMMARY_IS_ENOUGH = frozenset(["inter_similarity", "rival_margin"])
_GROUPS = {
    **{score: score for score in REAL_SCORES},
    "clip_score": "clip_score",
    **dict.fromkeys(GENERATED_SCORES, "generated"),
    **dict.fromkeys(BasicsStage.writes, "basics"),
    "generated": "generated",
    "basics": "basics",
}
OPTIONAL_SCORES = tuple(name for name in _GROUPS if name not in ("inter_similarity", "generated", "basics"))
"""Scores that are computed when they are asked for."""


def score_table(
    table: InstanceTable,
    references: Path,
    *,
    embedder: str = "efficientnet-lite0",
    settings: Sequence[str] = (),
    crop: CropConfig | None = None,
    scores: Sequence[str] = (),
    shard: Shard | None = None,
) -> Iterator[str]:
    """Embed the pending rows of a table and write inter-similarity and the further scores; a line for each step.

    Args:
        table: Its rows have masks.
        references: File of real crops' embeddings, of the same embedder.
        embedder: Kind of the embedder.
        settings: Its settings, ``"key=value"``.
        crop: How the instances are cut out.
        scores: Names of further scores; ``"all"`` for all but the CLIP score.
        shard: Part of the rows.

    Raises:
        ConfigError: If there is no such score, or the references are of another model.
    """
    groups = ["inter_similarity", *_groups(scores)]
    crops_needed = any(group in REAL_SCORES and group not in _SUMMARY_IS_ENOUGH for group in groups)
    real = References.load(references) if crops_needed else Summary.load(references)
    model: Embedder | None = None
    if "clip_score" in groups or _has_pending(table):
        model = config.build_embedder(embedder, settings)
        if model.identity != real.embedder:
            raise ConfigError(
                f"{references} is of {real.embedder}, this embedder is {model.identity}: two models' vectors cannot "
                "be compared; embed the real crops with the same model and settings"
            )
        yield _run(table, EmbedStage(model, **(crop or CropConfig()).model_dump()), shard)
    for group in groups:
        try:
            yield _score(table, group, real, model, shard)
        except ConfigError as error:
            if "all" not in scores:
                raise
            yield f"{group}: left out: {error}"


def further_scores(
    table: InstanceTable, scores: Sequence[str], real: References, model: Embedder | None = None
) -> Iterator[str]:
    """Write some of `OPTIONAL_SCORES` where they are pending; a line for each step.

    Args:
        table: Its rows have embeddings.
        scores: Their names.
        real: Real crops' embeddings.
        model: What made the embeddings; needed for the CLIP score.

    Raises:
        ConfigError: If there is no such score, or the CLIP score is asked for without a model.
    """
    groups = _groups(scores)
    if "clip_score" in groups and model is None:
        raise ConfigError("clip_score compares with texts: it needs the model that made the table's embeddings")
    for group in groups:
        yield _score(table, group, real, model, None)


def _score(
    table: InstanceTable, group: str, real: References | Summary, model: Embedder | None, shard: Shard | None
) -> str:
    if group == "generated":
        return f"generated: {score_generated(table)} compared with each other"
    if group == "basics":
        return _run(table, BasicsStage(), shard)
    if group == "clip_score":
        assert model is not None
        return _run(table, TextScoreStage(model), shard, 4096)
    line = _run(table, ScoreStage(real, scores=(group,)), shard, 4096)  # type: ignore[arg-type]  # one of REAL_SCORES
    return line if group == "inter_similarity" else line.replace("score", group, 1)


def _groups(scores: Sequence[str]) -> list[str]:
    """What computes these scores, each once."""
    names = [name for score in scores for name in (OPTIONAL_SCORES if score == "all" else score.split(","))]
    if unknown := [name for name in names if name not in _GROUPS]:
        raise ConfigError(f"there is no score {unknown[0]!r}; there are {', '.join(OPTIONAL_SCORES)}, and 'all'")
    if "all" in scores:
        names = [name for name in names if name != "clip_score"]
    return [group for group in dict.fromkeys(_GROUPS[name] for name in names) if group != "inter_similarity"]


def _has_pending(table: InstanceTable) -> bool:
    return bool(table.count("embedder IS NULL AND error IS NULL AND area_fraction IS NOT NULL"))


def _run(table: InstanceTable, stage: Stage, shard: Shard | None, batch_size: int = 64) -> str:
    report = fill(table, stage, shard=shard, batch_size=batch_size)
    return f"{report.name}: {report.done} done, {report.failed} failed, {report.skipped} not ready"
