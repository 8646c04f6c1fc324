"""A request, and how long its answer may be."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .client import CHAT, Route, StatusError
from .options import Option

__all__ = ["IN_ONE_PIECE", "AnswerLimit", "Query", "chat"]

IN_ONE_PIECE = Option(
    "an answer in one piece", ({}, {"stream": True}), ("stream", "streaming", "streamed"), doubted=False
)
"""Some servers send nothing but streams."""
_NO_SYSTEM = ("system role", "system message", "system prompt", "'system'", "roles must alternate")

_KEYS = ("max_completion_tokens", "max_tokens")
"""The two names that the limit of output tokens has; the second is the older."""
_TOO_LONG = re.compile(
    r"(?=.*(?:token|context))(?=.*(?:too (?:large|long|many)|at most|exceed|maximum|context (?:length|size|window)"
    r"|must be (?:<|less|smaller|below)|should be (?:<|less|between|in|\[)|greater than \d))",
    re.IGNORECASE | re.DOTALL,
)
_TOO_LONG_STATUSES = (400, 413, 422)


@dataclass(frozen=True)
class Query:
    """A request, whatever endpoint it is sent to.

    Attributes:
        body: Parameters that are always sent.
        tokens: Their length, estimated.
        route: What is asked for.
        options: Parameters that an endpoint may refuse, in the order in which they are doubted.
        limit: Output tokens to allow at first; 0 sends no limit.
        least: Output tokens without which the answer is of no use.
        most: Output tokens to allow where answers are cut off.
        pictures: Pictures asked for.
    """

    body: Mapping[str, Any]
    tokens: int
    route: Route = CHAT
    options: tuple[Option, ...] = ()
    limit: int = 0
    least: int = 1
    most: int = 0
    pictures: int = 0


def chat(rules: str, text: str) -> Option:
    """Messages with rules in the system's place; at the head of the user's where a model takes none there."""
    apart = [{"role": "system", "content": rules}, {"role": "user", "content": text}]
    whole = [{"role": "user", "content": f"{rules}\n\n{text}"}]
    return Option("the system's message", ({"messages": apart}, {"messages": whole}), _NO_SYSTEM, doubted=False)


class AnswerLimit:
    """The output tokens to ask for: more where answers were cut off, fewer where the endpoint takes no more.

    Args:
        extra: Further parameters of every request; where they hold a limit, it is the user's and stays.
        say: Told when it changes.
    """

    def __init__(self, extra: Mapping[str, Any], say: Callable[[str], None]) -> None:
        self._own = max((int(extra[key]) for key in _KEYS if isinstance(extra.get(key), (int, float))), default=0)
        self._say = say
        self._wider = 1
        self._ceiling = 0

    def of(self, query: Query) -> int:
        """The limit to send with a request."""
        if self._own:
            return self._own
        wanted = min(query.limit * self._wider, max(query.most, query.limit))
        return min(wanted, self._ceiling) if self._ceiling else wanted

    def least(self, query: Query) -> int:
        """The limit below which it is not worth sending."""
        return self._own or min(query.least, self.of(query))

    def option(self, query: Query, limit: int) -> tuple[Option, ...]:
        """The limit as a part of the request, by either name; none where there is none or the user sets it."""
        if not query.limit or self._own:
            return ()
        return (Option("the limit of output tokens", (*({key: limit} for key in _KEYS), {})),)

    def widen(self, query: Query, limit: int, received: int) -> bool:
        """Allow longer answers after one was cut off; whether the next may be longer.

        Args:
            query: The request.
            limit: What was sent with it.
            received: Tokens of the answer; where they are more, the endpoint keeps to a limit of its own.
        """
        now = self.of(query)
        if received > limit > 0:
            return False
        if limit < now:  # others have widened it meanwhile, or the money allowed no more
            return True
        if self._own or self._ceiling or now >= query.most:
            return False
        self._wider *= 2
        self._say(f"cut an answer off at {now:,} tokens: {self.of(query):,} are allowed from now on")
        return True

    def narrow(self, query: Query, limit: int, error: StatusError) -> bool:
        """Allow shorter answers where the endpoint takes no request with so long ones; whether that may help."""
        too_long = error.status in _TOO_LONG_STATUSES and _TOO_LONG.search(error.said)
        if not too_long or self._own or limit <= query.least:
            return False
        self._ceiling = max(query.least, min(self._ceiling or limit, limit // 2))
        return True
