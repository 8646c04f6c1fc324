"""What the commands share: errors as one clear sentence, text that does nothing to a terminal, how much is said, JSON.

Every command has ``--quiet``, ``--verbose`` and ``--json``; ``DIVERGEN_LOG=quiet`` or ``verbose`` says it for all.
"""

from __future__ import annotations

import functools
import io
import logging
import math
import os
import shlex
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .answers import Answer, answer, asked_for_json, begin_answer
from .errors import ConfigError, DivergenError, ExistsError
from .stores.arguments import accept_addresses, sending, shown_addresses
from .system_errors import explain
from .text import shown

if TYPE_CHECKING:
    from .console import TextConsole

__all__ = [
    "LOG_VARIABLE",
    "STOPPED",
    "UNREAD",
    "Group",
    "answer",
    "console",
    "echo",
    "next_step",
    "note",
    "quiet",
    "refuse_replacing",
    "verbose",
]

LOG_VARIABLE = "DIVERGEN_LOG"
"""Environment variable: ``quiet``, ``normal`` or ``verbose``; an option of the command goes before it."""

STOPPED = 130
"""Exit status of a command that was stopped (Ctrl-C)."""

UNREAD = 141
"""Exit status of a command whose reader went away (``… | head -1``), as shells have it: 128 and SIGPIPE."""

_LEVEL, _JSON = "divergen.level", "divergen.json"


def echo(text: object = "", *, err: bool = False, nl: bool = True) -> None:
    """Print text and, with ``nl``, a line end; see `divergen_records.text.shown`. Commands print by this alone.

    With ``--json`` a result is in the object and, as text, on standard error; with ``--quiet`` too in the object alone.
    """
    found = asked_for_json()
    if found is not None and not err:
        found.text.append(str(text))
        if quiet():
            return
    click.echo(shown(_with_addresses(str(text))), err=err, nl=nl)


def console(*, err: bool = False) -> TextConsole:
    """What prints a table as `echo` prints a line, or with ``err`` as `note` does."""
    from .console import TextConsole

    return TextConsole(stderr=err, quiet=quiet() and (err or asked_for_json() is not None))


def _with_addresses(text: str) -> str:
    context = click.get_current_context(silent=True)
    return text if context is None else shown_addresses(text, context.meta)


def quiet() -> bool:
    """Whether the running command was asked for results, losses and errors alone (``--quiet``)."""
    return _level() == "quiet"


def verbose() -> bool:
    """Whether the running command was asked to say all that it knows (``--verbose``)."""
    return _level() == "verbose"


def _level() -> str:
    context = click.get_current_context(silent=True)
    said = None if context is None else context.meta.get(_LEVEL)
    return str(said or os.environ.get(LOG_VARIABLE, "normal"))


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
    answer(next=[str(word) for word in words])
    note(f"next: {shlex.join(map(str, words))}{_lacking(str(words[0]))}")


def _lacking(command: str) -> str:
    """What installs one of DiverGen's commands where it is not installed; a command is called as its distribution."""
    lacks = command.startswith("divergen") and find_spec(command.replace("-", "_")) is None
    return f"   # comes with: pip install {command}" if lacks else ""


