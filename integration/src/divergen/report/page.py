"""Collect what the report shows, and write it."""

from __future__ import annotations

from datetime import datetime
from importlib import resources
from importlib.metadata import version
from pathlib import Path
from typing import Any

from divergen_records.files import write_text
from divergen_records.pages import template

from ..draw import data_uri
from ..extras import extra_choices, reasons_in_short
from ..feedback import group_feedback
from ..loading import dump_config
from ..run import Run
from ..status import Status, run_status
from ..training import training_titles
from . import figures, gallery
from .categories import category_counts, category_galleries, offenders
from .gains import best_and_worst, category_rows, compared, gains
from .trainings import training_section

__all__ = ["write_report"]

_FREQUENCIES = {"r": "rare", "c": "common", "f": "frequent", "?": "no group", "all": "all"}


def write_report(run: Run) -> Path:
    """Write the report of a run as it is now; a run that is not finished gets what there is.

    Returns:
        The path of the file: light, printable, without links to other files or hosts.
    """
    status = run_status(run)
    page = template((resources.files(__package__) / "template.html").read_text(encoding="utf-8")).render(
        run=run,
        made=datetime.now().astimezone().strftime("%d %B %Y, %H:%M"),
        version=version("divergen"),
        config=dump_config(run.config),
        command=f"divergen run {run.config_path} --out {run.place}",
        settings=_settings(run),
        funnel=_funnel(status),
        errors=[(stage, reason, rows) for (stage, reason), rows in status.errors.items()],
        times=_times(run),
        prompts=status.prompts,
        extra=_extra(run),
        pictures={path.stem: data_uri_of(path) for path in sorted(run.previews.glob("*.jpg"))},
        **_instances(run),
        **_evidence(run),
    )
    write_text(run.report, page, overwrite=True)
    return run.report


def data_uri_of(path: Path) -> str:
    """A JPEG file as a ``data:`` URI."""
    from divergen_records.images import read_image

    return data_uri(read_image(path))


def _funnel(status: Status) -> list[dict[str, Any]]:
    """Counts per frequency group, each with its share of the planned for the bar's length."""
    rows = []
    for group in status.frequencies:
        counts = [("planned", group.planned), ("generated", group.generated), ("masked", group.masked)]
        counts.append(("kept", group.kept))
        if any(count for _, count in counts):
            most = max(count for _, count in counts)
            bars = [{"name": name, "count": count, "share": 100 * count / most} for name, count in counts]
            rows.append({"name": _FREQUENCIES.get(group.frequency, group.frequency), "bars": bars})
    return rows


def _extra(run: Run) -> dict[str, Any] | None:
    """How the extra categories were chosen; None where the run chose none."""
    choices = extra_choices(run)
    if not choices:
        return None
    taken = [choice for choice in choices if choice.taken]
    return {"taken": taken, "reasons": reasons_in_short(choices), "refused": [c for c in choices if not c.taken][:20]}


def _instances(run: Run) -> dict[str, Any]:
    if not run.has_table():
        empty: list[Any] = []
        shown = ("accepted", "rejected", "reasons", "feedback", "helped", "harmed")
        plots = ("histogram", "kept_shares", "accepted_groups", "accepted_shares", "agreement")
        return {**dict.fromkeys(shown, empty), **dict.fromkeys(plots), "unscored": (0, 0)}
    from divergen_filter.review.agreement import agreement

    feedback = group_feedback(run.table)
    return {
        "feedback": feedback,
        "accepted_groups": figures.choice_per_group(feedback),
        "accepted_shares": figures.acceptance_per_category(run.table),
        "helped": gallery.judged_cards(run.table, best=True) if feedback else [],
        "harmed": gallery.judged_cards(run.table, best=False) if feedback else [],
        "accepted": gallery.cards(run.table, kept=True),
        "rejected": gallery.cards(run.table, kept=False),
        "reasons": gallery.reject_reasons(run.table),
        "histogram": figures.similarity_histogram(run.table),
        "unscored": figures.without_similarity(run.table),
        "agreement": agreement(run.table),
        "kept_shares": figures.kept_per_category(run.table),
    }


def _evidence(run: Run) -> dict[str, Any]:
    """What the trainings say, and what was made of each category they were judged on."""
    others = [name for name in training_titles(run.config) if name != "generated"]
    comparisons = {name: found for name in others if (found := compared(run, name)) is not None}
    counts = category_counts(run.table) if run.has_table() else {}
    rows = category_rows(next(iter(comparisons.values())), counts) if comparisons else []
    telling = list(best_and_worst(rows, 12))
    return {
        **training_section(run, telling),
        "gains": gains(run, comparisons),
        "per_category": rows,
        "before": training_titles(run.config)[next(iter(comparisons))] if comparisons else "",
        "offenders": offenders(counts, rows),
        "galleries": category_galleries(run.table, counts, telling) if counts else [],
    }


def _settings(run: Run) -> list[tuple[str, str]]:
    """What decides most about a run, in a line each."""
    config = run.config
    made = ", ".join(generator.name for generator in config.generators)
    rules = ", ".join(map(str, config.rules.rules))
    return [
        ("pictures by", made),
        ("masks by", config.annotator.kind),
        ("kept if", rules),
        ("trained", getattr(config.train, "summary", "") or "nothing"),
    ]


def _times(run: Run) -> list[tuple[str, str]]:
    return [(name, f"{note['seconds']:.0f} s") for name, note in run.notes().items() if note["seconds"] >= 0.5]
