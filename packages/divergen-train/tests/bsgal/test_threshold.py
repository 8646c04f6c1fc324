from __future__ import annotations

from typing import Any

import pytest
import torch
from divergen_records.errors import ConfigError
from divergen_train.bsgal import AcceptanceThreshold, Rate, ThresholdConfig
from hypothesis import given, settings
from hypothesis import strategies as st


def values(*numbers: float) -> torch.Tensor:
    return torch.tensor(numbers)


def test_fixed__above_only_and_nan_never() -> None:
    threshold = AcceptanceThreshold(fixed=0.0)
    accepted = threshold(values(0.1, 0.0, -0.1, float("nan")), ["a", "a", "b", "b"])
    assert accepted.tolist() == [True, False, False, False]
    assert threshold.rates() == {"a": Rate(2, 1), "b": Rate(2, 0, 0, 1)}


def test_rate__threshold_is_that_from_before_the_batch() -> None:
    threshold = AcceptanceThreshold(rate=0.5, warmup=4, queue=4)
    assert threshold(values(1, 2, 3, 4)).all()
    assert threshold.value() == 3
    assert threshold(values(9, 2.9, 3)).tolist() == [True, False, True]
    # The queue is now 4, 9, 2.9, 3.
    assert threshold.value() == 4
    assert threshold.rates()[None] == Rate(seen=7, accepted=6, warmup=4)


@settings(max_examples=20, deadline=None)
@given(rate=st.floats(0.05, 0.95), shift=st.floats(-100, 100), seed=st.integers(0, 1000))
def test_rate__is_held_whatever_the_contributions(rate: float, shift: float, seed: int) -> None:
    threshold = AcceptanceThreshold(rate=rate, warmup=200, queue=400)
    numbers = torch.randn(1200, generator=torch.Generator().manual_seed(seed)) + shift
    accepted = torch.cat([threshold(part) for part in torch.split(numbers, 50)])
    assert accepted[:200].all()
    assert float(accepted[200:].float().mean()) == pytest.approx(rate, abs=0.12)


@pytest.mark.parametrize(("rate", "expected"), [(0.0, [False] * 3), (1.0, [True, True, False])])
def test_rate__nothing_and_everything(rate: float, expected: list[bool]) -> None:
    threshold = AcceptanceThreshold(rate=rate, warmup=2)
    threshold(values(5, 6))
    assert threshold(values(7, 5, 4)).tolist() == expected


def test_schedule__moves_linearly_and_stays() -> None:
    threshold = AcceptanceThreshold(rate=1.0, final_rate=0.5, schedule=4)
    rates = []
    for _ in range(6):
        rates.append(threshold.current_rate)
        threshold(values(1.0))
    assert rates == [1.0, 0.875, 0.75, 0.625, 0.5, 0.5]


def test_per_category__a_rare_one_does_not_starve() -> None:
    categories = ["common"] * 6 + ["rare"] * 2
    numbers = values(10, 11, 12, 13, 14, 15, 0.1, 0.2)
    found = {}
    for per in ("global", "category"):
        threshold = AcceptanceThreshold(rate=0.5, warmup=4, per=per)  # type: ignore[arg-type]
        for _ in range(10):
            threshold(numbers, categories)
        found[per] = threshold.rates({"common": "f", "rare": "r"})
    assert found["global"]["r"].accepted == found["global"]["r"].warmup == 2
    assert found["category"]["r"].accepted - found["category"]["r"].warmup == 8
    assert found["category"]["f"].rate == pytest.approx(0.55, abs=0.05)


def test_warmup__is_said() -> None:
    threshold = AcceptanceThreshold(rate=0.5, warmup=100)
    threshold(values(1, 2, float("nan")), ["a", "b", "b"])
    assert threshold.value() is None
    lines = threshold.table({"a": "r", "b": "f"}).splitlines()
    assert lines[0].split() == ["seen", "accepted", "rate", "warm-up", "skipped"]
    assert lines[1].split() == ["f", "2", "1", "50.0%", "1", "1"]
    assert lines[2].split() == ["r", "1", "1", "100.0%", "1", "0"]


def test_call__empty_batch() -> None:
    threshold = AcceptanceThreshold(rate=0.5)
    assert threshold(values()).tolist() == []
    assert threshold.calls == 1


def test_state_dict__exact_resume(tmp_path: Any) -> None:
    first, second = (
        AcceptanceThreshold(rate=0.9, final_rate=0.2, schedule=20, queue=30, warmup=5, per="category") for _ in range(2)
    )
    batches = torch.randn(12, 8, generator=torch.Generator().manual_seed(0))
    categories = [1, 1, 2, 2, 2, 3, 3, 3]
    for batch in batches[:6]:
        first(batch, categories)
    torch.save(first.state_dict(), tmp_path / "state.pt")
    second.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    for batch in batches[6:]:
        assert torch.equal(first(batch, categories), second(batch, categories))
    assert first.state_dict() == second.state_dict()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "give one of them"),
        ({"fixed": 0.0, "rate": 0.5}, "give one of them"),
        ({"rate": 1.5}, "rate=1.5"),
        ({"rate": 0.5, "final_rate": 0.1}, "needs schedule"),
        ({"rate": 0.5, "queue": 10, "warmup": 20}, "no longer than queue=10"),
        ({"rate": 0.5, "per": "image"}, "per='image': unknown"),
    ],
)
def test_threshold__bad_settings(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        AcceptanceThreshold(**arguments)


def test_call__categories_must_fit() -> None:
    with pytest.raises(ConfigError, match="give the category of every sample"):
        AcceptanceThreshold(rate=0.5, per="category")(values(1))
    with pytest.raises(ConfigError, match="2 contributions, but 1 categories"):
        AcceptanceThreshold(rate=0.5)(values(1, 2), ["a"])


def test_config__builds_what_it_says() -> None:
    threshold = ThresholdConfig(rate=0.8, final_rate=0.4, schedule=100, queue=50, warmup=10, per="category").build()
    assert (threshold.rate, threshold.final_rate, threshold.schedule) == (0.8, 0.4, 100)
    assert (threshold.queue, threshold.warmup, threshold.per) == (50, 10, "category")
    with pytest.raises(ValueError, match="give one of them"):
        ThresholdConfig()
