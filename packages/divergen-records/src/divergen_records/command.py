"""What the commands share: errors as one clear sentence, not a trace; text that does nothing to a terminal; quiet."""

from __future__ import annotations

import io
import shlex
import sys
from typing import Any

import click

from .errors import DivergenError
from .stores import refuse_store
from .system_errors import explain
from .text import shown

__all__ = ["Group", "echo", "next_step", "note", "quiet"]

_QUIET = "divergen.quiet"


def echo(text: object = "", *, err: bool = False, nl: bool = True) -> None:
    """Print text and, with ``nl``, a line end; see `divergen_records.text.shown`. Commands print by this alone."""
    click.echo(shown(text), err=err, nl=nl)


def quiet() -> bool:
    """Whether the running command was asked for results, losses and errors alone (``--quiet``)."""
    context = click.get_current_context(silent=True)
    return context is not None and bool(context.meta.get(_QUIET))


def note(text: str) -> None:
    """Say how it goes, on standard error; nothing with ``--quiet``."""
    if not quiet():
        echo(text, err=True)


def next_step(*words: object) -> None:
    """Say which command usually follows, filled in with what was just written; a command's last word.

    Args:
        words: The command and its arguments, for example ``"divergen-paste", "pool", table, "--out", "pool"``. What a
            user must fill in is in capitals.
    """
    note(f"next: {shlex.join(map(str, words))}")


class Group(click.Group):
    """A click group that prints what a user can act on as a sentence, and ends with status 2.

    That is a `DivergenError`, or an error of the operating system (`divergen_records.system_errors`). Each of its
    commands has ``--quiet``. An argument that is the address of an object store is refused before anything is done.
    """

    def add_command(self, cmd: click.Command, name: str | None = None) -> None:
        """Register a command."""
        has = any("--quiet" in option.opts for option in cmd.params)  # a command may stand in two groups
        if not isinstance(cmd, click.Group) and cmd.add_help_option and not has:
            cmd.params.append(_quiet_option())
        super().add_command(cmd, name)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        if isinstance(sys.stdout, io.TextIOWrapper):  # in a locale without them, letters are written out
            sys.stdout.reconfigure(errors="backslashreplace")
        try:
            for argument in ctx.args:
                refuse_store(argument)
                refuse_store(argument.partition("=")[2])
            return super().invoke(ctx)
        except DivergenError as error:
            raise _Refusal(shown(error), error.exit_code) from error
        except (OSError, RuntimeError, MemoryError) as error:
            sentence = explain(error)
            if sentence is None:
                raise
            raise _Refusal(shown(sentence), DivergenError.exit_code) from error


def _quiet_option() -> click.Option:
    return click.Option(
        ["--quiet"],
        is_flag=True,
        expose_value=False,
        help="Print results, losses and errors; no progress, no next step.",
        callback=lambda context, _, value: context.meta.update({_QUIET: value}),
    )


class _Refusal(click.ClickException):
    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code  # type: ignore[misc]  # click declares the default on the class
