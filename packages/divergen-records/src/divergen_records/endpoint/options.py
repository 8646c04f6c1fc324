"""Parts of a request that some endpoints refuse, and what stands in for them."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Choice", "Option", "Options"]

Choice = Mapping[str, int]
"""Name of an option -> which of its forms is sent."""

_DOUBTFUL = (400, 404, 405, 415, 422, 500, 501)
"""Statuses by which endpoints refuse parameters: 404 OpenRouter, 500 llama.cpp, 501 and 422 others."""
_CERTAIN_AFTER = 2
_LONGEST_SHOWN = 80


@dataclass(frozen=True)
class Option:
    """A part of a request.

    Attributes:
        name: What it is called when its refusal is told.
        forms: The parameters, the best form first; an empty one leaves the option out.
        words: How an endpoint may name it in a refusal, beside the parameters' own names.
        doubted: Whether a refusal that names nothing may be its fault.
    """

    name: str
    forms: tuple[Mapping[str, Any], ...]
    words: tuple[str, ...] = ()
    doubted: bool = True

    def named_in(self, text: str, form: int) -> bool:
        """Whether an error's text speaks of this form of the option."""
        found = "|".join(re.escape(word.lower()) for word in (*self.forms[form], *self.words))
        return bool(found) and re.search(rf"(?<![a-z_])(?:{found})(?![a-z])", text.lower()) is not None


class Options:
    """What the endpoint is known to refuse.

    A refusal that names the parameter is believed at once. Another (a plain 400, a 500) is believed when the request
    was answered without it, a 500 only the second time, and never where that form was answered before.

    Attributes:
        say: Told once of each refusal that is believed.
    """

    def __init__(self, say: Callable[[str], None] = lambda _: None) -> None:
        self.say = say
        self._settled: dict[str, int] = {}
        self._answered: set[tuple[str, int]] = set()
        self._doubts: Counter[tuple[str, int]] = Counter()

    def choice(self, options: Sequence[Option]) -> dict[str, int]:
        """The forms to begin with."""
        return {
            option.name: min(self._settled.get(option.name, 0), len(option.forms) - 1)
            for option in options
            if option.forms
        }

    @staticmethod
    def parameters(options: Sequence[Option], choice: Choice) -> dict[str, Any]:
        """The parameters of a choice."""
        return {key: value for option in options for key, value in option.forms[choice[option.name]].items()}

    def refused(self, options: Sequence[Option], choice: Choice, status: int, text: str) -> dict[str, int] | None:
        """The choice to try next after a refusal; None where nothing is left to try.

        Args:
            options: The request's options, in the order in which they are doubted.
            choice: What was sent.
            status: The HTTP status.
            text: The error's text.
        """
        left = [option for option in options if choice[option.name] + 1 < len(option.forms)]
        named = [option for option in left if option.named_in(text, choice[option.name])]
        if status not in _DOUBTFUL:
            return None
        doubted = named or [
            option for option in left if option.doubted and (option.name, choice[option.name]) not in self._answered
        ]
        if not doubted:
            return None
        option = doubted[0]
        lower = {**choice, option.name: choice[option.name] + 1}
        if named:
            self._settle(option, lower[option.name], status, text)
        return lower

    def answered(self, options: Sequence[Option], choice: Choice, refusals: Mapping[str, tuple[int, str]]) -> None:
        """A choice was answered.

        Args:
            options: The request's options.
            choice: What was sent.
            refusals: Name of each option that was lowered for it -> the status and text that made doubt.
        """
        self._answered.update((option.name, choice[option.name]) for option in options)
        for option in options:
            if option.name not in refusals or self._settled.get(option.name, 0) >= choice[option.name]:
                continue
            status, text = refusals[option.name]
            self._doubts[option.name, choice[option.name]] += 1
            if status < 500 or self._doubts[option.name, choice[option.name]] >= _CERTAIN_AFTER:
                self._settle(option, choice[option.name], status, text)

    def _settle(self, option: Option, form: int, status: int, text: str) -> None:
        if self._settled.get(option.name, 0) >= form:
            return
        self._settled[option.name] = form
        instead = json.dumps(option.forms[form])
        shown = f"with {instead} instead" if len(instead) <= _LONGEST_SHOWN else "in another form"
        without = shown if option.forms[form] else "without it"
        self.say(f"refuses {option.name} (status {status}: {text}): asked {without} from now on")
