from __future__ import annotations

import pytest
from divergen_records import ConfigError
from divergen_records.endpoint import Account


def test_account__counts() -> None:
    account = Account(price_in=2, price_out=10)
    assert account.spend(1_000_000, 100_000) == 3
    assert (account.cost, account.prompt_tokens, account.completion_tokens, account.requests) == (
        3,
        1_000_000,
        100_000,
        1,
    )


def test_account__reserves_what_is_in_flight() -> None:
    account = Account(price_in=1, max_cost=2.5, cost=0.5)
    assert account.reserve(1_000_000, 0) == 1
    assert account.reserve(1_500_000, 0) is None
    assert account.reserve(1_000_000, 0) == 1
    account.release(1)
    assert account.reserve(1_000_000, 0) == 1


def test_account__a_limit_needs_prices() -> None:
    with pytest.raises(ConfigError, match="--price-in"):
        Account(max_cost=1)
    with pytest.raises(ConfigError, match="negative"):
        Account(price_in=-1)
