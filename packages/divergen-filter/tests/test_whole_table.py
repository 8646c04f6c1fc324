from __future__ import annotations

import signal
import subprocess
import sys

import numpy as np
import pytest
from divergen_filter import EmbedStage, References, ScoreStage, decide_table, score_generated, whole_table
from divergen_filter.columns import EmbedColumns, SimilarityColumns
from divergen_filter.generated import GENERATED_SCORES, compare_generated
from divergen_filter.rules import Rule, RulesConfig
from divergen_records import ConfigError, InstanceRecord, InstanceTable, TableError, fill
from divergen_records.testing import plan_instances


@pytest.fixture
def scored(tmp_path):
    """A table of 60 rows of three categories in two fragments, with embeddings and scores; one row failed."""
    table = InstanceTable.create(tmp_path / "table.lance")
    random = np.random.default_rng(0)
    records: list[InstanceRecord] = []
    for number, record in enumerate(plan_instances(60)):
        vector = random.normal(size=4)
        changes = {
            "image": b"x",
            "width": 8,
            "height": 8,
            "area_fraction": 0.3,
            "embedder": "fake",
            "embedding": tuple(vector / np.linalg.norm(vector)),
            "inter_similarity": number / 60,
        }
        records.append(record.model_copy(update=changes))
    records[7] = records[7].failed("annotate", "no object")
    table.ensure_columns(SimilarityColumns, ["embedder", "inter_similarity"])
    table.ensure_vector(SimilarityColumns, "embedding", 4)
    table.append(records[:40])
    table.append(records[40:])
    return table


def rules(*found):
    return RulesConfig(rules=tuple(Rule(**rule) for rule in found))


def test_decide_table__again_and_again(scored):
    half = rules({"score": "inter_similarity", "op": ">=", "threshold": 0.5})
    report = decide_table(scored, half)
    assert (report.kept, report.rejected, report.not_ready, report.lacking) == (30, 29, 1, {})
    assert scored.count("kept") == 30 and scored.count("reject_reason IS NOT NULL") == 29
    assert scored.count("kept IS NULL") == 1
    best = rules({"score": "inter_similarity", "op": ">=", "threshold": {"best": 4}})
    assert decide_table(scored, best).kept == 12 == scored.count("kept")
    counts = scored.group_counts(["category"], "kept")
    assert [row["count"] for row in counts] == [4, 4, 4]


def test_decide_table__writes_only_fragments_that_change(scored, monkeypatch):
    written = []
    update = InstanceTable.update
    monkeypatch.setattr(
        InstanceTable, "update", lambda table, parts: (written.append(list(parts)), update(table, parts))
    )
    half = rules({"score": "inter_similarity", "op": ">=", "threshold": 0.5})
    for _ in range(2):
        assert decide_table(scored, half).kept == 30
    decide_table(scored, rules({"score": "inter_similarity", "op": ">=", "threshold": 0.9}))
    first = scored.select(["id"]).to_pydict()["id"][0]
    scored.clear(["reject_reason"], f"id = '{first}'")
    decide_table(scored, rules({"score": "inter_similarity", "op": ">=", "threshold": 0.9}))
    assert written == [[0, 1], [0, 1], [0]]
    assert scored.count("kept") == 6 and scored.count("reject_reason IS NULL AND NOT kept") == 0


def test_decide_table__a_lacking_score_is_no_decision(scored):
    report = decide_table(scored, rules({"score": "sharpness", "op": ">=", "threshold": 0.1}))
    assert (report.kept, report.rejected, report.not_ready) == (0, 0, 60)
    assert report.lacking == {"sharpness": 59}
    assert scored.count("kept IS NOT NULL") == 0


def test_decide_table__calibrated_needs_references(scored):
    with pytest.raises(ConfigError, match="references"):
        decide_table(scored, rules({"score": "inter_similarity", "op": ">=", "threshold": "calibrated"}))


def test_score_generated__equals_all_pairs_of_the_category(scored):
    assert score_generated(scored, progress=False) == 59
    rows = [row for row in scored.records("error IS NULL") if row.category == "cup"]
    rows.sort(key=lambda row: row.id)
    vectors = np.array([row.embedding for row in rows])
    pairs = vectors @ vectors.T
    for index, row in enumerate(rows):
        others = np.delete(pairs[index], index)
        assert row.intra_similarity == pytest.approx(others.mean(), abs=1e-6)
        assert row.nearest_generated == pytest.approx(others.max(), abs=1e-6)
        assert row.duplicate_similarity == pytest.approx(max(pairs[index, :index], default=-1), abs=1e-6)
    assert score_generated(scored, progress=False) == 0


def test_score_generated__a_new_row_renews_its_category(scored):
    score_generated(scored, progress=False)
    new = list(plan_instances(61))[60]
    old = next(row for row in scored.records(f"category = '{new.category}' AND error IS NULL"))
    changes = {"image": b"x", "width": 8, "height": 8, "embedder": "fake", "embedding": old.embedding}
    scored.append([new.model_copy(update=changes)])
    assert score_generated(scored, progress=False) == 20 + (new.category != "bow_(weapon)")
    assert scored.count("nearest_generated > 0.9999") == 2
    assert scored.count("duplicate_similarity > 0.9999") == 1


