"""A premise: what was measured, what it must be, why, and whether it is."""

from __future__ import annotations

import math
import textwrap
from collections import Counter
from collections.abc import Sequence
from typing import Literal, get_args

from divergen_records import Config
from pydantic import ConfigDict

from ..evidence.statistics import mean_and_interval

__all__ = ["Premise", "PremiseReport", "at_least", "at_most", "over_seeds", "unmeasured"]

Verdict = Literal["holds", "fails", "not measured"]


class Premise(Config):
    """One premise of the papers, looked up in the data.

    Attributes:
        name: What is asked of the data.
        measured: The number, for people; or why there is none.
        needed: The threshold, for people.
        verdict: Whether it holds.
        reason: Where the threshold comes from.
        value: The number that is compared with the threshold, where there is one.
        threshold: The threshold, in the unit of the value.
        below: Whether the value must not be above it; else it must not be below.
    """

    model_config = ConfigDict(allow_inf_nan=True)  # a ratio to nothing

    name: str
    measured: str
    needed: str
    verdict: Verdict
    reason: str
    value: float | None = None
    threshold: float | None = None
    below: bool = False


class PremiseReport(Config):
    """All premises.

    Attributes:
        data: What was looked at.
        premises: In the order of the papers' argument.
    """

    data: str
    premises: tuple[Premise, ...]

    @property
    def failing(self) -> tuple[Premise, ...]:
        """Those that do not hold."""
        return tuple(premise for premise in self.premises if premise.verdict == "fails")

    def table(self) -> str:
        """The verdict on each premise, what was measured, the threshold and its reason, as text."""
        lines = [f"premises of {self.data}"]
        for premise in self.premises:
            needed = f"; needed: {premise.needed}" if premise.needed else ""
            lines += ["", f"{premise.verdict:<12}  {premise.name}", f"{'':<12}  {premise.measured}{needed}"]
            lines += textwrap.wrap(premise.reason, 104, initial_indent=" " * 14, subsequent_indent=" " * 14)
        counts = Counter(premise.verdict for premise in self.premises)
        return "\n".join([*lines, "", ", ".join(f"{counts[verdict]} {verdict}" for verdict in get_args(Verdict))])


def at_least(name: str, value: float, threshold: float, text: str, reason: str, *, unit: str = "") -> Premise:
    """A premise whose number must not be below the threshold."""
    return _compared(name, value, threshold, text, f"at least {threshold:g}{unit}", reason)


def at_most(name: str, value: float, threshold: float, text: str, reason: str, *, unit: str = "") -> Premise:
    """A premise whose number must not be above the threshold."""
    return _compared(name, value, threshold, text, f"at most {threshold:g}{unit}", reason, below=True)


def unmeasured(name: str, why: str, reason: str) -> Premise:
    """A premise of which nothing is known."""
    return Premise(name=name, measured=why, needed="", verdict="not measured", reason=reason)


def over_seeds(reports: Sequence[PremiseReport]) -> PremiseReport:
    """Each premise by the mean of its number over reports on the same data, drawn and learned with several seeds."""
    premises = [_together(parts) for parts in zip(*(report.premises for report in reports), strict=True)]
    return PremiseReport(data=f"{reports[0].data} and {len(reports) - 1} more", premises=tuple(premises))


def _together(parts: Sequence[Premise]) -> Premise:
    known = [part for part in parts if part.value is not None]
    if not known or known[0].threshold is None:
        return parts[0]
    first, values = known[0], [part.value for part in known if part.value is not None]
    mean, half = mean_and_interval(values)
    wide = f" ± {half:.2g}" if half is not None and math.isfinite(half) else ""
    text = f"{mean:.3g}{wide} over {len(values)} seeds: {', '.join(f'{value:.3g}' for value in values)}"
    assert first.threshold is not None
    return _compared(first.name, mean, first.threshold, text, first.needed, first.reason, below=first.below)


def _compared(
    name: str, value: float, threshold: float, text: str, needed: str, reason: str, *, below: bool = False
) -> Premise:
    if value != value:  # NaN: too little to measure
        return unmeasured(name, "too few objects", reason)
    verdict: Verdict = "holds" if (value <= threshold if below else value >= threshold) else "fails"
    return Premise(
        name=name, measured=text, needed=needed, verdict=verdict, reason=reason, value=value, threshold=threshold,
        below=below,
    )  # fmt: skip
