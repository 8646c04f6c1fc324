"""Thresholds of inter-similarity from real crops: a 0.6 means nothing on another model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from divergen_records import ConfigError
from numpy.typing import NDArray

from .decision import needs_references
from .references import References
from .rules import RulesConfig
from .similarity import leave_one_out

__all__ = ["PAPER_THRESHOLD", "Calibration", "CategoryCalibration", "Method", "calibrate", "rule_thresholds"]

Method: TypeAlias = Literal["wrong-category", "leave-one-out"]

PAPER_THRESHOLD = 0.6
"""DiverGen's threshold of inter-similarity, on CLIP ViT-L/14."""

_OTHERS = 4096
"""Crops of other categories that a threshold is estimated from, at most, evenly spread over the references: the share
that passes is then known to a standard error of 0.6 %."""


@dataclass(frozen=True, slots=True)
class CategoryCalibration:
    """A category's threshold and what it would do to real crops.

    Attributes:
        category_id: Category id in the dataset.
        crops: Its real crops.
        threshold: Inter-similarity from which an instance is kept.
        own_kept: Share of its real crops that would pass, each compared with the rest; NaN for a single crop.
        others_kept: Share of the other categories' real crops that would pass; NaN where there are none.
    """

    category_id: int
    crops: int
    threshold: float
    own_kept: float
    others_kept: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """Thresholds by category.

    Attributes:
        method: How they were found.
        share: See `calibrate`.
        categories: One entry per category with real crops, by category id.
        paper_own_kept: Share of all real crops that would pass the paper's `PAPER_THRESHOLD`, each compared with the
            rest of its category; NaN where no category has two.
        paper_others_kept: Share of other categories' real crops that would pass it.
    """

    method: Method
    share: float
    categories: tuple[CategoryCalibration, ...]
    paper_own_kept: float
    paper_others_kept: float

    def thresholds(self) -> dict[int, float]:
        """Category id -> threshold."""
        return {category.category_id: category.threshold for category in self.categories}

    def __str__(self) -> str:
        median = float(np.median([category.threshold for category in self.categories]))
        lines = [
            f"method {self.method}, share {self.share}: median threshold {median:.3f}",
            f"the paper's {PAPER_THRESHOLD} (CLIP ViT-L/14) here keeps {self.paper_own_kept:.0%} of the real crops "
            f"and {self.paper_others_kept:.0%} of those of other categories",
            f"{'category':>10} {'crops':>6} {'threshold':>9} {'own kept':>9} {'others kept':>11}",
        ]
        for row in self.categories:
            numbers = f"{row.threshold:>9.3f} {row.own_kept:>9.2f} {row.others_kept:>11.2f}"
            lines.append(f"{row.category_id:>10} {row.crops:>6} {numbers}")
        return "\n".join(lines)


def calibrate(
    references: References,
    *,
    method: Method = "wrong-category",
    share: float = 0.2,
    shrinkage: float = 20.0,
) -> Calibration:
    """Find each category's threshold of inter-similarity.

    ``wrong-category`` asks what an object of *another* category scores, and lets at most ``share`` of those pass. It
    needs a single crop of the category itself, which rare ones have; the estimate rests on all the others. Generated
    pictures are less similar to photographs than photographs are to each other, whatever they show, so fewer
    generated objects of another category pass than ``share``.

    ``leave-one-out`` asks what real objects of the category score among themselves, and lets all but ``share`` of
    those pass. The quantile is shrunk towards that of all categories together, with the weight of ``shrinkage`` crops.
    It is strict: right where generated pictures and photographs look alike to the embedder.

    Args:
        references: Real crops' embeddings.
        method: See above.
        share: See above, between 0 and 1.
        shrinkage: See above, crops.

    Raises:
        ConfigError: If the references cannot answer the method's question.
    """
    sums = references.sums
    rows = sums.rows(references.category_ids)
    thresholds = _thresholds(references, method, share, shrinkage)
    own = leave_one_out(references.embeddings, references.category_ids, sums)
    others, other_rows = _others(references)
    found, by_category = [], np.split(own[np.argsort(rows, kind="stable")], np.cumsum(sums.counts)[:-1])
    paper_passes, pairs = 0, 0
    for row, category_id in enumerate(sums.ids):
        mine, foreign = by_category[row], others[row, other_rows != row]
        paper_passes, pairs = paper_passes + int((foreign >= PAPER_THRESHOLD).sum()), pairs + len(foreign)
        found.append(
            CategoryCalibration(
                int(category_id),
                int(sums.counts[row]),
                float(thresholds[row]),
                _share(int((mine >= thresholds[row]).sum()), len(mine) if len(mine) > 1 else 0),
                _share(int((foreign >= thresholds[row]).sum()), len(foreign)),
            )
        )
    measured = own[~np.isnan(own)]
    paper_own = _share(int((measured >= PAPER_THRESHOLD).sum()), len(measured))
    return Calibration(method, share, tuple(found), paper_own, _share(paper_passes, pairs))


