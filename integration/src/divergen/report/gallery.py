"""Pictures of accepted and rejected instances, with mask outline, score and reason."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any

from divergen_records import derive_seed
from divergen_records.images import read_image
from divergen_records.masks import decode_counts

from ..draw import ACCEPTED, REJECTED, data_uri, outline, scaled_mask, thumbnail

if TYPE_CHECKING:
    from divergen_records import InstanceTable

__all__ = ["cards", "cards_of", "judged_cards", "kind_of_reason", "reject_reasons"]

_SIDE = 144
_COLUMNS = ["id", "category", "generator", "prompt", "image", "mask", "width", "height", "reject_reason"]


def cards(table: InstanceTable, *, kept: bool, count: int = 24) -> list[dict[str, Any]]:
    """Instances to look at: as many categories and reasons as possible, chosen by id and so without a bias.

    Args:
        table: The instance table.
        kept: Accepted or rejected ones.
        count: How many at most.
    """
    rows = table.select(
        ["id", "category", "reject_reason"], where=f"width IS NOT NULL AND kept = {str(kept).lower()}"
    ).to_pylist()
    chosen = [row["id"] for row in _varied(rows)[:count]]
    found = table.take(chosen, _columns(table)).to_pylist()
    return [_card(row, ACCEPTED if kept else REJECTED) for row in found]


def cards_of(table: InstanceTable, category_id: int, *, kept: bool, count: int) -> list[dict[str, Any]]:
    """Instances of one category, of as many kinds of reasons as possible; see `cards`."""
    where = f"width IS NOT NULL AND kept = {str(kept).lower()} AND category_id = {category_id}"
    rows = table.select(["id", "category", "reject_reason"], where=where).to_pylist()
    found = table.take([row["id"] for row in _varied(rows)[:count]], _columns(table)).to_pylist()
    return [_card(row, ACCEPTED if kept else REJECTED) for row in found]


def judged_cards(table: InstanceTable, *, best: bool, count: int = 12) -> list[dict[str, Any]]:
    """The instances that a training believes to help most, or least: by belief, else by mean contribution; `value`."""
    by = next(
        (name for name in ("belief", "contribution") if name in table.columns and table.count(f"{name} IS NOT NULL")),
        "",
    )
    if not by:
        return []
    rows = table.select(["id", by], where=f"width IS NOT NULL AND {by} IS NOT NULL").sort_by(
        [(by, "descending" if best else "ascending"), ("id", "ascending")]
    )
    found = table.take(rows["id"].to_pylist()[:count], [*_columns(table), by]).to_pylist()
    return [{**_card(row, ACCEPTED if best else REJECTED), "value": row[by]} for row in found]


def _columns(table: InstanceTable) -> list[str]:
    return [*_COLUMNS, *(["inter_similarity"] if "inter_similarity" in table.columns else [])]


def reject_reasons(table: InstanceTable) -> list[tuple[str, int]]:
    """Kinds of reasons (the rule's score) and how many instances each rejected, the most frequent first."""
    groups = table.group_counts(["reject_reason"], where="kept = false")
    counts = Counter[str]()
    for group in groups:
        counts[kind_of_reason(group["reject_reason"])] += group["count"]
    return counts.most_common()


def kind_of_reason(reason: str | None) -> str:
    """What a reason is about: the score of the rule, or a review."""
    return (reason or "no reason").split(" ")[0].rstrip(":").replace("_", " ")


def _varied(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows in an order in which each (category, kind of reason) comes once before any comes twice."""
    turns = Counter[tuple[str, str]]()
    keyed = []
    for row in sorted(rows, key=lambda row: str(row["id"])):
        group = (row["category"], kind_of_reason(row["reject_reason"]))
        keyed.append((turns[group], derive_seed(*group), row))
        turns[group] += 1
    return [row for _, _, row in sorted(keyed, key=lambda item: item[:2])]


def _card(row: dict[str, Any], colour: tuple[int, int, int]) -> dict[str, Any]:
    image = thumbnail(read_image(row["image"]), _SIDE)
    if row["mask"] is not None:
        mask = decode_counts(row["mask"], row["height"], row["width"])
        image = outline(image, scaled_mask(mask, image.shape), colour)
    score = row.get("inter_similarity")
    similarity = "no real crops" if score is None or math.isnan(score) else f"{score:.2f}"
    height, width = image.shape[:2]
    return {**row, "similarity": similarity, "picture": data_uri(image), "width": width, "height": height}
