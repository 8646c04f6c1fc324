"""Progress on long work: a bar in a terminal, a line every few seconds in a log."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from .command import quiet
from .text import shown

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress

__all__ = ["Progress"]


class Progress:
    """Counts done work and shows it on standard error: rate, share, time left; nothing under ``--quiet``.

    Args:
        description: What is being done, for example ``"annotate"``.
        total: Units of work, None where unknown; where it turns out too low, what is done is the total.
        unit: Plural name of the unit.
        every: Seconds between two lines where standard error is not a terminal.
    """

    def __init__(self, description: str, total: int | None = None, *, unit: str = "rows", every: float = 5.0) -> None:
        self.description, self.total, self.unit, self.every = shown(description), total, unit, every
        self.done = 0
        self.note = ""
        self._told = (0, "")
        self._start = self._last = time.monotonic()
        self._bar: RichProgress | None = None
        self._quiet = quiet()

    def __enter__(self) -> Self:
        self._start = self._last = time.monotonic()
        if sys.stderr.isatty() and not self._quiet:
            self._bar = _make_bar()
            self._task = self._bar.add_task(self.description, total=self.total, rate="", note="")
            self._bar.start()
        return self

    def update(self, advance: int = 1, note: str | None = None) -> None:
        """Count ``advance`` more units as done; ``note`` replaces the text at the end of the line."""
        self.done += advance
        self.total = self.total and max(self.total, self.done)
        self.note = self.note if note is None else note
        now = time.monotonic()
        if self._bar is not None:
            self._bar.update(self._task, total=self.total, advance=advance, rate=self._rate(now), note=self.note)
        elif now - self._last >= self.every and not self._quiet:
            self._print(now)

    def _rate(self, now: float) -> str:
        rate = self.done / max(now - self._start, 1e-9)
        return f"{rate:.1f} {self.unit}/s" if rate >= 1 or not self.done else f"{1 / rate:.1f} s each"

    def _print(self, now: float) -> None:
        self._last, self._told = now, (self.done, self.note)
        total = "" if self.total is None else f"/{self.total}"
        left = ""
        if self.total and self.done:
            left = f", {(now - self._start) / self.done * (self.total - self.done):.0f} s left"
        note = f"  {self.note}" if self.note else ""
        print(  # noqa: T201
            f"{self.description}: {self.done}{total} {self.unit}, {self._rate(now)}{left}{note}",
            file=sys.stderr,
            flush=True,
        )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
        elif self.done and self._told != (self.done, self.note) and not self._quiet:
            self._print(time.monotonic())


def _make_bar() -> RichProgress:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn("{task.description:<16}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", markup=False),
        console=Console(stderr=True),
    )