def rule_thresholds(rules: RulesConfig, references: References | None) -> dict[int, float] | None:
    """Category id -> the threshold that `calibrate` finds; None where no rule is calibrated or no references are given.

    Raises:
        ConfigError: If the references cannot answer the method's question.
    """
    if references is None or not needs_references(rules):
        return None
    found = _thresholds(references, **rules.calibration.model_dump())
    return dict(zip(references.sums.ids.tolist(), found.tolist(), strict=True))


def _thresholds(references: References, method: Method, share: float, shrinkage: float) -> NDArray[np.float64]:
    """Of each category (C,), in the order of the references' sums."""
    if method == "wrong-category":
        return _wrong_category(*_others(references), share)
    sums = references.sums
    own = leave_one_out(references.embeddings, references.category_ids, sums)
    return _leave_one_out(own, sums.rows(references.category_ids), sums.counts, share, shrinkage)


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")


def _others(references: References) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Similarity of every category to a spread of real crops (C, M), and these crops' own categories' rows (M,)."""
    count, sums = len(references.embeddings), references.sums
    chosen = np.unique(np.linspace(0, count - 1, min(count, _OTHERS)).round().astype(np.int64))
    means = sums.sums / sums.counts[:, None]
    return means @ references.embeddings[chosen].astype(np.float64).T, sums.rows(references.category_ids[chosen])


def _wrong_category(similarity: NDArray[np.float64], rows: NDArray[np.int64], share: float) -> NDArray[np.float64]:
    if len(np.unique(rows)) < 2:
        raise ConfigError(
            "calibration by wrong-category needs real crops of two categories, these references have one; "
            "use method leave-one-out, or give the threshold as a number"
        )
    found = [_just_above(mine[rows != row], share) for row, mine in enumerate(similarity)]
    return np.array(found, dtype=np.float64)


def _just_above(values: NDArray[np.float64], share: float) -> float:
    """The least float32 that at most ``share`` of the values reach, also where many of them are equal."""
    last = len(values) - 1 - int(share * len(values))  # in ascending order, the largest that must not reach it
    return float(np.nextafter(np.float32(np.partition(values, last)[last]), np.float32(np.inf)))


def _leave_one_out(
    own: NDArray[np.float64], rows: NDArray[np.int64], counts: NDArray[np.int64], share: float, shrinkage: float
) -> NDArray[np.float64]:
    measured = ~np.isnan(own)
    if not measured.any():
        raise ConfigError(
            "calibration by leave-one-out needs a category with two real crops, these references have one of each; "
            "use method wrong-category, or give the threshold as a number"
        )
    pooled = float(np.quantile(own[measured], share))
    thresholds = np.full(len(counts), pooled)
    by_category = np.split(own[np.argsort(rows, kind="stable")], np.cumsum(counts)[:-1])
    for row, count in enumerate(counts):
        if count > 1:
            weight = count / (count + shrinkage)
            thresholds[row] = weight * np.quantile(by_category[row], share) + (1 - weight) * pooled
    return thresholds