def test_score_generated__goes_on_after_a_kill(scored):
    killed = """if True:
        import os, signal, sys
        from divergen_filter import whole_table
        from divergen_records import InstanceTable

        compare, seen = whole_table.compare_generated, []
        def third_kills(vectors):
            seen.append(len(vectors))
            return compare(vectors) if len(seen) < 3 else os.kill(os.getpid(), signal.SIGKILL)

        whole_table.compare_generated, whole_table._COMMIT_SECONDS = third_kills, 0
        whole_table.score_generated(InstanceTable.open(sys.argv[1]), progress=False)
    """
    run = subprocess.run([sys.executable, "-c", killed, str(scored.path)], check=False)
    assert run.returncode == -signal.SIGKILL
    done = scored.group_counts(["category"], "intra_similarity IS NOT NULL")
    assert len(done) == 2
    assert score_generated(scored, progress=False) == 59 - sum(row["count"] for row in done)
    resumed = scored.select(["id", *GENERATED_SCORES]).to_pydict()
    assert score_generated(scored, again=True, progress=False) == 59
    assert scored.select(["id", *GENERATED_SCORES]).to_pydict() == resumed


def test_score_generated__keeps_what_is_finished_when_something_is_raised(scored, monkeypatch):
    calls = iter([compare_generated, compare_generated])
    monkeypatch.setattr(whole_table, "compare_generated", lambda vectors: next(calls)(vectors))
    with pytest.raises(StopIteration):
        score_generated(scored, progress=False)
    assert len(scored.group_counts(["category"], "intra_similarity IS NOT NULL")) == 2


def test_score_generated__two_models(scored):
    new = list(plan_instances(61))[60]
    changes = {"image": b"x", "width": 8, "height": 8, "embedder": "other", "embedding": (1.0, 0.0, 0.0, 0.0)}
    scored.append([new.model_copy(update=changes)])
    with pytest.raises(TableError, match="two models"):
        score_generated(scored, progress=False)


def test_score_generated__nothing_embedded_and_broken_vectors(table, embedder):
    assert score_generated(table, progress=False) == 0
    fill(table, EmbedStage(embedder), progress=False)
    first = next(table.records())
    table.clear(["embedder", "embedding"], f"id = '{first.id}'")

    class Broken:
        identity, dim = embedder.identity, embedder.dim
        name, reads, writes = "embed", ("image", "mask"), ("embedder", "embedding")
        columns = EmbedColumns

        def __call__(self, batch):
            return {"embedder": [self.identity], "embedding": np.zeros((1, self.dim), dtype=np.float32)}

    fill(table, Broken(), progress=False)
    score_generated(table, progress=False)
    assert table.count("nearest_generated IS NULL") == 1


def test_score_stage__does_not_depend_on_shards(scored):
    from divergen_records import Shard

    vectors = np.eye(4, dtype=np.float32)
    references = References("fake", vectors, np.array([1, 2, 3, 3]), np.arange(4))
    stage = ScoreStage(references, scores=("max_similarity", "inter_similarity"))
    scored.clear(["inter_similarity"])
    for index in range(3):
        fill(scored, stage, shard=Shard(index, 3), batch_size=7, progress=False)
    for row in scored.records("error IS NULL"):
        real = vectors[references.category_ids == row.category_id]
        assert row.inter_similarity == pytest.approx((real @ row.embedding).mean(), abs=1e-6)
        assert row.max_similarity == pytest.approx((real @ row.embedding).max(), abs=1e-6)


def test_decision_report__counts_by_rule_and_doubts_a_similarity_that_rejects_most(scored):
    strict = decide_table(scored, rules({"score": "inter_similarity", "op": ">=", "threshold": 2.0}))
    assert strict.failed == {"inter_similarity": strict.rejected}
    idle, nothing, first, note = strict.lines()
    assert "treats all alike" in idle
    assert "nothing is kept" in nothing
    assert first == f"rejected by inter_similarity: {strict.rejected:,}"
    assert "inter_similarity rejects 100%" in note
    assert "rival_share" in note
    mild = decide_table(scored, rules({"score": "inter_similarity", "op": ">=", "threshold": -1.0}))
    assert (mild.failed, mild.lines()) == ({}, [])


def test_decision_report__says_what_has_nothing_to_be_compared_with(scored):
    references = References("fake", np.eye(4, dtype=np.float32)[:2], np.array([1, 2]), np.arange(2))
    fill(scored, ScoreStage(references), progress=False)
    alone = scored.count("error IS NULL AND category_id = 3")
    report = decide_table(scored, rules({"score": "rival_share", "op": "<=", "threshold": 0.2}))
    assert report.unknown == {"rival_share": alone} and alone > 10
    assert report.lines()[0].startswith(f"note: {alone} have no rival_share: the references lack real crops")
