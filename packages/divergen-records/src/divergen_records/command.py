"""What the commands share: errors as one clear sentence, not a trace; text that does nothing to a terminal."""

from __future__ import annotations

import io
import sys
from typing import Any

import click

from .errors import DivergenError
from .system_errors import explain
from .text import shown

__all__ = ["Group", "echo"]


def echo(text: object = "", *, err: bool = False, nl: bool = True) -> None:
    """Print text and, with ``nl``, a line end; see `divergen_records.text.shown`. Commands print by this alone."""
    click.echo(shown(text), err=err, nl=nl)


class Group(click.Group):
    """A click group that prints what a user can act on as a sentence, and ends with status 2.

    That is a `DivergenError`, or an error of the operating system (`divergen_records.system_errors`).
    """

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        if isinstance(sys.stdout, io.TextIOWrapper):  # in a locale without them, letters are written out
            sys.stdout.reconfigure(errors="backslashreplace")
        try:
            return super().invoke(ctx)
        except DivergenError as error:
            raise _Refusal(shown(error), error.exit_code) from error
        except (OSError, RuntimeError, MemoryError) as error:
            sentence = explain(error)
            if sentence is None:
                raise
            raise _Refusal(shown(sentence), DivergenError.exit_code) from error


class _Refusal(click.ClickException):
    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code  # type: ignore[misc]  # click declares the default on the class
