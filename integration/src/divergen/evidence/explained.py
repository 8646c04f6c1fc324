"""What explanations say of a finding, for the page of results."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from divergen_records import ConfigError
from divergen_records.files import read_text

from .comparison import NOT_RUN, NOT_TOLD_APART
from .explanation import Explanation, read_explanation, shown
from .statistics import mean_and_interval

__all__ = ["Explained", "explained_cells", "explanation_section", "find_explanation", "note_of"]

_WANTED = {"gap": -1, "energy": 1}
"""Which way a difference goes that shows the finding: a smaller gap, a higher energy."""


class Explained(NamedTuple):
    """What `divergen explain` left in a folder.

    Attributes:
        folder: The folder.
        content: Of its ``explanation.json``.
    """

    folder: Path
    content: Explanation


def note_of(folder: Path) -> list[str]:
    """What a person left in ``note.md`` of a folder, to be said beside the figures; no line where nothing."""
    path = folder / "note.md"
    return [read_text(path).strip(), ""] if path.exists() else []


def find_explanation(folders: Sequence[Path]) -> Explained | None:
    """The ``explanation.json`` in folders, or one level below; raises `ConfigError` where there are two."""
    paths = [
        path for folder in folders for path in (*folder.glob("explanation.json"), *folder.glob("*/explanation.json"))
    ]
    if len(paths) > 1:
        raise ConfigError(f"{paths[0]} and {paths[1]} are both an explanation; give one")
    return Explained(paths[0].parent, read_explanation(paths[0])) if paths else None


def explained_cells(explanation: Explanation | None, kind: str, ours: str, theirs: str) -> tuple[str, str, str, int]:
    """Verdict, difference, that of rare categories, and how many runs they come from.

    Args:
        explanation: None where nothing was measured.
        kind: ``gap`` or ``energy``.
        ours: Name of the training, or of the objects, that the finding is about.
        theirs: What they are compared with.
    """
    if explanation is None:
        return NOT_RUN, "–", "–", 0
    if kind == "energy":
        changes = explanation.energy_change(ours, theirs)
        cells = f"{shown(changes, places=2, sign='+')} σ" if changes else "–", "–"
    else:
        changes, rare = (explanation.gap_change(ours, theirs, group) for group in ("AP", "APr"))
        cells = f"{shown(changes, 100, sign='+')} TVG", f"{shown(rare, 100, sign='+')} TVGr" if rare else "–"
    return _verdict(changes, _WANTED[kind]), *cells, len(changes)


def explanation_section(explained: Explained) -> Iterator[str]:
    """All that was measured, with the line that measures it and what a person says of it."""
    runs = shlex.join(explained.content.runs)
    yield from ("## Why does it gain?", "", "```", f"$ divergen explain {runs} --out explanation.json")
    yield from (explained.content.table(), "```", "", *note_of(explained.folder))


def _verdict(changes: Sequence[float], wanted: int) -> str:
    if len(changes) < 2:
        return NOT_RUN
    mean, half = mean_and_interval(changes)
    if half is None or abs(mean) <= half:
        return NOT_TOLD_APART
    return "**shown**" if mean * wanted > 0 else "**not shown**: the other way round"
