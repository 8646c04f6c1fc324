"""Did it help, whom, by how much, and how sure: what the report says first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from divergen_records.files import read_json, write_text
from markupsafe import Markup
from pydantic import ValidationError

from ..data import load_splits
from ..run import Run
from ..training import training_titles

if TYPE_CHECKING:
    from divergen_evaluate.metrics import CategoryDifference, Comparison, Difference

__all__ = ["GROUPS", "Gain", "best_and_worst", "category_rows", "compared", "gains"]

GROUPS = {"APr": "rare categories", "APc": "common categories", "APf": "frequent categories", "AP": "all categories"}
_RESAMPLES = 500
_WIDTH, _HEIGHT = 240, 18


@dataclass(frozen=True)
class Gain:
    """One line of the answer, in points.

    Attributes:
        group: Which categories.
        over: What the generated instances are compared with.
        first: AP without them, percent.
        second: AP with them.
        change: The gain.
        low: Lower end of its interval.
        high: Upper end.
        verdict: ``"better"``, ``"worse"`` or ``"not told apart"``.
    """

    group: str
    over: str
    first: float
    second: float
    change: float
    low: float
    high: float
    verdict: str


def compared(run: Run, before: str) -> Comparison | None:
    """The training with generated instances beside another one; None unless both are evaluated.

    It takes minutes on LVIS, so it is kept beside the trainings until one of them changes.
    """
    from divergen_evaluate import compare_results, read_results
    from divergen_evaluate.metrics import Comparison

    folders = [run.training(name) for name in (before, "generated")]
    paths = [folder / "results.json" for folder in folders]
    if not all((folder / "metrics.json").exists() for folder in folders) or not all(path.exists() for path in paths):
        return None
    key = sha256(b"".join(f"{path.stat().st_size} {path.stat().st_mtime_ns} ".encode() for path in paths)).hexdigest()
    kept = run.folder / "train" / f"generated-over-{before}.json"
    if kept.exists():
        found = read_json(kept, "remove it; the report makes it anew")
        try:
            if found.pop("key", None) == key:
                return Comparison.model_validate(found)
        except ValidationError:  # of another release
            kept.unlink()
    first, second = (read_results(path) for path in paths)
    made = compare_results(first, second, load_splits(run, told=True).val, resamples=_RESAMPLES)
    text = made.model_dump_json()
    write_text(kept, f'{{"key":"{key}",{text[1:]}', overwrite=True)
    return made


def gains(run: Run, comparisons: Mapping[str, Comparison]) -> list[Gain]:
    """The gain of each frequency group, the rarest first, over the real images alone and over copy-paste."""
    titles = training_titles(run.config)
    return [
        _gain(row, titles[name])
        for metric in GROUPS
        for name, comparison in comparisons.items()
        for row in comparison.differences
        if row.kind == _kind(comparison) and row.metric == metric
    ]


def category_rows(comparison: Comparison, counts: Mapping[int, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Each category with its AP before and after, the rarest group first, in it the largest gain first.

    Args:
        comparison: Before and after.
        counts: By category id, what was made and kept of it.
    """
    order = {"r": 0, "c": 1, "f": 2}
    rows = sorted(comparison.categories, key=lambda row: (order.get(row.frequency or "", 3), row.first - row.second))
    most = max((max(row.first, row.second) for row in rows), default=0.0) or 1.0
    return [
        {
            "id": row.id,
            "name": row.name,
            "frequency": row.frequency or "–",
            "objects": row.instances,
            "first": 100 * row.first,
            "second": 100 * row.second,
            "change": 100 * (row.second - row.first),
            "interval": None if row.low is None or row.high is None else (100 * row.low, 100 * row.high),
            "verdict": _verdict(row),
            "dots": _dots(row, most),
            **counts.get(row.id, {"made": 0, "kept": 0}),
        }
        for row in rows
    ]


def _kind(comparison: Comparison) -> str:
    return "mask" if any(row.kind == "mask" for row in comparison.differences) else "box"


def _gain(row: Difference, over: str) -> Gain:
    first, second, low, high = (100 * value for value in (row.first, row.second, row.low, row.high))
    return Gain(GROUPS[row.metric], over, first, second, second - first, low, high, _verdict(row))


def _verdict(row: Difference | CategoryDifference) -> str:
    if not row.clear:
        return "not told apart"
    return "better" if row.second > row.first else "worse"


def _dots(row: CategoryDifference, most: float) -> Markup:
    """A hollow dot before, a full one after, and the interval of the difference around the latter."""
    first, second = (_place(value, most) for value in (row.first, row.second))
    parts = [Markup('<line class="axis" x1="6" x2="{}" y1="9" y2="9"/>').format(_WIDTH - 6)]
    if row.low is not None and row.high is not None:
        low, high = (_place(row.first + value, most) for value in (row.low, row.high))
        parts.append(Markup('<line class="interval" x1="{:.1f}" x2="{:.1f}" y1="9" y2="9"/>').format(low, high))
    parts += [
        Markup('<circle class="before" cx="{:.1f}" cy="9" r="4"/>').format(first),
        Markup('<circle class="after" cx="{:.1f}" cy="9" r="4"/>').format(second),
    ]
    label = f"{100 * row.first:.1f} before, {100 * row.second:.1f} after"
    frame = Markup('<svg class="dots {}" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>')
    return frame.format(_verdict(row).replace(" ", "-"), _WIDTH, _HEIGHT, label, Markup().join(parts))


def _place(value: float, most: float) -> float:
    return 6 + (_WIDTH - 12) * min(max(value / most, 0.0), 1.0)


def best_and_worst(rows: Sequence[Mapping[str, Any]], count: int) -> Iterator[int]:
    """Ids of the categories that changed most, the gains first."""
    ordered = sorted(rows, key=lambda row: -row["change"])
    yield from (row["id"] for row in ordered[:count])
    yield from (row["id"] for row in ordered[count:][-count:])
