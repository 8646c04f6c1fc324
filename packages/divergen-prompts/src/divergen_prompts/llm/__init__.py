"""Prompts from any OpenAI-compatible endpoint: asked for, checked, sent back with reasons, kept at once."""
