"""What divergen-paste adds to the errors of `divergen_records.errors`.

* DivergenError
  x PoolError    an instance pool is missing, damaged, of another version, or was rebuilt while in use
  x WorkerDied   a process that shared the work ended in the middle
"""

from __future__ import annotations

from divergen_records import DivergenError

__all__ = ["PoolError", "WorkerDied"]


class PoolError(DivergenError):
    """An instance pool cannot be used."""


class WorkerDied(DivergenError):
    """A process that shared the work ended in the middle."""
