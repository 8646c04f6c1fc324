"""From a config and a data set's categories to a detector."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .protocol import Detector

if TYPE_CHECKING:
    from divergen_records import Category

    from .config import DetectorConfig

__all__ = ["build_detector"]


def build_detector(config: DetectorConfig, categories: Sequence[Category], *, pretrained: bool = True) -> Detector:
    """The detector for a data set's categories, which also tell it how many images show each of them.

    Args:
        config: The detector.
        categories: In the order of the labels.
        pretrained: Load the backbone's ImageNet weights. A checkpoint brings all weights itself, and is read on
            machines that do not have those.
    """
    if not pretrained and hasattr(config, "untrained"):
        config = config.untrained()
    return config.build(len(categories), [category.image_count or 0 for category in categories])
