"""What an LVIS evaluation gives: numbers, a table for people, JSON for machines."""

from __future__ import annotations

from divergen_records import Config, Frequency

__all__ = ["CategoryScore", "Metrics", "Scores"]


class Scores(Config):
    """Average precisions, 0 to 1; None where the ground truth has nothing to judge by.

    Attributes:
        AP: Mean over IoU 0.50 to 0.95 and over categories.
        AP50: At IoU 0.50.
        AP75: At IoU 0.75.
        APs: Objects under 32x32 pixels.
        APm: Objects from 32x32 to 96x96 pixels.
        APl: Objects above 96x96 pixels.
        APr: Rare categories.
        APc: Common categories.
        APf: Frequent categories.
    """

    AP: float | None
    AP50: float | None
    AP75: float | None
    APs: float | None
    APm: float | None
    APl: float | None
    APr: float | None
    APc: float | None
    APf: float | None


class CategoryScore(Config):
    """One category.

    Attributes:
        id: Category id.
        name: Name.
        frequency: Group.
        instances: Objects in the ground truth.
        box: AP of the boxes; None where the ground truth has none of it.
        mask: AP of the masks.
    """

    id: int
    name: str
    frequency: Frequency | None
    instances: int
    box: float | None
    mask: float | None


class Metrics(Config):
    """LVIS metrics of a list of results.

    Attributes:
        box: Scores of the boxes.
        mask: Scores of the masks.
        categories: Each category's, in the data set's order.
        images: Images in the ground truth.
        detections: Results that were judged, at most 300 an image.
        federated: Whether a category counts only on images that annotate or negate it, as in LVIS.
    """

    box: Scores
    mask: Scores
    categories: tuple[CategoryScore, ...]
    images: int
    detections: int
    federated: bool

    def table(self, per_category: bool = False) -> str:
        """The scores in per cent as text, ``–`` where there is none."""
        names = list(Scores.model_fields)
        lines = ["      " + "".join(f"{name:>7}" for name in names)]
        lines += [
            f"{kind:<6}" + "".join(f"{percent(value):>7}" for value in scores.model_dump().values())
            for kind, scores in (("box", self.box), ("mask", self.mask))
        ]
        if per_category:
            width = max([len(row.name) for row in self.categories] + [8])
            lines += ["", f"{'category':<{width}}  group  objects    box   mask"]
            lines += [
                f"{row.name:<{width}}  {row.frequency or '–':>5}  {row.instances:>7}"
                f"  {percent(row.box):>5}  {percent(row.mask):>5}"
                for row in self.categories
            ]
        return "\n".join(lines)


def percent(value: float | None) -> str:
    """``0.1234`` as ``12.3``, None as ``–``."""
    return "–" if value is None else f"{100 * value:.1f}"
