"""What can go wrong with an endpoint.

* DivergenError
  x EndpointError        the endpoint cannot be used: down, refuses, unknown model; accepted prompts stay in the file
* Exception
  x Transient            this one answer was faulty; worth another attempt
"""

from __future__ import annotations

from divergen_records import DivergenError

__all__ = ["EndpointError", "Transient"]


class EndpointError(DivergenError):
    """The endpoint cannot be used; what was accepted stays in the file, and the same command goes on from there."""


class Transient(Exception):
    """One attempt failed.

    Args:
        reason: What was wrong.
        retry_after: Seconds that the endpoint asks to wait; None if it does not say.
    """

    def __init__(self, reason: str, *, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after
