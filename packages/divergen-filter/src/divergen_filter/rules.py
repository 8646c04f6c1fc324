"""What is kept, as data: rules of a score, a comparison and a threshold."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeAlias, get_args

from divergen_records import Config
from divergen_records.settings import validate_settings
from divergen_records.yaml_files import read_yaml
from pydantic import Field, model_validator

__all__ = [
    "MASK_SCORES",
    "REAL_SCORES",
    "Best",
    "CalibrationConfig",
    "Quantile",
    "RealScore",
    "Rule",
    "RulesConfig",
    "Tolerant",
    "idle_rules",
    "read_rules",
]

RealScore: TypeAlias = Literal[
    "inter_similarity",
    "max_similarity",
    "top_similarity",
    "similarity_percentile",
    "rival_margin",
    "rival_share",
    "mahalanobis",
]
"""Scores against real crops; NaN where the category has none."""

REAL_SCORES: tuple[RealScore, ...] = get_args(RealScore)

MASK_SCORES = ("area_fraction", "components", "border_contact", "solidity", "thin_share", "mask_score")
"""Columns of the mask that annotation writes."""


_RANGES = {
    **dict.fromkeys(("area_fraction", "border_contact", "solidity", "thin_share", "mask_score"), (0.0, 1.0)),
    **dict.fromkeys(("rival_share", "similarity_percentile", "sharpness", "saturation"), (0.0, 1.0)),
    **dict.fromkeys(("inter_similarity", "max_similarity", "top_similarity", "clip_score"), (-1.0, 1.0)),
    **dict.fromkeys(("intra_similarity", "nearest_generated", "duplicate_similarity"), (-1.0, 1.0)),
}
"""Least and largest value of scores that have them."""

_RULE = re.compile(r"\s*(?P<score>[A-Za-z_]\w*)\s*(?P<op>>=|<=|==|>|<)\s*(?P<threshold>\S+)\s*")


class CalibrationConfig(Config):
    """How a category's threshold of inter-similarity is found from real crops; see `divergen_filter.calibrate`.

    Attributes:
        method: ``wrong-category``: as similar as ``share`` of the real objects of other categories at most would be.
            ``leave-one-out``: as similar as all but ``share`` of the category's own real crops are to each other.
        share: Share of the other categories' objects that would pass, or of the own that would not.
        shrinkage: So many crops' weight has the pooled estimate beside that of the category (leave-one-out).
    """

    method: Literal["wrong-category", "leave-one-out"] = "wrong-category"
    share: float = Field(default=0.2, gt=0, lt=1)
    shrinkage: float = Field(default=20.0, ge=0)


class Quantile(Config):
    """A threshold for each category: the quantile of the scores of its instances that the rules before have left."""

    quantile: float = Field(gt=0, lt=1)

    def __str__(self) -> str:
        return f"the {self.quantile:.0%} quantile of the category"


class Best(Config):
    """So many instances of each category: the best ones that the rules before have left."""

    best: int = Field(ge=1)

    def __str__(self) -> str:
        return f"the best {self.best} of the category"


class Tolerant(Config):
    """X-Paste's threshold: a number, lowered where even the category's best instance hardly reaches it.

    An instance is kept from ``min(at_least, best of its category - tolerance)`` on.

    Attributes:
        at_least: For example 0.21, of CLIP ViT-L/14.
        tolerance: X-Paste: 0.01 (1 in its units of 100 times the cosine).
    """

    at_least: float
    tolerance: float = Field(ge=0)

    def __str__(self) -> str:
        return f"{self.at_least}, or the category's best - {self.tolerance}"


class Rule(Config):
    """An instance is kept only if ``score op threshold`` holds; may be said so, ``"rival_share <= 0.2"``.

    Attributes:
        score: A numeric or boolean column of the instance table, or one that a score would write; a run says which
            there are where this is none of them.
        op: The comparison. ``>=`` and ``>`` say that high is good, ``<=`` and ``<`` that low is.
        threshold: A number; ``calibrated``, the category's own threshold from its real crops (inter-similarity only;
            see `divergen_filter.calibrate`); or one that depends on the other instances of the category.
    """

    score: str = Field(pattern=r"^[A-Za-z_]\w*$")
    op: Literal[">=", "<=", ">", "<", "=="]
    threshold: Annotated[float, Field(allow_inf_nan=False)] | Literal["calibrated"] | Quantile | Best | Tolerant

    @model_validator(mode="before")
    @classmethod
    def _read(cls, said: Any) -> Any:
        found = _RULE.fullmatch(said) if isinstance(said, str) else None
        return said if found is None else found.groupdict()

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.threshold == "calibrated" and (self.score != "inter_similarity" or self.op not in (">=", ">")):
            raise ValueError(
                f"a calibrated threshold exists for inter_similarity >= or > only, not for {self.score} {self.op}; "
                "give a number"
            )
        if isinstance(self.threshold, Tolerant) and self.op not in (">=", ">"):
            raise ValueError(f"a tolerant threshold is for >= or >, not for {self.score} {self.op}")
        if self.op == "==" and not isinstance(self.threshold, float):
            raise ValueError(f"{self.score} == takes a number")
        return self

    @property
    def within_category(self) -> bool:
        """Whether the threshold depends on the other instances of the category."""
        return isinstance(self.threshold, (Quantile, Best, Tolerant))

    def __str__(self) -> str:
        return f"{self.score} {self.op} {self.threshold}"


_DEFAULT_RULES = (
    Rule(score="area_fraction", op=">=", threshold=0.05),
    Rule(score="area_fraction", op="<=", threshold=0.95),
    Rule(score="components", op="==", threshold=1),
    Rule(score="border_contact", op="<=", threshold=0.1),
    Rule(score="rival_share", op="<=", threshold=0.2),
)


class RulesConfig(Config):
    """What is kept: every rule must hold.

    The paper's rules are area 5 to 95 %, one component, and inter-similarity >= 0.6 with CLIP ViT-L/14. 0.6 means
    nothing on another model, and a threshold from real crops rejects what is generated for being so. The default asks
    that at most a fifth of the other categories' real crops are nearer: it is a share, so it means the same on every
    model, however far generated pictures are from photographs, and of objects of other categories a fifth passes.

    Attributes:
        rules: In the order in which they are tried; the first that fails is the reason.
        no_reference: Categories without real crops have no similarity: ``ignore`` leaves those rules out for them, so
            that the others decide; ``reject`` keeps none of them.
        calibration: How the ``calibrated`` thresholds are found.
        reviews: What people's verdicts do: ``overrule`` the rules, ``require`` that also (what no person has kept is
            rejected), or ``ignore`` them.
    """

    rules: tuple[Rule, ...] = _DEFAULT_RULES
    no_reference: Literal["ignore", "reject"] = "ignore"
    calibration: CalibrationConfig = CalibrationConfig()
    reviews: Literal["overrule", "require", "ignore"] = "overrule"


def read_rules(path: Path | None) -> RulesConfig:
    """Rules from a JSON or YAML file, an object or the list of rules alone; the default rules where there is none.

    Raises:
        ConfigError: Naming the file, the key and what is wrong.
    """
    if path is None:
        return RulesConfig()
    said = read_yaml(path)  # JSON is YAML
    rules: RulesConfig = validate_settings(
        RulesConfig, {"rules": said} if isinstance(said, list) else said, where=str(path)
    )
    return rules


def idle_rules(rules: RulesConfig) -> list[str]:
    """A sentence for each rule whose threshold no score can lie on the other side of."""
    found = []
    for rule in rules.rules:
        low, high = _RANGES.get(rule.score, (-math.inf, math.inf))
        if isinstance(rule.threshold, float) and not low <= rule.threshold <= high:
            found.append(
                f"{rule.score} lies in {low:g} to {high:g}, so the rule {rule.op} {rule.threshold:g} treats all alike"
            )
    return found