class Group(click.Group):
    """A click group that prints what a user can act on as a sentence, and ends with status 2.

    That is a `DivergenError`, or an error of the operating system (`divergen_records.system_errors`). Each of its
    commands has the options of this module. A path may be the address of an object store: see
    `divergen_records.stores.arguments`.
    """

    def add_command(self, cmd: click.Command, name: str | None = None) -> None:
        """Register a command."""
        if not isinstance(cmd, click.Group) and cmd.add_help_option:
            there = {option for parameter in cmd.params for option in parameter.opts}  # it may stand in two groups
            cmd.params.extend(option for option in _options() if there.isdisjoint(option.opts))
        accept_addresses(cmd.params)
        if cmd.callback is not None:
            cmd.callback = _checked(cmd.callback)
        super().add_command(cmd, name)

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Read the arguments; where the outermost group's are wrong, ``--json`` is answered too."""
        asked = parent is None and "--json" in args
        try:
            with _unread():
                context = super().make_context(info_name, args, parent, **extra)
        except click.ClickException as error:
            if asked:
                Answer(str(info_name), sys.stdout, {"error": error.format_message()}).finish(error.exit_code)
            raise
        context.meta.setdefault(_JSON, asked)  # groups below share it
        return context

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; the outermost group prints the answer of ``--json``."""
        if ctx.parent is not None:
            return self._refusing(ctx)
        status = 1  # of an error that nobody expected
        try:
            try:
                result = self._refusing(ctx)
                status = 0
            except click.exceptions.Exit as end:
                status = end.exit_code
                raise
            except click.ClickException as error:
                status = error.exit_code
                if ctx.meta.get(_JSON):  # of arguments that are wrong no option was read
                    begin_answer(getattr(error, "ctx", None) or ctx, None, True)
                if found := asked_for_json(ctx):
                    found.values["error"] = error.format_message()
                raise
        finally:
            if found := asked_for_json(ctx):
                with _sentences():  # standard output may be full
                    found.finish(status, _with_addresses)
        return result

    def _refusing(self, ctx: click.Context) -> Any:
        """Run the command; what a user can act on is raised as a sentence."""
        if isinstance(sys.stdout, io.TextIOWrapper):  # in a locale without them, letters are written out
            sys.stdout.reconfigure(errors="backslashreplace")
        with _sentences(), sending(ctx.meta), warnings.catch_warnings():
            # Pillow's warning of a huge picture, which is refused in a sentence of our own.
            warnings.filterwarnings("ignore", r"Image size .* could be decompression bomb")
            return super().invoke(ctx)


def _checked(command: Callable[..., Any]) -> Callable[..., Any]:
    """The command, which refuses to replace what it reads, and a number that is none."""

    @functools.wraps(command)
    def checked(*args: Any, **parameters: Any) -> Any:
        if parameters.get("overwrite"):
            _refuse_inputs(parameters)
        _refuse_nan(parameters)
        return command(*args, **parameters)

    return checked


def _refuse_inputs(parameters: Mapping[str, Any]) -> None:
    """Refuse an output that is an input, or the folder of one."""
    out = parameters.get("out")
    if not isinstance(out, Path) or not out.exists():
        return
    for value in (value for name, value in parameters.items() if name != "out"):
        for path in value if isinstance(value, tuple) else (value,):
            if isinstance(path, Path) and path.resolve().is_relative_to(out.resolve()):
                raise ExistsError(f"{out} is not replaced: this command reads {path}; give the output another name")


def refuse_replacing(path: Path) -> None:
    """Refuse an output that is a file which the command found in a folder that it was given; as of its arguments."""
    context = click.get_current_context(silent=True)
    if context is not None and context.params.get("overwrite"):
        _refuse_inputs({"out": context.params.get("out"), "found": path})


def _refuse_nan(parameters: Mapping[str, Any]) -> None:
    """Refuse ``nan``, which Python takes for a number and every limit lets through."""
    context = click.get_current_context(silent=True)
    names = {parameter.name: parameter.opts[0] for parameter in context.command.params} if context else {}
    for name, value in parameters.items():
        if any(isinstance(one, float) and math.isnan(one) for one in (value if isinstance(value, tuple) else (value,))):
            raise ConfigError(f"{names.get(name, name)} is nan; expected a number")


@contextmanager
def _unread() -> Iterator[None]:
    """End without a word where nobody reads what is printed any more."""
    try:
        yield
    except (BrokenPipeError, SystemExit) as end:
        if not isinstance(end, BrokenPipeError) and not isinstance(end.__context__, BrokenPipeError):  # rich's way
            raise
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except BrokenPipeError:  # what is left in it goes nowhere
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        raise click.exceptions.Exit(UNREAD) from None


@contextmanager
def _sentences() -> Iterator[None]:
    try:
        with _unread():
            yield
    except KeyboardInterrupt:
        echo("\nstopped; the same line goes on, or begins again", err=True)
        raise click.exceptions.Exit(STOPPED) from None
    except DivergenError as error:
        raise _refusal(error, str(error), error.exit_code) from error
    except (OSError, RuntimeError, ImportError, MemoryError, UnicodeEncodeError) as error:
        sentence = explain(error)
        if sentence is None:
            raise
        raise _refusal(error, sentence, DivergenError.exit_code) from error


def _options() -> list[click.Option]:
    return [
        _level_option("quiet", "Print results, losses and errors; no progress, no next step."),
        _level_option("verbose", "Print all that libraries log, and an error's whole trace."),
        click.Option(
            ["--json"],
            is_flag=True,
            expose_value=False,
            is_eager=True,
            callback=begin_answer,
            help="Print the result as one JSON object; all else goes to standard error.",
        ),
    ]


def _level_option(level: str, text: str) -> click.Option:
    def say(context: click.Context, parameter: click.Parameter, asked: bool) -> None:
        if asked:
            context.meta[_LEVEL] = level
        if _level() == "verbose":
            logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s")

    return click.Option([f"--{level}"], is_flag=True, expose_value=False, callback=say, help=text)


def _refusal(error: BaseException, sentence: str, exit_code: int) -> _Refusal:
    if verbose():
        echo("".join(traceback.format_exception(error)), err=True)
    return _Refusal(shown(_with_addresses(sentence)), exit_code)


class _Refusal(click.ClickException):
    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code  # type: ignore[misc]  # click declares the default on the class
