"""What only the choice of generated samples raises.

* DivergenError
  x LossNotPerSample     the loss function gave one number for the batch, or the wrong shape
  x ModelChanged         the model is not the one that the kept direction was measured on
  x NothingObserved      an estimate was asked for before any real data was seen
"""

from __future__ import annotations

from divergen_records.errors import DivergenError

__all__ = ["LossNotPerSample", "ModelChanged", "NothingObserved"]


class LossNotPerSample(DivergenError):
    """The loss function does not give one loss for each sample."""


class ModelChanged(DivergenError):
    """The model is not the one that the kept direction was measured on."""


class NothingObserved(DivergenError):
    """No real data was seen yet."""
