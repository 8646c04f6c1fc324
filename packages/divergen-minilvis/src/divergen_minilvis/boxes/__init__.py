"""Boxes: what MiniLVIS shows and what its generators draw, each in one file with the reason for each number."""

from .box import BOXES, Box, Habit, read_box
from .world import generated_member, real_light, real_member

__all__ = ["BOXES", "Box", "Habit", "generated_member", "read_box", "real_light", "real_member"]
