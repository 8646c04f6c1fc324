"""Teach Stable Diffusion 1.x what a category's real objects look like, in a small file per category."""
