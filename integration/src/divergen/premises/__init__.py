"""Does what the papers take for granted hold in these data? Measured on real images, and on what generators draw."""

from .measure import PARTS, measure_premises
from .report import Premise, PremiseReport, over_seeds

__all__ = ["PARTS", "Premise", "PremiseReport", "measure_premises", "over_seeds"]
