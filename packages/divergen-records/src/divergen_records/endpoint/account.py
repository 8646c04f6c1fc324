"""Tokens, pictures and money."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..errors import ConfigError

__all__ = ["Account", "Usage"]

_ROUNDING = 1e-9
"""Three times 0.1 is within a limit of 0.3."""


@dataclass(frozen=True)
class Usage:
    """What a request used.

    Attributes:
        sent: Tokens of the request.
        received: Tokens of the answer, with what the model reasoned.
        pictures: Pictures in the answer.
        cost: What the endpoint itself says that it cost (OpenRouter's ``usage.cost``).
    """

    sent: int = 0
    received: int = 0
    pictures: int = 0
    cost: float = 0.0


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
        reserved: What the requests in flight may cost.
        price_picture: Per picture received.
        pictures: Received in this run.
        lost: Requests whose answer never came; they count as if they had cost all that they might.
        lost_cost: What is counted for them, within ``cost``.
    """

    price_in: float = 0.0
    price_out: float = 0.0
    max_cost: float | None = None
    cost: float = 0.0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    requests: int = 0
    reserved: float = 0.0
    price_picture: float = 0.0
    pictures: int = 0
    lost: int = 0
    lost_cost: float = 0.0

    def __post_init__(self) -> None:
        prices = (self.price_in, self.price_out, self.price_picture)
        if not all(0 <= price < math.inf for price in prices):
            raise ConfigError(f"prices are {', '.join(map(str, prices))}; they cannot be negative, nor without end")
        if self.max_cost is not None and not self.max_cost >= 0:
            raise ConfigError(f"the cost limit is {self.max_cost}; it cannot be negative")
        if self.max_cost is not None and not any(prices):
            raise ConfigError(
                f"a cost limit of {self.max_cost} needs prices per million tokens (--price-in, --price-out)"
            )

    def price(self, sent: int, received: int, pictures: int = 0) -> float:
        """Cost of a request."""
        return (sent * self.price_in + received * self.price_out) / 1e6 + pictures * self.price_picture

    def reserve(self, sent: int, received: int, pictures: int = 0, least: float = 0.0) -> float | None:
        """Set aside what a request may cost, and no less than ``least``; None if it does not fit the limit."""
        most = max(least, self.price(sent, received, pictures))
        if self.max_cost is not None and self.cost + self.reserved + most > self.max_cost * (1 + _ROUNDING):
            return None
        self.reserved += most
        return most

    def affordable(self, sent: int) -> int:
        """Tokens that an answer may have beside what is spent and reserved; may be negative. Needs a limit."""
        if self.max_cost is None or not self.price_out:
            raise ConfigError("without a cost limit and a price of the tokens received any answer is affordable")
        return int((self.max_cost - self.cost - self.reserved - self.price(sent, 0)) / self.price_out * 1e6)

    def release(self, reserved: float) -> None:
        """A request has ended."""
        self.reserved = max(0.0, self.reserved - reserved)

    def spend(self, sent: int, received: int, pictures: int = 0, told: float = 0.0) -> float:
        """Count an answered request; returns its cost, the endpoint's word for it where that is more."""
        cost = max(told, self.price(sent, received, pictures))
        self.cost += cost
        self.prompt_tokens += sent
        self.completion_tokens += received
        self.pictures += pictures
        self.requests += 1
        return cost

    def lose(self, reserved: float) -> float:
        """Count a request whose answer never came by all that it may have cost; returns that."""
        self.cost += reserved
        self.lost_cost += reserved
        self.lost += 1
        return reserved
