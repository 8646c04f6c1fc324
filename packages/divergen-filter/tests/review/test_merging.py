from __future__ import annotations

import pytest
from divergen_filter import decide_table
from divergen_filter.review.merging import merge_reviews
from divergen_filter.review.verdicts import Verdict, VerdictLog, log_path

TIME = "2026-01-01T00:00:00+00:00"


def by_score(table):
    """Ids from the lowest score to the highest."""
    rows = table.select(["id", "inter_similarity"]).sort_by("inter_similarity")
    return rows["id"].to_pylist()


def say(table, ids, review, reviewer="anna", category=None):
    VerdictLog(log_path(table.path)).append([Verdict(key, review, reviewer, TIME, category) for key in ids])


def test_merge_reviews__writes_what_changed(reviewed):
    ids = by_score(reviewed)
    assert merge_reviews(reviewed) == 0 and "review" not in reviewed.columns
    say(reviewed, ids[:3], "category", category="cat")
    say(reviewed, ["no such row"], "keep")
    assert merge_reviews(reviewed) == 3 and merge_reviews(reviewed) == 0
    rows = reviewed.take(ids[2:4], ["review", "review_category", "reviewer", "reviewed_at"]).to_pylist()
    assert list(rows[0].values()) == ["category", "cat", "anna", TIME] and set(rows[1].values()) == {None}
    say(reviewed, ids[:1], None)
    assert merge_reviews(reviewed) == 1 and reviewed.count("review IS NULL") == 58


def test_decide_table__people_overrule_the_rules(reviewed, rules):
    ids = by_score(reviewed)
    assert decide_table(reviewed, rules).kept == 30
    say(reviewed, ids[:2], "keep")
    say(reviewed, ids[-20:], "reject", "bob")
    say(reviewed, ids[5:6], "mask")
    say(reviewed, ids[35:36], "category")
    report = decide_table(reviewed, rules)
    assert (report.kept, report.rejected, report.reviewed, report.overruled) == (30 + 2 - 21, 49, 24, 23)
    reasons = reviewed.take([ids[0], ids[-1], ids[5]], ["kept", "reject_reason", "rule_kept"]).to_pylist()
    assert [list(row.values()) for row in reasons] == [
        [True, None, False],
        [False, "review: rejected (bob)", True],
        [False, "review: the mask is wrong (anna)", False],
    ]
    assert reviewed.count("rule_kept IS NOT NULL") == 24


@pytest.mark.parametrize(("reviews", "kept"), [("ignore", 30), ("overrule", 31), ("require", 1)])
def test_decide_table__as_the_rules_say_of_reviews(reviewed, rules, reviews, kept):
    say(reviewed, by_score(reviewed)[:1], "keep")
    assert decide_table(reviewed, rules.model_copy(update={"reviews": reviews})).kept == kept


def test_decide_table__a_verdict_taken_back_is_the_rules_again(reviewed, rules):
    last = by_score(reviewed)[-1:]
    say(reviewed, last, "reject")
    assert decide_table(reviewed, rules).kept == 29
    say(reviewed, last, None)
    assert decide_table(reviewed, rules).kept == 30 and reviewed.count("rule_kept IS NOT NULL") == 0


def test_decide_table__a_person_decides_where_a_score_is_missing_but_not_about_a_failed_row(reviewed, rules):
    ids = by_score(reviewed)
    reviewed.clear(["inter_similarity"], f"id = '{ids[0]}'")
    say(reviewed, ids[:1], "keep")
    report = decide_table(reviewed, rules)
    assert (report.kept, report.not_ready, report.overruled) == (31, 0, 0)
    reviewed.clear(["area_fraction"], f"id = '{ids[0]}'")
    assert decide_table(reviewed, rules).not_ready == 1
