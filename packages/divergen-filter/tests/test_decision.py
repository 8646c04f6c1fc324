from __future__ import annotations

import numpy as np
import pytest
from divergen_filter import decide
from divergen_filter.config import Rule, RulesConfig, read_rules
from divergen_filter.explain import explain
from divergen_filter.rules import idle_rules
from divergen_records import ConfigError
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

GOOD = {"category_id": 1, "area_fraction": 0.3, "components": 1, "border_contact": 0.0, "rival_share": 0.1}
CALIBRATED = RulesConfig(rules=(Rule(score="inter_similarity", op=">=", threshold="calibrated"),))


def judge(rules=None, thresholds=None, **changes):
    columns = {name: [value] for name, value in {**GOOD, **changes}.items()}
    kept, reasons = decide(columns, rules or RulesConfig(), thresholds=thresholds or {1: 0.52})
    return bool(kept[0]), reasons[0]


def test_decide__keeps_a_good_one():
    assert judge() == (True, None)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"area_fraction": 0.02}, "area_fraction 0.02 < 0.05"),
        ({"area_fraction": 0.0499}, "area_fraction 0.0499 < 0.0500"),
        ({"area_fraction": 0.04999999}, "area_fraction 0.04999999 < 0.05000000"),
        ({"area_fraction": 0.97}, "area_fraction 0.97 > 0.95"),
        ({"components": 3}, "components 3 != 1"),
        ({"border_contact": 0.4}, "border_contact 0.40 > 0.10"),
        ({"rival_share": 0.41}, "rival_share 0.41 > 0.20"),
        ({"components": 2, "rival_share": 1.0}, "components 2 != 1"),
    ],
)
def test_decide__says_why_not(change, reason):
    assert judge(**change) == (False, reason)


def plain_reason(rule, value, limit):
    """One row by itself: digits are added until the two numbers read differently."""
    left, right, digits = f"{value:z.2f}", f"{limit:z.2f}", 3
    while left == right and value != limit and digits < 9:
        left, right, digits = f"{value:z.{digits}f}", f"{limit:z.{digits}f}", digits + 1
    return f"{rule.score} {left} < {right}"


@given(st.lists(st.floats(-1, 1, width=32) | st.sampled_from([0.125, 0.5199, 0.51999, np.nan]), max_size=30))
def test_decide__reasons_of_many_rows_are_those_of_each_by_itself(values):
    values = np.asarray(values, dtype=np.float32).tolist()
    rule = Rule(score="sharpness", op=">=", threshold=0.52)
    kept, reasons = decide({"category_id": [1] * len(values), "sharpness": values}, RulesConfig(rules=(rule,)))
    for value, keep, reason in zip(values, kept.tolist(), reasons, strict=True):
        limit = float(np.float32(0.52))
        assert keep == (value >= limit)
        wanted = "sharpness: not a number" if np.isnan(value) else plain_reason(rule, value, limit)
        assert reason == (None if keep else wanted)


@pytest.mark.parametrize("op", [">=", "<=", "==", ">", "<"])
@pytest.mark.parametrize("number", [0.1, 0.3, 0.6, 0.7, 0.95])
def test_decide__a_stored_score_equals_the_threshold_that_it_equalled_before(op, number):
    rules = RulesConfig(rules=(Rule(score="area_fraction", op=op, threshold=number),))
    for value in (number, np.float32(number)):
        kept, reasons = decide({"category_id": [1], "area_fraction": [value]}, rules)
        assert kept[0] == (op in (">=", "<=", "=="))
        assert reasons[0] in (None, f"area_fraction {number:.2f} {'<=' if op == '>' else '>='} {number:.2f}")


@given(st.floats(-1, 1))
def test_decide__a_score_at_its_calibrated_threshold_is_kept(threshold):
    columns = {"category_id": [1], "inter_similarity": np.array([threshold], dtype=np.float32)}
    assert decide(columns, CALIBRATED, thresholds={1: threshold})[0].all()


def test_decide__category_without_real_crops():
    assert judge(rival_share=np.nan, category_id=9) == (True, None)
    strict = RulesConfig(no_reference="reject")
    assert judge(strict, rival_share=np.nan, category_id=9) == (
        False,
        "rival_share: the category has no real crops",
    )


def test_decide__a_score_without_a_threshold_is_never_kept():
    reason = "inter_similarity: the references have no threshold for this category"
    assert judge(CALIBRATED, category_id=9, inter_similarity=0.7) == (False, reason)


def test_decide__calibrated_without_thresholds():
    with pytest.raises(ConfigError, match="'calibrated'"):
        decide({"category_id": [1], "inter_similarity": [0.7]}, CALIBRATED)


def test_decide__number_needs_no_references():
    rules = RulesConfig(rules=(Rule(score="inter_similarity", op=">=", threshold=0.6),))
    kept, reasons = decide({"category_id": [1, 1], "inter_similarity": [0.6, 0.59]}, rules)
    assert kept.tolist() == [True, False] and reasons == [None, "inter_similarity 0.59 < 0.60"]


def within(op, threshold, values, categories=None, **more):
    rules = RulesConfig(rules=(Rule(score="inter_similarity", op=op, threshold=threshold),))
    columns = {"category_id": categories or [1] * len(values), "inter_similarity": values, **more}
    kept, reasons = decide(columns, rules)
    return kept.tolist(), reasons


