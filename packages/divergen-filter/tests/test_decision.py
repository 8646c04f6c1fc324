from __future__ import annotations

import numpy as np
import pytest
from divergen_filter import decide
from divergen_filter.config import Rule, RulesConfig, read_rules
from divergen_filter.explain import explain
from divergen_records import ConfigError
from pydantic import ValidationError

GOOD = {"category_id": 1, "area_fraction": 0.3, "components": 1, "border_contact": 0.0, "inter_similarity": 0.7}


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
        ({"area_fraction": 0.97}, "area_fraction 0.97 > 0.95"),
        ({"components": 3}, "components 3 != 1"),
        ({"border_contact": 0.4}, "border_contact 0.40 > 0.10"),
        ({"inter_similarity": 0.41}, "inter_similarity 0.41 < 0.52"),
        ({"components": 2, "inter_similarity": 0.0}, "components 2 != 1"),
    ],
)
def test_decide__says_why_not(change, reason):
    assert judge(**change) == (False, reason)


def test_decide__category_without_real_crops():
    assert judge(inter_similarity=np.nan, category_id=9) == (True, None)
    strict = RulesConfig(no_reference="reject")
    assert judge(strict, inter_similarity=np.nan, category_id=9) == (
        False,
        "inter_similarity: the category has no real crops",
    )


def test_decide__a_score_without_a_threshold_is_never_kept():
    assert judge(category_id=9) == (False, "inter_similarity: the references have no threshold for this category")


def test_decide__calibrated_without_thresholds():
    with pytest.raises(ConfigError, match="'calibrated'"):
        decide({name: [value] for name, value in GOOD.items()}, RulesConfig())


def test_decide__number_needs_no_references():
    rules = RulesConfig(rules=(Rule(score="inter_similarity", op=">=", threshold=0.6),))
    kept, reasons = decide({"category_id": [1, 1], "inter_similarity": [0.6, 0.59]}, rules)
    assert kept.tolist() == [True, False] and reasons == [None, "inter_similarity 0.59 < 0.60"]


def test_rule__calibrated_only_where_it_means_something():
    with pytest.raises(ValidationError, match="inter_similarity"):
        Rule(score="area_fraction", op=">=", threshold="calibrated")


def test_explain__tries_every_rule():
    verdicts = explain({**GOOD, "components": 2, "inter_similarity": 0.1}, RulesConfig(), thresholds={1: 0.5})
    assert [verdict.passed for verdict in verdicts] == [True, True, False, True, False]
    assert verdicts[-1].threshold == 0.5


def test_read_rules__names_file_and_key(tmp_path):
    path = tmp_path / "rules.json"
    path.write_text('{"rules": [{"score": "beauty", "op": ">=", "threshold": 1}]}')
    with pytest.raises(ConfigError, match=r"rules\.json: rules\.0\.score"):
        read_rules(path)
    path.write_text(RulesConfig().model_dump_json())
    assert read_rules(path) == RulesConfig() == read_rules(None)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_rules(tmp_path / "none.json")
