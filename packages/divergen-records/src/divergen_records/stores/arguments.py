"""Addresses as arguments of a command: inputs are brought here, outputs are sent when it ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from ..file_names import from_home
from .paths import StorePath, is_address, place
from .refusing import refuse_store

__all__ = ["AddressPath", "LocalPath", "accept_addresses", "sending", "show", "shown_addresses"]

_OUTPUTS = "divergen.outputs"
_SHOWN = "divergen.shown"
_NEW = ("out",)
"""Names of the arguments that say where to write."""


class AddressPath(click.Path):
    """A path that a command uses where it is: an instance table, or a run."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """A `StorePath` for an address."""
        refuse_store(value, ours=False)
        return place(value) if is_address(value) else super().convert(from_home(value), param, ctx)


class LocalPath(click.Path):
    """A path of this machine alone."""

    def __init__(self, **options: Any) -> None:
        super().__init__(path_type=Path, **options)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Refuse an address."""
        refuse_store(value)
        return super().convert(from_home(value), param, ctx)


class _AnyPath(click.Path):
    """A path; of an address, a copy on this machine, or a place to make what will be sent there."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        refuse_store(value, ours=False)
        path = place(value)
        if not isinstance(path, StorePath):
            return super().convert(from_home(value), param, ctx)
        return (_output if param is not None and param.name in _NEW else _input)(path, ctx)


class _Text(click.types.StringParamType):
    """A text that is no address."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        key, _, said = str(value).partition("=")
        if key.partition(".")[0] != "data":
            refuse_store(said, web=False)
        refuse_store(str(value), web=False)
        return super().convert(value, param, ctx)


def accept_addresses(params: list[click.Parameter]) -> None:
    """Let the paths among a command's parameters be addresses; texts are refused where they are one."""
    for param in params:
        kind = param.type
        if type(kind) is click.Path:
            param.type = _AnyPath(
                exists=kind.exists, file_okay=kind.file_okay, dir_okay=kind.dir_okay, path_type=kind.type
            )
        elif param.name == "overwrite":
            param.is_eager = True  # an output asks for it
        elif type(kind) is click.types.StringParamType:
            param.type = _Text()


@contextmanager
def sending(meta: dict[str, Any]) -> Iterator[None]:
    """Send the command's outputs when the block ends well, or by a rule of its own (`click.exceptions.Exit`)."""
    try:
        yield
    except click.exceptions.Exit:
        _end(meta, send=True)
        raise
    except BaseException:
        _end(meta, send=False)
        raise
    _end(meta, send=True)


def shown_addresses(text: str, meta: dict[str, Any]) -> str:
    """A text for people, in which paths of copies are the addresses that they are copies of."""
    for path, address in meta.get(_SHOWN, {}).items():
        text = text.replace(path, address)
    return text


def _end(meta: dict[str, Any], *, send: bool) -> None:
    outputs, meta[_OUTPUTS] = meta.get(_OUTPUTS, []), []
    for output in outputs:
        (output.send if send else output.close)()


def _input(path: StorePath, ctx: click.Context | None) -> Path:
    from .copies import local

    if any(name.endswith(".manifest") for name in _versions(path)):
        return path  # a table is read where it is
    found = local(path)
    _note(ctx, found, path)
    return found


def _versions(path: StorePath) -> Iterator[str]:
    return (found.name for found in (path / "_versions").iterdir())


def _output(path: StorePath, ctx: click.Context | None) -> Path:
    from .outputs import Output

    output = Output(path, overwrite=_asked_to_overwrite(ctx))
    if ctx is not None:
        ctx.meta.setdefault(_OUTPUTS, []).append(output)
    _note(ctx, output.path, path)
    return output.path


def _asked_to_overwrite(ctx: click.Context | None) -> bool:
    return ctx is not None and bool(ctx.params.get("overwrite"))


def show(here: Path, there: StorePath) -> None:
    """Let the running command show an address where it names the copy."""
    _note(click.get_current_context(silent=True), here, there)


def _note(ctx: click.Context | None, here: Path, there: StorePath) -> None:
    if ctx is not None:
        ctx.meta.setdefault(_SHOWN, {})[str(here)] = str(there)
