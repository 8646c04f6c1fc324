from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from divergen_filter import decide_table
from divergen_filter.cli import main
from divergen_filter.review.agreement import agreement
from divergen_filter.review.thresholds import propose_rules
from divergen_filter.review.verdicts import Verdict, VerdictLog, log_path
from divergen_filter.rules import RulesConfig, read_rules
from divergen_records import ConfigError


def review_by_score(table, limit):
    """A person who keeps what is above a limit."""
    rows = table.select(["id", "inter_similarity"]).to_pylist()
    said = [(row["id"], "keep" if row["inter_similarity"] >= limit else "mask") for row in rows]
    VerdictLog(log_path(table.path)).append([Verdict(key, review, "anna") for key, review in said])


def test_propose_rules__finds_the_threshold_of_the_person(reviewed, rules):
    review_by_score(reviewed, 0.3)
    found = propose_rules(reviewed, rules)
    (rule,) = found.rules.rules
    assert (rule.score, rule.op) == ("inter_similarity", ">=") and 0.28 < rule.threshold < 0.3
    assert (found.good, found.bad) == (42, 18)
    assert (found.before.recall, found.before.good_kept) == (1.0, pytest.approx(30 / 42))
    assert found.after.good_kept > 0.9 and found.after.recall > 0.8


def test_propose_rules__a_threshold_lies_between_scores_that_are_close(table_maker, rules, tmp_path):
    scores = [0.9999 + number * 1e-6 for number in range(60)]
    table = table_maker(tmp_path / "close.lance", inter_similarity=scores)
    review_by_score(table, scores[20])
    found = propose_rules(table, rules)
    assert found.after.good_kept > 0.9 and found.after.recall > 0.8
    assert decide_table(table, found.rules.model_copy(update={"reviews": "ignore"})).kept == found.good == 40


@pytest.mark.parametrize(("score", "kept"), [("vlm_whole", 20), ("inter_similarity", 40)])
def test_propose_rules__what_is_not_a_number_fails_as_in_the_decision(table_maker, tmp_path, score, kept):
    scores = [(0.0, 1.0, float("nan"))[number % 3] for number in range(60)]
    table = table_maker(tmp_path / "nan.lance", **{"inter_similarity": [1.0] * 60, score: scores})
    rows = table.select(["id", score]).to_pylist()
    said = [Verdict(row["id"], "mask" if row[score] == 0 else "keep", "anna") for row in rows]
    VerdictLog(log_path(table.path)).append(said)
    found = propose_rules(table, RulesConfig(rules=(), reviews="ignore"))
    assert [rule.score for rule in found.rules.rules] == [score]
    assert (found.after.good_kept, found.after.recall) == (kept / 40, 1.0)
    assert decide_table(table, found.rules).kept == kept


def test_propose_rules__too_few_verdicts(reviewed, rules):
    with pytest.raises(ConfigError, match="has no reviews"):
        propose_rules(reviewed, rules)
    review_by_score(reviewed, 0.1)
    with pytest.raises(ConfigError, match="keep 54 reviewed instances and reject 6; thresholds from them take"):
        propose_rules(reviewed, rules)


def test_propose_rules__scores_that_nothing_has_written(reviewed):
    review_by_score(reviewed, 0.3)
    with pytest.raises(ConfigError, match="has no rival_share, which the rules look at: divergen-filter score"):
        propose_rules(reviewed, RulesConfig())


def test_agreement__of_people_and_rules(reviewed, rules):
    assert agreement(reviewed) is None
    review_by_score(reviewed, 0.3)
    decide_table(reviewed, rules)
    found = agreement(reviewed)
    assert (found.both_kept, found.both_rejected, found.rescued, found.spoilt) == (30, 18, 12, 0)
    assert (found.agreed, found.reviewed, found.reviewers) == (48, 60, {"anna": 60})


def test_cli__calibrate_from_review_writes_rules_that_decide(reviewed, rules, tmp_path):
    review_by_score(reviewed, 0.3)
    given, out = tmp_path / "given.json", tmp_path / "rules.json"
    given.write_text(rules.model_dump_json())
    line = ["calibrate", str(reviewed.path), "--from", "review", "--rules", str(given), "--out", str(out)]
    done = CliRunner().invoke(main, line)
    assert done.exit_code == 0 and "60 reviewed: 42 good, 18 bad" in done.output
    assert json.loads(out.read_text())["rules"][0]["score"] == "inter_similarity"
    assert decide_table(reviewed, read_rules(out).model_copy(update={"reviews": "ignore"})).kept == 42
    for wrong in (["calibrate", "--from", "review"], ["calibrate"]):
        assert CliRunner().invoke(main, wrong).exit_code == 2
