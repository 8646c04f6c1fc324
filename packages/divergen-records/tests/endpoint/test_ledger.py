from __future__ import annotations

from pathlib import Path

import pytest
from divergen_records.endpoint import Ledger, SharedAccount


def account(path: Path, purpose: str = "api") -> SharedAccount:
    return SharedAccount(price_picture=1.0, max_cost=3.0, ledger=Ledger(path, purpose))


def test_shared_account__one_limit_for_all(tmp_path: Path) -> None:
    one, other = account(tmp_path / "spent"), account(tmp_path / "spent")
    assert (one.reserve(0, 0, 1), other.reserve(0, 0, 1), one.reserve(0, 0, 2)) == (1.0, 1.0, None)
    one.spend(0, 0, 1)
    one.release(1.0)
    assert (other.reserve(0, 0, 2), other.cost, other.reserved) == (None, 1.0, 1.0)
    other.release(1.0)  # refused, and so free
    assert one.reserve(0, 0, 2) == 2.0


def test_shared_account__what_was_killed_in_flight_stays_reserved(tmp_path: Path) -> None:
    killed = account(tmp_path / "spent")
    killed.reserve(0, 0, 2)
    with (tmp_path / "spent").open("a") as file:
        file.write('{"for": "api", "reser')  # torn
    after = account(tmp_path / "spent")
    assert (after.reserve(0, 0, 2), after.reserve(0, 0, 1)) == (None, 1.0)
    assert account(tmp_path / "spent").reserved == 3.0


def test_shared_account__another_purpose_has_its_own(tmp_path: Path) -> None:
    account(tmp_path / "spent").reserve(0, 0, 3)
    assert account(tmp_path / "spent", "other").reserve(0, 0, 3) == 3.0


def test_shared_account__a_lost_answer_counts(tmp_path: Path) -> None:
    one = account(tmp_path / "spent")
    one.lose(one.reserve(0, 0, 1) or 0.0)
    one.release(1.0)
    assert (one.lost_cost, account(tmp_path / "spent").cost) == (1.0, 1.0)


@pytest.mark.parametrize("times", [3])
def test_shared_account__rounding_refuses_nothing(tmp_path: Path, times: int) -> None:
    tenths = SharedAccount(price_picture=0.1, max_cost=0.1 * times, ledger=Ledger(tmp_path / "spent", "api"))
    assert [tenths.reserve(0, 0, 1) for _ in range(times + 1)] == [*[0.1] * times, None]


@pytest.mark.parametrize("line", ["{", "[1]", "null", '{"cost": "x"}', '{"cost": NaN}', '{"cost": -9}', "[" * 100_000])
def test_ledger__a_damaged_line_is_told_and_raises_no_limit(
    tmp_path: Path, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "spent"
    path.write_text(f'{{"for": "api", "cost": 2.0}}\n{line.replace("{", """{"for": "api", """, 1)}\n')
    with Ledger(path, "api").held() as (cost, reserved):
        assert (cost, reserved) == (2.0, 0.0)
    assert "1 lines cannot be read" in capsys.readouterr().err
