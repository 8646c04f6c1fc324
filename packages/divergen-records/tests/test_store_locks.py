"""Locks on a store, when clocks of machines differ; with a store and clocks that are made up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from divergen_records import RunLocked
from divergen_records.stores import locks
from divergen_records.stores.locks import held


class World:
    """One object, a clock on the wall and one that only goes on; a holder elsewhere that renews it, or does not."""

    def __init__(self, wall: float, holder: float | None) -> None:
        self.now, self.wall, self.holder = 0.0, wall, holder
        self.data, self.count = self.owned(), 0

    def owned(self) -> bytes:
        until = self.now + (self.holder or 0.0) + locks.EXPIRES_SECONDS
        return msgspec.json.encode({"host": "elsewhere", "pid": 7, "token": "t", "until": until})

    def time(self) -> float:
        return self.now + self.wall

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        before, self.now = self.now, self.now + seconds
        if self.holder is not None and before // 15 != self.now // 15:
            self.data, self.count = self.owned(), self.count + 1

    def write(self, lock: Path, data: bytes, *, overwrite: bool) -> None:
        raise FileExistsError

    def read_with_tag(self, lock: Path) -> tuple[bytes, str]:
        return self.data, f"tag {self.count}"

    def replace(self, lock: Path, data: bytes, tag: str) -> bool:
        self.data = data
        return True

    def decode(self, lock: Path, data: bytes, kind: Any) -> Any:
        return msgspec.json.decode(data, type=kind)

    def remove(self, locks: list[Path]) -> None:
        self.data = b""


def take(monkeypatch: pytest.MonkeyPatch, world: World, *, wait: bool) -> None:
    monkeypatch.setattr(locks, "access", world)
    monkeypatch.setattr(locks, "time", world)
    with held(Path("lock"), "the run", wait=wait):  # type: ignore[arg-type]  # looked at by the world alone
        assert b"elsewhere" not in world.data


def test_held__a_clock_that_is_ahead_takes_nothing_from_one_that_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(wall=1e6, holder=0.0)
    with pytest.raises(RunLocked, match="process 7 on elsewhere"):
        take(monkeypatch, world, wait=False)
    assert 0 < world.now < 20


@pytest.mark.parametrize("wait", [True, False])
def test_held__of_one_that_is_gone_it_passes_on(monkeypatch: pytest.MonkeyPatch, wait: bool) -> None:
    world = World(wall=100.0, holder=None)
    take(monkeypatch, world, wait=wait)
    assert 20 < world.now < 25


def test_held__of_one_that_is_gone_and_whose_clock_was_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(wall=-1e6, holder=None)
    with pytest.raises(RunLocked, match="If it is gone, remove lock"):
        take(monkeypatch, world, wait=False)
    take(monkeypatch, world, wait=True)
    assert 60 < world.now < 65
