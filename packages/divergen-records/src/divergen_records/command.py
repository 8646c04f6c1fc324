"""What the eight commands share: errors as one clear sentence, not a trace."""

from __future__ import annotations

import errno
from typing import Any

import click

from .errors import DivergenError

__all__ = ["Group"]

_FULL = (errno.ENOSPC, errno.EDQUOT)


class Group(click.Group):
    """A click group that prints a `DivergenError`, or that the disk is full, as a sentence and ends with status 2."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except DivergenError as error:
            raise _Refusal(str(error)) from error
        except OSError as error:
            if error.errno not in _FULL:
                raise
            raise _Refusal(
                f"{error.filename or 'the disk'}: {error.strerror}; free some room and run the same line again, "
                "what was finished stays"
            ) from error


class _Refusal(click.ClickException):
    exit_code = 2
