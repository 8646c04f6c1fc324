"""A pasted image and what it is compared with."""

from __future__ import annotations

from torch import Tensor

from ..detectors.protocol import Target

__all__ = ["Versions"]


class Versions(Target):
    """A pasted image's `Target` with what it is compared with.

    Keys:
        original: The image without what was pasted, equally augmented.
        matched: A training image that shows one of the pasted categories; None where none does.
    """

    original: tuple[Tensor, Target]
    matched: tuple[Tensor, Target] | None
