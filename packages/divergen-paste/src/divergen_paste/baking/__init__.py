"""Bake: write the augmented dataset to disk, for trainers that read files."""

from .write import bake

__all__ = ["bake"]
