from __future__ import annotations

import numpy as np
import pytest
from divergen_filter import (
    BasicsStage,
    DecideStage,
    EmbedStage,
    References,
    ScoreStage,
    TextScoreStage,
    reference_embeddings,
)
from divergen_filter.config import Rule, RulesConfig
from divergen_filter.rules import REAL_SCORES
from divergen_filter.testing import ColourEmbedder
from divergen_records import ConfigError, fill
from divergen_records.stage import Stage


def run(table, *stages):
    return [fill(table, stage, progress=False) for stage in stages]


def test_stages__embed_score_decide(table, dataset, embedder):
    references = reference_embeddings(dataset, embedder, fill="black", progress=False)
    stages = EmbedStage(embedder), ScoreStage(references), DecideStage(references=references)
    assert all(isinstance(stage, Stage) for stage in stages)
    assert [(report.done, report.failed) for report in run(table, *stages)] == [(5, 0)] * 3
    rows = {row.prompt: row for row in table.records()}
    assert [rows[key].kept for key in "01234"] == [True, True, True, False, True]
    assert rows["3"].reject_reason.startswith("rival_share 0.5")
    assert rows["0"].embedder == embedder.identity
    assert np.isnan(rows["4"].inter_similarity) and np.isnan(rows["4"].rival_share)


def test_decide_stage__again_with_other_rules(table, dataset, embedder):
    references = reference_embeddings(dataset, embedder, fill="black", progress=False)
    run(table, EmbedStage(embedder), ScoreStage(references), DecideStage(references=references))
    none = RulesConfig(rules=(Rule(score="area_fraction", op=">", threshold=0.9),))
    stage = DecideStage(none)
    assert "image" not in stage.reads and "embedding" not in stage.reads
    table.clear(stage.writes)
    run(table, stage)
    assert table.count("kept") == 0 and table.count("NOT kept") == 5


def test_embed_stage__bad_mask_is_a_row_error(table, embedder):
    row = next(table.records())
    result = EmbedStage(embedder)({"image": [row.image, b"", row.image], "mask": ["11", row.mask, row.mask]})
    assert "does not fit" in result["error"][0]
    assert "empty" in result["error"][1]
    assert result["error"][2] is None and result["embedder"] == [None, None, embedder.identity]


def test_embed_stage__broken_vector_is_a_row_error(table):
    class Broken:
        identity, dim = "broken", 4

        def __call__(self, crops):
            return np.full((len(crops), 4), np.nan, dtype=np.float32)

    assert [(report.done, report.failed) for report in run(table, EmbedStage(Broken()))] == [(0, 5)]


def test_score_stage__another_model_is_refused(references):
    batch = {"embedding": references.embeddings[:1], "embedder": ["other/1"], "category_id": [1]}
    with pytest.raises(ConfigError, match=r"other/1.*fake"):
        ScoreStage(references)(batch)


def test_score_stage__vector_not_of_unit_length(references):
    vectors = references.embeddings[:2] * np.array([[1], [0.5]], dtype=np.float32)
    result = ScoreStage(references)({"embedding": vectors, "embedder": ["fake"] * 2, "category_id": [1, 1]})
    assert result["error"] == [None, "the embedding is not of unit length"]


def test_decide_stage__rules_of_a_whole_category():
    rules = RulesConfig(rules=(Rule(score="clip_score", op=">=", threshold={"best": 3}),))
    with pytest.raises(ConfigError, match="decide_table"):
        DecideStage(rules)


def test_embed_stage__whole_picture(table, embedder):
    row = next(table.records())
    batch = {"image": [row.image], "mask": [row.mask]}
    box, whole = (EmbedStage(embedder, fill="original", whole=whole)(batch)["embedding"][0] for whole in (False, True))
    assert box @ whole < 0.9


def test_score_stage__vector_that_is_not_a_number(references):
    vectors = references.embeddings[:2].copy()
    vectors[0] = np.nan
    stage = ScoreStage(references, scores=REAL_SCORES)
    result = stage({"embedding": vectors, "embedder": ["fake"] * 2, "category_id": [1, 1]})
    assert result["error"] == ["the embedding is not of unit length", None]
    assert np.isfinite(result["max_similarity"][1])


class Texts(ColourEmbedder):
    def texts(self, texts):
        self.asked = list(texts)
        return np.eye(self.dim, dtype=np.float32)[: len(texts)]


def test_text_score_stage__cosine_to_the_category_s_text():
    embedder = Texts()
    stage = TextScoreStage(embedder)
    vectors = np.eye(embedder.dim, dtype=np.float32)[[0, 0, 1]]
    batch = {"embedding": vectors, "embedder": [embedder.identity] * 3, "category": ["bow_(weapon)", "cup", "cup"]}
    assert stage(batch)["clip_score"].tolist() == [1, 0, 1]
    assert embedder.asked == ["a photo of a single bow", "a photo of a single cup"]
    with pytest.raises(ConfigError, match="two models"):
        stage({**batch, "embedder": ["other"] * 3})


def test_text_score_stage__needs_texts(embedder):
    with pytest.raises(ConfigError, match="has no texts"):
        TextScoreStage(embedder)
    with pytest.raises(ConfigError, match=r"no \{name\}"):
        TextScoreStage(Texts(), template="a cup")


def test_basics_stage__fills_its_columns(table):
    assert [(report.done, report.failed) for report in run(table, BasicsStage())] == [(5, 0)]
    row = next(table.records())
    assert row.contrast == 0 and row.saturation > 0.5
    bad = BasicsStage()({"id": ["x"], "image": [b"no picture"], "mask": [row.mask]})
    assert bad["sharpness"] == [None] and bad["error"][0]


def test_decide_stage__needs_references_for_calibrated_rules():
    rules = RulesConfig(rules=(Rule(score="inter_similarity", op=">=", threshold="calibrated"),))
    with pytest.raises(ConfigError, match="references"):
        DecideStage(rules)


def test_references__constructor_checks_shapes(references):
    with pytest.raises(ValueError, match="N embeddings"):
        References("fake", references.embeddings, references.category_ids[:3], references.annotation_ids)
