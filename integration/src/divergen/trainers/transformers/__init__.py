"""Detectors of transformers as a trainer: Mask2Former and its like, and the DETR family for boxes."""
