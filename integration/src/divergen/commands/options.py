"""What several commands share: options, and a stop that is a sentence."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click
from divergen_records.command import STOPPED, echo
from divergen_records.losses import losses_options

__all__ = ["run_options", "stoppable"]


def run_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """What every command that runs the pipeline takes: where to stop, what to do again, KEY=VALUE."""
    command = losses_options(command)
    for option in (
        click.option("--redo", metavar="STEP", help="Do this step and all that follow it again."),
        click.option("--until", metavar="STEP", help="Stop after this step."),
        click.option("--retry", is_flag=True, help="Try again the rows that failed."),
        click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]..."),
    ):
        command = option(command)
    return command


@contextmanager
def stoppable() -> Iterator[None]:
    """Ctrl-C ends a run with a sentence; finished work is in the table."""
    # Threads of OpenMP that spin while they wait starve each other as soon as any other program runs: on two cores with
    # one busy, training was twice as fast with threads that sleep. It must be said before torch is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        yield
    except KeyboardInterrupt:
        echo("\nstopped; the same line continues where it was", err=True)
        raise click.exceptions.Exit(STOPPED) from None
