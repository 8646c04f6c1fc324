"""What an evaluation gives: numbers, a table for people, JSON for machines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from divergen_records import Config, Frequency
from pydantic import Field

__all__ = ["CategoryDifference", "CategoryScore", "Comparison", "Difference", "Intervals", "Metrics", "Scores"]

Kind = Literal["box", "mask"]


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


class Intervals(Config):
    """Between what values a metric would lie on more images of the same kind: a basic bootstrap over images.

    Attributes:
        level: How often such an interval should hold the metric.
        resamples: Data sets of equally many images, drawn from the images with replacement.
        box: (low, high) by metric; None where the metric is.
        mask: The same for masks.
    """

    level: float
    resamples: int
    box: dict[str, tuple[float, float] | None]
    mask: dict[str, tuple[float, float] | None]

    def ends(self, kind: str, end: int) -> dict[str, float | None]:
        """The lower (0) or upper (1) ends by metric."""
        intervals: dict[str, tuple[float, float] | None] = getattr(self, kind)
        return {name: None if interval is None else interval[end] for name, interval in intervals.items()}


class Metrics(Config):
    """Metrics of a list of results.

    Attributes:
        box: Scores of the boxes.
        mask: Scores of the masks; nothing but None where the results have none.
        categories: Each category's, in the data set's order.
        images: Images in the ground truth.
        detections: Results that count, at most 300 an image (COCO: 100 for each category).
        federated: Whether a category counts only on images that annotate or negate it, as in LVIS.
        style: Whose rules.
        box_fixed: AP-fixed of the boxes, where asked for.
        mask_fixed: AP-fixed of the masks.
        intervals: How sure the scores are, where asked for.
        box_recall: Average recall of the boxes by name: COCO's AR1, AR10, AR100, ARs, ARm, ARl; LVIS's AR@300, ARs,
            ARm, ARl. Empty where they are not judged, or were written by a release before there was any.
        mask_recall: That of the masks.
    """

    box: Scores
    mask: Scores
    categories: tuple[CategoryScore, ...]
    images: int
    detections: int
    federated: bool
    style: Literal["lvis", "coco"] = "lvis"
    box_fixed: Scores | None = None
    mask_fixed: Scores | None = None
    intervals: Intervals | None = None
    box_recall: dict[str, float | None] = Field(default_factory=dict)
    mask_recall: dict[str, float | None] = Field(default_factory=dict)

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """What is judged: boxes, and masks unless there is nothing but boxes."""
        boxes_alone = self.box.AP is not None and self.mask.AP is None
        return ("box",) if boxes_alone else ("box", "mask")

    def table(self, per_category: bool = False) -> str:
        """The scores in per cent as text, ``–`` where there is none."""
        rows: list[tuple[str, Mapping[str, float | None]]] = []
        for kind in self.kinds:
            rows.append((kind, getattr(self, kind).model_dump()))
            if self.intervals is not None:
                for end, word in enumerate(("  from", "  to")):
                    rows.append((word, self.intervals.ends(kind, end)))
        fixed = {kind: getattr(self, f"{kind}_fixed") for kind in self.kinds}
        rows += [(f"{kind} fixed", scores.model_dump()) for kind, scores in fixed.items() if scores is not None]
        recalls = [(kind, getattr(self, f"{kind}_recall")) for kind in self.kinds]
        lines = [
            *_lines(list(Scores.model_fields), rows),
            *(["", *_lines(list(self.box_recall), recalls)] if self.box_recall else []),
            *(["", *self._category_lines()] if per_category else []),
        ]
        return "\n".join(lines)

    def _category_lines(self) -> list[str]:
        width = max([len(row.name) for row in self.categories] + [8])
        return [
            f"{'category':<{width}}  group  objects" + "".join(f"{kind:>7}" for kind in self.kinds),
            *(
                f"{row.name:<{width}}  {row.frequency or '–':>5}  {row.instances:>7}"
                + "".join(f"{percent(getattr(row, kind)):>7}" for kind in self.kinds)
                for row in self.categories
            ),
        ]


class Difference(Config):
    """How much a second list of results is better than a first one.

    Attributes:
        kind: Boxes or masks.
        metric: Name, for example ``APr``.
        first: Of the first results.
        second: Of the second.
        low: Lower end of the interval of ``second - first``, both on the same resampled images.
        high: Upper end.
    """

    kind: Kind
    metric: str
    first: float
    second: float
    low: float
    high: float

    @property
    def clear(self) -> bool:
        """Whether the interval excludes no difference."""
        return self.low > 0 or self.high < 0


class CategoryDifference(Config):
    """How much better a second list of results finds one category.

    Attributes:
        id: Category id.
        name: Name.
        frequency: Group.
        instances: Objects in the ground truth.
        first: AP of the first results, 0 to 1.
        second: AP of the second.
        low: Lower end of the interval of ``second - first``; None where too few resamples have the category.
        high: Upper end.
    """

    id: int
    name: str
    frequency: Frequency | None
    instances: int
    first: float
    second: float
    low: float | None
    high: float | None

    @property
    def clear(self) -> bool:
        """Whether there is an interval and it excludes no difference."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


class Comparison(Config):
    """Two lists of results on the same images.

    Attributes:
        level: How often such an interval should hold the difference.
        resamples: Resampled data sets.
        differences: By kind and metric.
        categories: Of each category that the ground truth has, by masks where there are any, else by boxes.
    """

    level: float
    resamples: int
    differences: tuple[Difference, ...]
    categories: tuple[CategoryDifference, ...] = ()

    def table(self) -> str:
        """In per cent, with a word on each difference."""
        lines = [f"{'':<11}  first  second   change   {100 * self.level:g} % interval"]
        for row in self.differences:
            verdict = ("better" if row.low > 0 else "worse") if row.clear else "not told apart"
            lines.append(
                f"{row.kind:<5}{row.metric:<6}  {percent(row.first):>5}  {percent(row.second):>6}"
                f"  {100 * (row.second - row.first):>+7.1f}   [{100 * row.low:+.1f}, {100 * row.high:+.1f}]  {verdict}"
            )
        return "\n".join(lines)


def _lines(names: Sequence[str], rows: Sequence[tuple[str, Mapping[str, float | None]]]) -> list[str]:
    """A head and a line for each row, in per cent."""
    width = max(6, *(len(name) for name, _ in rows))
    return [
        " " * width + "".join(f"{name:>7}" for name in names),
        *(f"{name:<{width}}" + "".join(f"{percent(row.get(key)):>7}" for key in names) for name, row in rows),
    ]


def percent(value: float | None) -> str:
    """``0.1234`` as ``12.3``, None as ``–``."""
    return "–" if value is None else f"{100 * value:.1f}"
