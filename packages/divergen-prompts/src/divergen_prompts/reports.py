"""Diversity and checks of whole files."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from divergen_records.files import write_text

from .embedders import Embedder
from .files import read_prompts
from .measures import DiversityReport, diversity

__all__ = ["count_problems", "measure_files", "write_reports"]


def measure_files(
    paths: Sequence[Path], *, pictures_per_category: int | None = None, embedder: Embedder | None = None
) -> dict[str, DiversityReport]:
    """`diversity` of prompts files, by the file's name.

    Args:
        paths: The files; several are compared at an equal number of pictures per category.
        pictures_per_category: That number; None takes the most prompts that any file has for a category where there are
            several files, and each prompt once where there is one.
        embedder: As in `diversity`.
    """
    files = {_name(path, paths): read_prompts(path) for path in paths}
    if pictures_per_category is None and len(files) > 1:
        counts = [Counter(prompt.category_id for prompt in prompts) for prompts in files.values()]
        pictures_per_category = max((max(count.values()) for count in counts if count), default=None)
    return {
        name: diversity(prompts, pictures_per_category=pictures_per_category, embedder=embedder)
        for name, prompts in files.items()
    }


def _name(path: Path, paths: Sequence[Path]) -> str:
    return path.stem if [other.stem for other in paths].count(path.stem) == 1 else str(path)


def write_reports(path: Path, reports: Mapping[str, DiversityReport], *, overwrite: bool = False) -> None:
    """All figures as JSON: file -> overall, mean, categories."""
    content = {name: asdict(report) for name, report in reports.items()}
    write_text(path, json.dumps(content, indent=1), overwrite=overwrite)


def count_problems(problems: Iterable[Sequence[str]]) -> dict[str, int]:
    """How many prompts have which problem; details in parentheses are left out. Good ones count as "none"."""
    counts = Counter(problem.split(" (")[0] for found in problems for problem in (found or ["none"]))
    return dict(counts)
