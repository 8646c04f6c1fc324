from __future__ import annotations

import pytest
from divergen_filter.review.desk import Desk, Judgement
from divergen_filter.review.rows import Query, ReviewRows
from divergen_filter.review.verdicts import VerdictLog
from divergen_records import ConfigError
from pydantic import ValidationError


def judgement(desk, *rows, review="reject", reviewer="anna", category=None):
    versions = [desk.rows.state(row)["version"] for row in rows]
    return Judgement(rows=rows, versions=versions, review=review, reviewer=reviewer, review_category=category)


def beside(desk, table, rules):
    """The desk of another process."""
    return Desk(ReviewRows(table, VerdictLog(desk.rows.log.path), rules))


def test_judge__and_undo(desk):
    desk.judge(judgement(desk, 0, 1, 2))
    desk.judge(judgement(desk, 1, review="category", category="cat"))
    assert [desk.rows.state(row)["review"] for row in range(4)] == ["reject", "category", "reject", None]
    assert desk.undo("anna").done == [1]
    assert [desk.rows.state(row)["review"] for row in range(3)] == ["reject"] * 3
    assert desk.undo("bob").done == []
    assert desk.undo("anna").done == [0, 1, 2] and sum(desk.rows.reviewed().values()) == 0


def test_judge__two_people_do_not_overwrite_each_other(desk, reviewed, rules):
    other = beside(desk, reviewed, rules)
    late = judgement(other, 0, 1, review="keep", reviewer="bob")
    desk.judge(judgement(desk, 0))
    outcome = other.judge(late)
    assert (outcome.done, outcome.refused) == ([1], [0])
    assert other.rows.state(0)["reviewer"] == "anna"
    assert other.judge(judgement(other, 0, review="keep", reviewer="bob")).done == [0]
    assert desk.changes(0)["rows"][0]["reviewer"] == "bob"
    assert desk.undo("anna").refused == [0] and desk.rows.state(0)["reviewer"] == "bob"


def test_undo__gives_back_what_somebody_else_had_said(desk, reviewed, rules):
    other = beside(desk, reviewed, rules)
    other.judge(judgement(other, 0, review="keep", reviewer="bob"))
    desk.rows.log.catch_up()
    desk.judge(judgement(desk, 0))
    desk.undo("anna")
    assert (desk.rows.state(0)["review"], desk.rows.state(0)["reviewer"]) == ("keep", "bob")


@pytest.mark.parametrize(
    "wrong", [{"rows": [0], "versions": []}, {"review": "good"}, {"reviewer": " "}, {"review": "category"}]
)
def test_judgement__refuses(wrong):
    with pytest.raises(ValidationError):
        Judgement.model_validate({"rows": [0], "versions": [0], "review": "keep", "reviewer": "anna", **wrong})


def test_judge__refuses_a_row_that_is_not_there(desk):
    with pytest.raises(ConfigError, match="there is no row 60"):
        desk.judge(Judgement(rows=(60,), versions=(0,), review="keep", reviewer="anna"))


def test_find__filters_and_orders(desk):
    rows, scores = desk.rows, desk.rows.scores["inter_similarity"]
    assert len(rows.find(Query())) == 60
    assert scores[rows.find(Query())[0]] == pytest.approx(0.5)  # nothing hangs by less
    nearest = Query(order="threshold", score="inter_similarity", low=0.6, high=0.8)
    assert scores[rows.find(nearest)].tolist() == sorted(scores[(scores >= 0.6) & (scores <= 0.8)])
    assert rows.find(Query(order="high", score="inter_similarity"))[0] == scores.argmax()
    name = rows.describe([7])[0]["category"]
    assert {row["category"] for row in rows.describe(rows.find(Query(category=(name,))))} == {name}
    desk.judge(judgement(desk, 3, 4))
    assert rows.find(Query(review=("reject",), order="table")).tolist() == [3, 4]
    assert len(rows.find(Query(review=("none",)))) == 58
    assert rows.find(Query(text=rows.ids[9])).tolist() == [9]
    with pytest.raises(ConfigError, match="there is no score 'beauty'; there are"):
        rows.find(Query(order="low", score="beauty"))


def test_rows__of_a_copied_table_know_what_its_columns_hold(desk, reviewed, rules):
    from divergen_filter.review.merging import merge_reviews

    desk.judge(judgement(desk, 0, 1, 2))
    merge_reviews(reviewed)
    desk.rows.log.path.unlink()
    copied = beside(desk, reviewed, rules)
    assert copied.rows.reviewed()["reject"] == 3 and copied.rows.state(1)["reviewer"] == "anna"
    copied.judge(judgement(copied, 1, review="keep", reviewer="bob"))
    copied.undo("bob")
    assert copied.rows.state(1)["review"] == "reject" and copied.rows.reviewed()["reject"] == 3
