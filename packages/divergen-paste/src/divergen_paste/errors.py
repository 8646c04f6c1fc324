"""What divergen-paste adds to the errors of `divergen_records.errors`.

* DivergenError
  x PoolError    an instance pool is missing, damaged, of another version, or was rebuilt while in use
"""

from __future__ import annotations

from divergen_records import DivergenError

__all__ = ["PoolError"]


class PoolError(DivergenError):
    """An instance pool cannot be used."""
