"""What a command left out: told at the end, kept in a file, and seen in the exit status.

The one rule of all commands that can leave something out. At the end they say how much came in, how much went out and
the first few reasons by name; all reasons are in ``OUT.losses.jsonl``. The status is 0 only if nothing was lost, 3 if
something was (0 with ``--allow-losses``), and 1 if nothing is left.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click
import msgspec

from .alike import once_each
from .command import answer, echo
from .errors import NothingLeft
from .files import write_bytes

if TYPE_CHECKING:
    from .table import InstanceTable

__all__ = [
    "LOST",
    "NOTHING_LEFT",
    "Losses",
    "finish",
    "finish_rows",
    "finishing",
    "losses_file",
    "losses_options",
    "row_losses",
]

LOST: Final = 3
"""Exit status of a command that left something out."""

NOTHING_LEFT: Final = NothingLeft.exit_code
"""Exit status of a command that left everything out."""

_SHOWN = 5
_ALLOW, _FILE = "divergen.losses.allow", "divergen.losses.file"
_BEGIN = b'{"name":'
"""Of a file of losses."""

Command = TypeVar("Command")


class Losses:
    """Names and reasons of what is left out, in the order in which it happens.

    Example:
        >>> losses = Losses()
        >>> losses.add("a.jpg", "the picture is empty (0 bytes)")
        >>> len(losses)
        1
    """

    def __init__(self, rows: Iterable[tuple[str, str]] = ()) -> None:
        self._rows = list(rows)

    def add(self, name: str, reason: str) -> None:
        """Note one thing that is left out."""
        self._rows.append((name, reason))

    def note(self, reason: str) -> None:
        """Note one thing by a sentence that names it."""
        self._rows.append(("", reason))

    def extend(self, rows: Iterable[tuple[str, str] | str]) -> None:
        """Note several; a sentence that names the thing itself is a reason without a name."""
        self._rows.extend(("", row) if isinstance(row, str) else row for row in rows)

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._rows)


def losses_options(command: Command) -> Command:
    """The options ``--allow-losses`` and ``--losses`` of a command that ends with `finish`."""
    allow = click.option(
        "--allow-losses",
        is_flag=True,
        expose_value=False,
        callback=_note(_ALLOW),
        help="End with status 0 although something was left out.",
    )
    file = click.option(
        "--losses",
        type=click.Path(path_type=Path),
        expose_value=False,
        callback=_note_file,
        help="JSON Lines to write: all that was left out, and why.  [default: OUT.losses.jsonl]",
    )
    return allow(file(command))  # type: ignore[type-var]


def losses_file(out: Path) -> Path:
    """Where the losses of an output are written by default: beside it."""
    return out.with_name(f"{out.name}.losses.jsonl")


def finish(losses: Losses, *, came: int, went: int, unit: str = "pictures", out: Path | None = None) -> None:
    """End a command by the rule; call it last.

    Args:
        losses: What was left out.
        came: How much came in.
        went: How much went out.
        unit: What is counted, plural.
        out: The command's output, whose name the file of losses has; None for a command that only prints.

    Raises:
        Exit: With status 3 if something was lost and ``--allow-losses`` was not given, 1 if nothing is left.
    """
    meta: dict[str, Any] = {} if (context := click.get_current_context(silent=True)) is None else context.meta
    path: Path | None = meta.get(_FILE) or (None if out is None else losses_file(out))
    _write(losses, path)
    kept = None if path is None or not losses else path
    counts = {"unit": unit, "in": came, "out": went, "lost": len(losses)}
    answer(counts=counts, losses=list(losses)[:_SHOWN], all_losses=kept)
    if losses or came > went:
        _tell(losses, came, went, unit, path)
    if came and not went:
        raise click.exceptions.Exit(NOTHING_LEFT)
    if (losses or came > went) and not meta.get(_ALLOW):
        raise click.exceptions.Exit(LOST)


@contextmanager
def finishing(losses: Losses, *, unit: str = "pictures", out: Path | None = None) -> Iterator[None]:
    """End a command by the rule where its work finds nothing left (`NothingLeft`); see `finish`."""
    try:
        yield
    except NothingLeft as error:
        if not losses:  # nothing came in, or a rule left it out: the error has it all
            raise
        echo(f"Error: {error}", err=True)
        finish(losses, came=len(losses), went=0, unit=unit, out=out)


def row_losses(table: InstanceTable, where: str = "true") -> Losses:
    """Rows of an instance table that failed, by id and category, as losses.

    Args:
        table: The table.
        where: SQL filter, for example ``"error_stage = 'annotate'"``.
    """
    losses = Losses()
    for batch in table.batches(["id", "category", "error"], f"error IS NOT NULL AND ({where})", batch_size=4096):
        losses.extend((f"{row['id']} ({row['category']})", row["error"]) for row in batch.to_pylist())
    return losses


def finish_rows(table: InstanceTable, where: str = "true") -> None:
    """End a command that fills an instance table by the rule: rows that failed are lost; call it last.

    They stay in the table and are tried again on request.

    Args:
        table: The table; the file of losses lies beside it.
        where: Which failed rows are this command's, as an SQL filter.
    """
    losses, went = row_losses(table, where), table.count("error IS NULL")
    finish(losses, came=went + len(losses), went=went, unit="rows", out=table.path)


def _write(losses: Losses, path: Path | None) -> None:
    if path is None:
        return
    if losses:
        lines = (msgspec.json.encode({"name": _text(name), "reason": _text(reason)}) for name, reason in losses)
        write_bytes(path, b"".join(line + b"\n" for line in lines), overwrite=True)
    else:
        path.unlink(missing_ok=True)  # those of an earlier call


def _tell(losses: Losses, came: int, went: int, unit: str, path: Path | None) -> None:
    echo(f"{unit}: {came:,} in, {went:,} out, {len(losses):,} lost", err=True)
    for line in once_each(((name, _sentence(name, reason)) for name, reason in losses), _SHOWN if path else None):
        echo(f"  {line}", err=True)
    if path is not None:
        echo(f"  all in {path}", err=True)


def _sentence(name: str, reason: str) -> str:
    return reason if not name or reason.partition(": ")[0].endswith(name) else f"{name}: {reason}"


def _text(text: str) -> str:
    """Text that JSON can hold: bytes of file names that are no UTF-8 are written out."""
    return text.encode("utf-8", "backslashreplace").decode()


def _note(key: str) -> Any:
    def callback(context: click.Context, parameter: click.Parameter, value: Any) -> None:
        context.meta[key] = value

    return callback


def _note_file(context: click.Context, parameter: click.Parameter, value: Path | None) -> None:
    """Refuse a file of anything else: it would be replaced, or removed where nothing is lost."""
    if isinstance(value, Path) and value.is_file():
        with value.open("rb") as file:
            head = file.read(len(_BEGIN))
        if head not in (b"", _BEGIN):
            raise click.BadParameter(f"{value} is there already and is no file of losses; choose another name")
    context.meta[_FILE] = value
