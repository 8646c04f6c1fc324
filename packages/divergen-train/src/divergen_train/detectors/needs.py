"""How to get what no extra can bring: detectron2 is in no package index."""

from __future__ import annotations

__all__ = ["CENTERNET2", "DETECTRON2"]

CENTERNET2 = "pip install --no-deps centernet2"

DETECTRON2 = (
    "pip install --no-build-isolation 'git+https://github.com/facebookresearch/detectron2.git' (from source, for the "
    f"torch that is there: detectron2.readthedocs.io; CenterNet2 needs one more line: {CENTERNET2}; the detector of "
    "kind 'torchvision' works without both)"
)