@pytest.mark.parametrize(
    ("op", "threshold", "kept"),
    [
        (">=", {"quantile": 0.5}, [0, 1, 1, 1]),
        (">", {"quantile": 0.5}, [0, 0, 1, 0]),
        ("<=", {"quantile": 0.5}, [1, 1, 0, 1]),
        (">=", {"best": 2}, [0, 1, 1, 1]),
        (">", {"best": 1}, [0, 0, 1, 1]),
        ("<", {"best": 1}, [1, 0, 0, 1]),
        (">=", {"at_least": 0.4, "tolerance": 0.1}, [0, 1, 1, 1]),
        (">=", {"at_least": 0.9, "tolerance": 0.15}, [0, 0, 1, 1]),
    ],
)
def test_decide__within_the_category(op, threshold, kept):
    assert within(op, threshold, [0.2, 0.4, 0.6, 0.1], [1, 1, 1, 2])[0] == list(map(bool, kept))


def test_decide__best_of_equal_scores_is_the_smaller_id():
    kept, reasons = within(">=", {"best": 1}, [0.5, 0.5, 0.3], id=["b", "a", "c"])
    assert kept == [False, True, False]
    assert reasons[0] == "inter_similarity 0.50 ties with the last, 0.50 (the best 1 of the category)"
    assert reasons[2] == "inter_similarity 0.30 < 0.50 (the best 1 of the category)"


def test_decide__best_counts_what_the_rules_before_left():
    rules = RulesConfig(
        rules=(
            Rule(score="components", op="==", threshold=1),
            Rule(score="inter_similarity", op=">=", threshold={"best": 1}),
        )
    )
    kept, _ = decide({"category_id": [1, 1], "components": [2, 1], "inter_similarity": [0.9, 0.1]}, rules)
    assert kept.tolist() == [False, True]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5)), min_size=1, max_size=40), st.integers(1, 5))
def test_decide__best_keeps_the_n_largest_of_each_category(rows, best):
    categories, scores = map(list, zip(*rows, strict=True))
    kept, _ = within(
        ">=", {"best": best}, [score / 10 for score in scores], categories, id=[*map(str, range(len(rows)))]
    )
    for category in set(categories):
        mine = sorted((score for key, score in rows if key == category), reverse=True)
        chosen = [score for (key, score), keep in zip(rows, kept, strict=True) if key == category and keep]
        assert sorted(chosen, reverse=True) == mine[:best]


def test_decide__nan_is_never_kept_silently():
    rules = RulesConfig(rules=(Rule(score="clip_score", op=">=", threshold={"quantile": 0.1}),))
    kept, reasons = decide({"category_id": [1, 1], "clip_score": [np.nan, 0.3]}, rules)
    assert kept.tolist() == [False, True] and reasons[0].startswith("clip_score: not a number")


@pytest.mark.parametrize(
    ("op", "threshold"), [("<=", {"at_least": 0.2, "tolerance": 0.1}), ("==", {"best": 3}), ("==", "calibrated")]
)
def test_rule__refuses_what_means_nothing(op, threshold):
    with pytest.raises(ValidationError):
        Rule(score="inter_similarity", op=op, threshold=threshold)


def test_rule__calibrated_only_where_it_means_something():
    with pytest.raises(ValidationError, match="inter_similarity"):
        Rule(score="area_fraction", op=">=", threshold="calibrated")


def test_explain__tries_every_rule():
    verdicts = explain({**GOOD, "components": 2, "rival_share": 0.5}, RulesConfig())
    assert [verdict.passed for verdict in verdicts] == [True, True, False, True, False]
    assert verdicts[-1].threshold == 0.2


def test_read_rules__names_file_and_key(tmp_path):
    path = tmp_path / "rules.json"
    path.write_text('{"rules": [{"score": "beauty!", "op": ">=", "threshold": 1}]}')
    with pytest.raises(ConfigError, match=r"rules\.json: rules\.0\.score"):
        read_rules(path)
    path.write_text(RulesConfig().model_dump_json())
    assert read_rules(path) == RulesConfig() == read_rules(None)
    with pytest.raises(ConfigError, match="there is no such file"):
        read_rules(tmp_path / "none.json")


@pytest.mark.parametrize(
    "text",
    [
        '["rival_share <= 0.2"]',
        "- rival_share<=0.2",
        '{"rules": [{"score": "rival_share", "op": "<=", "threshold": 0.2}]}',
        "rules:\n  - {score: rival_share, op: '<=', threshold: 0.2}\n",
    ],
)
def test_read_rules__as_people_write_them(tmp_path, text):
    path = tmp_path / "rules.yaml"
    path.write_text(text)
    assert read_rules(path) == RulesConfig(rules=(Rule(score="rival_share", op="<=", threshold=0.2),))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"rule": []}', "did you mean 'rules'"),
        ('["rival_share =< 0.2"]', "rules.0"),
        ('[{"score": "rival_share", "op": "=<", "threshold": 1}]', r"rules\.0\.op: input should be .*got '=<'"),
        ('[{"score": "rival_share", "op": "<=", "threshold": NaN}]', "rules.0.threshold: input should be a finite"),
        ("rival_share <= 0.2", "expected keys"),
    ],
)
def test_read_rules__refuses(tmp_path, text, said):
    path = tmp_path / "rules.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=said):
        read_rules(path)


def test_idle_rules__a_percentage_is_no_share():
    rules = RulesConfig(rules=("rival_share <= 20", "rival_share <= 1", "inter_similarity >= 1.5", "contrast >= 9"))
    assert idle_rules(rules) == [
        "rival_share lies in 0 to 1, so the rule <= 20 treats all alike",
        "inter_similarity lies in -1 to 1, so the rule >= 1.5 treats all alike",
    ]
