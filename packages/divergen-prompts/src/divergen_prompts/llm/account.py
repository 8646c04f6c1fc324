"""Tokens and money."""

from __future__ import annotations

from dataclasses import dataclass

from divergen_records import ConfigError

__all__ = ["Account"]


@dataclass
class Account:
    """What requests used, and how much more they may.

    Attributes:
        price_in: Per million tokens sent, in any currency.
        price_out: Per million tokens received.
        max_cost: No request is sent that could take the cost above this; None for no limit.
        cost: Spent so far, with what earlier runs spent on the same file.
        prompt_tokens: Sent in this run.
        completion_tokens: Received in this run.
        requests: Answered in this run.
        reserved: Expected cost of the requests in flight.
    """

    price_in: float = 0.0
    price_out: float = 0.0
    max_cost: float | None = None
    cost: float = 0.0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    requests: int = 0
    reserved: float = 0.0

    def __post_init__(self) -> None:
        if self.price_in < 0 or self.price_out < 0:
            raise ConfigError(f"prices are {self.price_in} and {self.price_out}; they cannot be negative")
        if self.max_cost is not None and not (self.price_in or self.price_out):
            raise ConfigError(
                f"a cost limit of {self.max_cost} needs prices per million tokens (--price-in, --price-out)"
            )

    def price(self, sent: int, received: int) -> float:
        """Cost of a request."""
        return (sent * self.price_in + received * self.price_out) / 1e6

    def reserve(self, sent: int, received: int) -> float | None:
        """Set the expected cost of a request aside; None if it does not fit the limit."""
        expected = self.price(sent, received)
        if self.max_cost is not None and self.cost + self.reserved + expected > self.max_cost:
            return None
        self.reserved += expected
        return expected

    def release(self, reserved: float) -> None:
        """A request has ended."""
        self.reserved -= reserved

    def spend(self, sent: int, received: int) -> float:
        """Count an answered request; returns its cost."""
        cost = self.price(sent, received)
        self.cost += cost
        self.prompt_tokens += sent
        self.completion_tokens += received
        self.requests += 1
        return cost
