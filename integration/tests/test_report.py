"""What the report says first: whether it helped, whom, and how sure."""

from __future__ import annotations

from typing import Any

import pytest
from divergen.loading import load_config
from divergen.report.categories import category_counts, category_galleries, offenders
from divergen.report.gains import best_and_worst, category_rows, compared, gains
from divergen.run import Run
from divergen_evaluate.metrics import CategoryDifference, Comparison, Difference
from divergen_records import InstanceTable
from divergen_records.testing import plan_instances


def category(number: int, frequency: Any, first: float, second: float, ends: Any = None) -> CategoryDifference:
    low, high = ends or (None, None)
    return CategoryDifference(
        id=number,
        name=f"thing_{number}",
        frequency=frequency,
        instances=3,
        first=first,
        second=second,
        low=low,
        high=high,
    )


COMPARISON = Comparison(
    level=0.95,
    resamples=100,
    differences=(
        Difference(kind="mask", metric="AP", first=0.2, second=0.21, low=-0.01, high=0.03),
        Difference(kind="mask", metric="APr", first=0.1, second=0.15, low=0.01, high=0.09),
        Difference(kind="box", metric="APr", first=0.1, second=0.05, low=-0.09, high=-0.01),
    ),
    categories=(
        category(1, "f", 0.5, 0.3, (-0.3, -0.1)),
        category(2, "r", 0.0, 0.1, (-0.1, 0.2)),
        category(3, "r", 0.1, 0.4, (0.1, 0.5)),
    ),
)


def test_gains__the_rarest_first_and_by_masks(tmp_path: Any) -> None:
    run = Run(tmp_path, load_config("quickstart"))
    found = gains(run, {"real": COMPARISON})
    assert [(row.group, row.verdict) for row in found] == [
        ("rare categories", "better"),
        ("all categories", "not told apart"),
    ]
    assert (found[0].over, round(found[0].change, 1), round(found[0].low, 1)) == ("real", 5.0, 1.0)
    assert compared(run, "real") is None  # nothing is trained


def test_category_rows__a_colour_only_beyond_the_interval() -> None:
    rows = category_rows(COMPARISON, {3: {"made": 9, "kept": 4}})
    assert [row["id"] for row in rows] == [3, 2, 1]
    assert [row["verdict"] for row in rows] == ["better", "not told apart", "worse"]
    assert [(row["made"], row["kept"]) for row in rows] == [(9, 4), (0, 0), (0, 0)]
    assert 'class="dots not-told-apart"' in rows[1]["dots"] and "10.0 before, 40.0 after" in rows[0]["dots"]
    assert list(best_and_worst(rows, 1)) == [3, 1]


@pytest.fixture
def decided(tmp_path: Any) -> InstanceTable:
    """Of each of three categories, so many rows; the first category has no kept one."""
    table = InstanceTable.create(tmp_path / "instances.lance")
    records = list(plan_instances(12))
    worst = records[0].category_id
    changes = [
        {
            "kept": record.category_id != worst,
            "reject_reason": "sharpness 0.1 < 0.4" if record.category_id == worst else None,
        }
        for record in records
    ]
    table.append([record.model_copy(update=change) for record, change in zip(records, changes, strict=True)])
    return table


def test_category_counts__and_where_to_look_first(decided: InstanceTable) -> None:
    counts = category_counts(decided)
    assert sum(row["made"] for row in counts.values()) == 12
    worst = next(row for row in counts.values() if not row["kept"])
    found = offenders(counts, category_rows(COMPARISON, counts))
    assert found[0]["what"] == "AP 50.0 to 30.0: worse"
    assert found[1] == {
        "id": next(key for key, row in counts.items() if row is worst),
        "name": worst["name"],
        "what": f"0 of {worst['made']} kept; most often sharpness",
    }


def test_category_galleries__no_more_than_a_page_holds(decided: InstanceTable, monkeypatch: pytest.MonkeyPatch) -> None:
    from divergen.report import categories

    monkeypatch.setattr(categories, "cards_of", lambda table, key, kept, count: [key, kept, count])
    monkeypatch.setattr(categories, "_GALLERIES", 2)
    counts = category_counts(decided)
    last = sorted(counts)[-1]
    assert category_galleries(decided, counts, [last, 99])[0]["id"] == last
    assert len(category_galleries(decided, counts, [])) == 2
