from __future__ import annotations

import pytest
from divergen_filter import EmbedStage, ScoreStage, reference_embeddings
from divergen_filter.scoring import further_scores
from divergen_records import ConfigError, fill


def test_further_scores__writes_what_is_asked_for_where_it_is_pending(table, dataset, embedder):
    real = reference_embeddings(dataset, embedder, progress=False)
    for stage in (EmbedStage(embedder), ScoreStage(real)):
        fill(table, stage, progress=False)
    asked = ("rival_margin", "nearest_generated", "duplicate_similarity", "saturation")
    lines = list(further_scores(table, asked, real))
    assert lines == [
        "rival_margin: 5 done, 0 failed, 0 not ready",
        "generated: 5 compared with each other",
        "basics: 5 done, 0 failed, 0 not ready",
    ]
    assert "max_similarity" not in table.columns
    rows = {row.prompt: row for row in table.records()}
    assert rows["0"].rival_margin > 0 > rows["3"].rival_margin and rows["3"].rival_category_id == 2
    assert all(row.saturation > 0.5 and row.intra_similarity is not None for row in rows.values())
    assert list(further_scores(table, ("rival_margin", "sharpness"), real)) == []


def test_further_scores__refuses_before_it_writes(table, dataset, embedder):
    real = reference_embeddings(dataset, embedder, progress=False)
    with pytest.raises(ConfigError, match="no score 'beauty'"):
        list(further_scores(table, ("sharpness", "beauty"), real))
    with pytest.raises(ConfigError, match="clip_score"):
        list(further_scores(table, ("sharpness", "clip_score"), real))
    assert "sharpness" not in table.columns
