"""All scores of a table, stage by stage."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from divergen_records import ConfigError, InstanceTable, Shard, Stage, fill

from . import config
from .columns import BasicsColumns, EmbedColumns
from .config import CropConfig
from .embedder import Embedder
from .generated import GENERATED_SCORES
from .known import score_kinds, scores_for
from .real_scores import ALWAYS
from .references import References, Summary
from .rules import REAL_SCORES
from .stages import EmbedStage, ScoreStage, TextScoreStage
from .whole_table import score_generated

__all__ = ["OPTIONAL_SCORES", "TABLE_SCORES", "further_scores", "score_table"]

_SUMMARY_IS_ENOUGH = frozenset([*ALWAYS, "rival_margin"])
_GROUPS = {
    **{score: score for score in REAL_SCORES},
    "clip_score": "clip_score",
    **dict.fromkeys(GENERATED_SCORES, "generated"),
    "generated": "generated",
}
"""Scores that take more than their row, and what computes each."""

TABLE_SCORES = tuple(name for name in _GROUPS if name not in ("inter_similarity", "generated"))
"""Columns of those that are computed when they are asked for."""

OPTIONAL_SCORES = (*TABLE_SCORES, *BasicsColumns.model_fields)
"""Columns that this package computes when they are asked for; installed packages add more (`score_kinds`)."""

_NOTHING = ": 0 done, 0 failed, 0 not ready"
"""The end of the line of a step that no row waited for."""


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
    """Embed the pending rows of a table, write what the default rules take, and further scores; a line for each step.

    Args:
        table: Its rows have masks.
        references: File of real crops' embeddings, of the same embedder.
        embedder: Kind of the embedder.
        settings: Its settings, ``"key=value"``.
        crop: How the instances are cut out.
        scores: Names of further scores, columns or kinds; ``"all"`` for all of `OPTIONAL_SCORES` but the CLIP score.
        shard: Part of the rows.

    Raises:
        ConfigError: If there is no such score, or the references are of another model.
    """
    groups, others = _groups(scores)
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
    yield _run(table, ScoreStage(real), shard, 4096)
    for group in (group for group in groups if group not in ALWAYS):
        try:
            yield _score(table, group, real, model, shard)
        except ConfigError as error:
            if "all" not in scores:
                raise
            yield f"{group}: left out: {error}"
    for other in others:
        yield _run(table, other.build(), shard)


def further_scores(
    table: InstanceTable, scores: Sequence[str], real: References, model: Embedder | None = None
) -> Iterator[str]:
    """Write some of `OPTIONAL_SCORES`, or of installed packages' scores, where they are pending.

    Yields a line for each step that had rows to score.

    Args:
        table: Its rows have embeddings.
        scores: Their names.
        real: Real crops' embeddings.
        model: What made the embeddings; needed for the CLIP score.

    Raises:
        ConfigError: If there is no such score, or the CLIP score is asked for without a model.
    """
    groups, others = _groups(scores)
    if "clip_score" in groups and model is None:
        raise ConfigError("clip_score compares with texts: it needs the model that made the table's embeddings")
    lines = chain(
        (_score(table, group, real, model, None) for group in groups),
        (_run(table, other.build(), None) for other in others),
    )
    yield from (line for line in lines if not line.endswith(_NOTHING))


def _score(
    table: InstanceTable, group: str, real: References | Summary, model: Embedder | None, shard: Shard | None
) -> str:
    if group == "generated":
        return f"generated: {score_generated(table)} compared with each other"
    if group == "clip_score":
        assert model is not None
        return _run(table, TextScoreStage(model), shard, 4096)
    line = _run(table, ScoreStage(real, scores=(group,)), shard, 4096)  # type: ignore[arg-type]  # one of REAL_SCORES
    return line.replace("score", group, 1)


def _groups(scores: Sequence[str]) -> tuple[list[str], list[Any]]:
    """What computes these scores, each once: this package's own groups, and configurations of the others."""
    names = [name for score in scores for name in (OPTIONAL_SCORES if score == "all" else score.split(","))]
    kinds = score_kinds()
    others = {*kinds, *(name for kind in kinds.values() for name in kind.columns.model_fields)}  # type: ignore[attr-defined]
    if unknown := [name for name in names if name not in _GROUPS and name not in others]:
        known = ", ".join(dict.fromkeys([*OPTIONAL_SCORES, *kinds]))
        raise ConfigError(f"there is no score {unknown[0]!r}; there are {known}, and 'all'")
    if "all" in scores:
        names = [name for name in names if name != "clip_score"]
    groups = dict.fromkeys(_GROUPS[name] for name in names if name in _GROUPS)
    return [group for group in groups if group != "inter_similarity"], scores_for(names)


def _has_pending(table: InstanceTable) -> bool:
    table.ensure_columns(EmbedColumns)
    return bool(table.count("embedder IS NULL AND error IS NULL AND area_fraction IS NOT NULL"))


def _run(table: InstanceTable, stage: Stage, shard: Shard | None, batch_size: int = 64) -> str:
    report = fill(table, stage, shard=shard, batch_size=batch_size)
    return f"{report.name}: {report.done} done, {report.failed} failed, {report.skipped} not ready"
