"""Tables for the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields

from rich.table import Table
from rich.text import Text

from .measures import LOWER_IS_BETTER, DiversityReport, Figures

__all__ = ["comparison", "problem_counts", "worst_categories"]

_NAMES = {
    "prompts": "prompts",
    "distinct_1": "distinct-1",
    "distinct_2": "distinct-2",
    "distinct_3": "distinct-3",
    "self_bleu": "self-BLEU",
    "embedding_distance": "embedding distance",
    "vendi_score": "Vendi score",
    "attribute_coverage": "attribute coverage",
    "duplicate_rate": "duplicate rate",
    "near_duplicate_rate": "near-duplicate rate",
}


def comparison(reports: Mapping[str, DiversityReport]) -> Table:
    """One column per file, the figures within a category (mean) above those over all prompts; the best is bold."""
    table = Table(title=_title(reports))
    for heading in ("", "figure", "better"):
        table.add_column(heading)
    for name in reports:
        table.add_column(name, justify="right")
    for part, label in (("mean", "within a category"), ("overall", "over all prompts")):
        for number, field in enumerate(fields(Figures)):
            values = [getattr(getattr(report, part), field.name) for report in reports.values()]
            table.add_row(label if not number else "", _NAMES[field.name], *_cells(field.name, values))
        table.add_section()
    return table


def _title(reports: Mapping[str, DiversityReport]) -> str:
    first = next(iter(reports.values()))
    pictures = first.pictures_per_category
    budget = "each prompt once" if pictures is None else f"{pictures} pictures per category, prompts used in turn"
    return f"Diversity ({budget}; vectors: {first.embedder})"


def _cells(name: str, values: Sequence[float]) -> list[str | Text]:
    written = [f"{value:,.0f}" if name == "prompts" else f"{round(value, 6):.4g}" for value in values]
    if name == "prompts":
        return ["", *written]
    lower = name in LOWER_IS_BETTER
    which = "lower" if lower else "higher"
    best = min(values) if lower else max(values)
    if min(values) < max(values):
        pairs = zip(written, values, strict=True)
        return [which, *(Text(cell, "bold") if value == best else cell for cell, value in pairs)]
    return [which, *written]


def worst_categories(report: DiversityReport, count: int) -> Table:
    """The categories of the lowest Vendi score."""
    table = Table(title=f"The {count} least diverse categories")
    for heading in (
        "category",
        "prompts",
        "distinct-2",
        "self-BLEU",
        "Vendi score",
        "attribute coverage",
        "duplicates",
    ):
        table.add_column(heading, justify="left" if heading == "category" else "right")
    for key, figures in sorted(report.categories.items(), key=lambda item: item[1].vendi_score)[:count]:
        table.add_row(
            report.names[key],
            f"{figures.prompts:.0f}",
            *(f"{getattr(figures, name):.3g}" for name in ("distinct_2", "self_bleu", "vendi_score")),
            f"{figures.attribute_coverage:.3g}",
            f"{figures.duplicate_rate:.3g}",
        )
    return table


def problem_counts(counts: Mapping[str, int], total: int) -> Table:
    """How many prompts have which problem."""
    table = Table(title=f"{total:,} prompts")
    table.add_column("problem")
    table.add_column("prompts", justify="right")
    for problem, count in sorted(counts.items(), key=lambda item: -item[1]):
        table.add_row(problem, f"{count:,}")
    return table
