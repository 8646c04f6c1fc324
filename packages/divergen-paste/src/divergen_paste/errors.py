"""What divergen-paste adds to the errors of `divergen_records.errors`.

* DivergenError
  x PoolError    an instance pool is missing, damaged, of another version, or was rebuilt while in use
  x NothingLeft  all pictures or instances were left out, so nothing is written
  x WorkerDied   a process that shared the work ended in the middle
"""

from __future__ import annotations

from divergen_records import DivergenError

__all__ = ["NothingLeft", "PoolError", "WorkerDied"]


class PoolError(DivergenError):
    """An instance pool cannot be used."""


class NothingLeft(DivergenError):
    """All of it was left out; commands end with status 1."""


class WorkerDied(DivergenError):
    """A process that shared the work ended in the middle."""
