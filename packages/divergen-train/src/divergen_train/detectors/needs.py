"""How to get what no extra can bring: detectron2 is in no package index."""

from __future__ import annotations

__all__ = ["CENTERNET2", "DETECTRON2"]

CENTERNET2 = "pip install --no-deps centernet2"

DETECTRON2 = (
    "Its authors have it installed from source, for the torch that is there: pip install --no-build-isolation "
    "'git+https://github.com/facebookresearch/detectron2.git' (see detectron2.readthedocs.io). CenterNet2 needs "
    f"one more line: {CENTERNET2}. The detector of kind 'torchvision' works without both"
)
