"""What can go wrong with an endpoint.

* SourceEnded
  x EndpointError        the endpoint cannot be used: down, refuses the key, unknown model
* Exception              one request; who asked decides what comes of it
  x Refused              the endpoint will not answer this request: a content filter, the model's own refusal
    · Rejected           it rejects the request's form, or can never finish it
  x LimitReached         sending it could cost more than the limit allows
  x Transient            this one answer was faulty; worth another attempt
    · Unreached          there was no connection: nothing was sent, nothing is paid
    · Unusable           it was answered, and paid for, but holds nothing of use
"""

from __future__ import annotations

from ..errors import SourceEnded

__all__ = ["EndpointError", "LimitReached", "Refused", "Rejected", "Transient", "Unreached", "Unusable"]


class EndpointError(SourceEnded):
    """The endpoint cannot be used; what was answered before is kept, and the same command goes on from there."""


class Refused(Exception):
    """The endpoint will not answer this request, in its own words; others may be answered."""


class Rejected(Refused):
    """The endpoint rejects the request itself, or can never finish it; where it does so with all, it is of no use."""


class LimitReached(Exception):
    """The request was not sent: with it the cost could pass the limit."""


class Transient(Exception):
    """One attempt failed.

    Args:
        reason: What was wrong.
        retry_after: Seconds that the endpoint asks to wait; None if it does not say.
    """

    def __init__(self, reason: str, *, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class Unreached(Transient):
    """There was no connection; nothing was sent, and nothing is paid."""


class Unusable(Transient):
    """An answer that was paid for and holds nothing of use."""
