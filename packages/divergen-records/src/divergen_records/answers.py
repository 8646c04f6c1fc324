"""What a command answers to a program (``--json``): one JSON object on standard output, all else on standard error."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any, TextIO

import click
import msgspec

__all__ = ["Answer", "answer", "asked_for_json", "begin_answer"]

_KEY = "divergen.answer"
_ALWAYS = {"error", "next", "counts", "losses", "all_losses"}


@dataclass
class Answer:
    """The object, while it is gathered.

    Attributes:
        command: As it was called, for example ``"divergen-annotate images"``.
        stdout: Where it goes, None where it is closed; until then ``sys.stdout`` is standard error.
        values: What the command found, and what all commands say besides: ``losses``, ``next``, ``error``.
        text: What it printed for people; the answer of commands whose result is a text.
    """

    command: str
    stdout: TextIO | None
    values: dict[str, Any] = field(default_factory=dict)
    text: list[str] = field(default_factory=list)

    def finish(self, status: int, shown: Callable[[str], str] = str) -> None:
        """Print it, as ``shown`` writes its text, and give standard output back."""
        sys.stdout = self.stdout
        found = self.values if self.values.keys() - _ALWAYS else {"text": "\n".join(self.text), **self.values}
        whole = {"command": self.command, "status": status, **found}
        if self.stdout is not None:
            self.stdout.write(shown(msgspec.json.encode(_plain(whole)).decode()) + "\n")
            self.stdout.flush()


def begin_answer(context: click.Context, parameter: click.Parameter | None, asked: bool) -> None:
    """Callback of ``--json``: from now on, what is printed goes to standard error."""
    if asked and _KEY not in context.meta:
        context.meta[_KEY] = Answer(context.command_path, sys.stdout)
        sys.stdout = sys.stderr


def asked_for_json(context: click.Context | None = None) -> Answer | None:
    """The answer that the running command gathers; None where it prints for people."""
    context = context or click.get_current_context(silent=True)
    return None if context is None else context.meta.get(_KEY)


def answer(**values: Any) -> None:
    """Say what the command found, for ``--json``; without it, nothing is done.

    Args:
        values: Names and values of the JSON object: numbers, texts, lists, mappings, paths, records, dataclasses.
    """
    found = asked_for_json()
    if found is not None:
        found.values.update(values)


def _plain(value: Any) -> Any:
    """A value as JSON has it; a number that JSON lacks (NaN) becomes null."""
    if isinstance(value, Mapping):
        return {_name(name): _plain(one) for name, one in value.items()}
    if isinstance(value, str):
        return str(value).encode("utf-8", "backslashreplace").decode()
    if isinstance(value, bytes | PurePath):
        return f"{len(value)} bytes" if isinstance(value, bytes) else _plain(str(value))
    if value is None or isinstance(value, bool | int | float):
        return value
    for turn in ("model_dump", "_asdict", "tolist"):  # of pydantic, of a named tuple, of an array
        if hasattr(value, turn):
            return _plain(getattr(value, turn)())
    if hasattr(value, "__dataclass_fields__"):
        return {name: _plain(getattr(value, name)) for name in value.__dataclass_fields__}
    if isinstance(value, set | frozenset):
        return sorted(map(_plain, value))
    return [_plain(one) for one in value]


def _name(name: Any) -> str:
    return "/".join(map(str, name)) if isinstance(name, tuple) else _plain(str(name))
