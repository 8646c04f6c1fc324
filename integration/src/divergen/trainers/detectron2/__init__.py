"""A user's own training script on detectron2; `launch` runs where detectron2 is, and imports nothing of this house."""
