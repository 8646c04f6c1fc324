"""What only training raises.

* DivergenError
  x TrainingDiverged     the loss is no longer a number
"""

from __future__ import annotations

from divergen_records.errors import DivergenError

__all__ = ["TrainingDiverged"]


class TrainingDiverged(DivergenError):
    """The loss is no longer a number."""
