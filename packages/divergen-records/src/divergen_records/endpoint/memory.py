"""What one connection learned of an endpoint, for the next one."""

from __future__ import annotations

from dataclasses import dataclass, field

from .options import Options

__all__ = ["Memory", "Seen"]


@dataclass
class Seen:
    """What an endpoint's answers showed of its counting.

    Attributes:
        any: Whether it has answered.
        ratio: Tokens sent that it counts, for each that was estimated; 1 at least.
        longest: Tokens of the longest answer beyond its limit.
        dearest: Cost of the dearest answer, by the endpoint's word, beyond what was set aside for it.
    """

    any: bool = False
    ratio: float = 1.0
    longest: int = 0
    dearest: float = 0.0


@dataclass
class Memory:
    """Given to one `Endpoint` after the other, it saves asking again what was refused, and saying it again.

    Attributes:
        options: What is known to be refused.
        seen: What was counted.
        at_once: Requests that are let through at once, where they were too many.
    """

    options: Options = field(default_factory=Options)
    seen: Seen = field(default_factory=Seen)
    at_once: int | None = None
