"""Detectors: the protocol that the trainer knows, and the networks that keep it."""
