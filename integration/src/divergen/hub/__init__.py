"""Instances on the Hugging Face hub: a dataset that `datasets` reads, with a card that says where they are from."""

from .card import describe
from .parquet import Published, read_instances, write_instances
from .transfer import pull, push, write_dataset

__all__ = ["Published", "describe", "pull", "push", "read_instances", "write_dataset", "write_instances"]
