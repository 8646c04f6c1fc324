"""Somebody else's package: one backend for every door."""
