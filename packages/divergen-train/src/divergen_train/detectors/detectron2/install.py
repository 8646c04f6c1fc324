"""detectron2 is in no package index: what to do when it is not there."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from divergen_records.errors import MissingExtra, lacking

from ..needs import DETECTRON2

__all__ = ["known_warnings", "needs_detectron2"]


_KNOWN = ("`torch.jit", "torch.meshgrid", "Importing from timm.models.layers")
"""What detectron2 and centernet2 still call in the way of older versions of torch and timm, in which it is the same."""


@contextmanager
def known_warnings() -> Iterator[None]:
    """Keep quiet about what no user can change."""
    with warnings.catch_warnings():
        for message in _KNOWN:
            warnings.filterwarnings("ignore", message=message)
        yield


@contextmanager
def needs_detectron2() -> Iterator[None]:
    """Translate a failed import inside the block into the lines that install what is missing.

    Raises:
        MissingExtra: If an import inside the block fails.
    """
    try:
        with known_warnings():
            yield
    except ImportError as error:
        raise MissingExtra(lacking(str(error.name or error), DETECTRON2)) from error
