"""What every command that reads or writes a data set shares: its options, and telling what was found."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import click

from .alike import once_each
from .command import echo, note, refuse_replacing
from .errors import DatasetError, require_extra
from .formats import OnProblem, locate, readers, writers
from .formats.protocol import Source
from .formats.registry import Located
from .losses import Losses, finish

if TYPE_CHECKING:
    from .dataset import Dataset
    from .formats import WritesData
    from .record import Category

__all__ = [
    "FormatName",
    "finish_reading",
    "format_option",
    "on_problem_option",
    "open_categories",
    "open_dataset",
    "shared_pictures",
    "tell",
    "tell_crowds",
    "tell_shared",
]

SHOWN = 10
"""Kinds of sentences that a command prints."""

F = TypeVar("F", bound=Callable[..., Any])

on_problem_option = click.option(
    "--on-problem",
    type=click.Choice(["stop", "skip", "repair"]),
    default="stop",
    show_default=True,
    help="What to do with pictures and objects that have a problem: refuse the data, leave them out, or mend them "
    "(clip polygons, ids written as text, ...) and leave out the rest.",
)
"""The option of every command that reads a data set; the argument is ``on_problem``."""


class FormatName(click.ParamType):  # type: ignore[type-arg]  # generic only in newer releases
    """The name of a format that reads or writes; installed packages may add some, ``also`` those of one command."""

    name = "format"

    def __init__(self, does: Literal["read", "write"], also: tuple[str, ...] = ()) -> None:
        self._registered: Callable[[], dict[str, Any]] = readers if does == "read" else writers
        self._also = also

    def _known(self) -> list[str]:
        return [*self._registered(), *self._also]

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """The names, for the help text."""
        return f"[{'|'.join(self._known())}]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Refuse a name that is not known."""
        return str(click.Choice(self._known()).convert(value, param, ctx))


def format_option(*names: str, also: tuple[str, ...] = (), **options: Any) -> Callable[[F], F]:
    """``--format`` of a command that writes a data set; any format that writes, and those of the command's own."""
    return click.option(*(names or ("--format",)), type=FormatName("write", also), **options)


def open_dataset(
    path: Path,
    images: Path | None = None,
    *,
    split: str | None = None,
    on_problem: OnProblem = "stop",
    format: str | None = None,  # noqa: A002
    boxes: bool = False,
    need_pictures: bool | None = None,
    progress: bool = False,
) -> Dataset:
    """Read a data set of any format, and print what was left out, mended or is worth knowing.

    Args:
        path: A file or folder.
        images: The folder of images, where it lies elsewhere.
        split: ``"train"``, ``"val"`` or ``"test"``: of a path that holds several, this one alone.
        on_problem: As the option says.
        format: A format that reads; told from what is there where None.
        boxes: Boxes are enough.
        need_pictures: A picture that is not there is a problem; by default where ``images`` is given.
        progress: Show the progress.

    Raises:
        DatasetError: If it cannot be read.
        ExistsError: If the command was asked to replace the file that was found.
    """
    with require_extra("divergen-records", "images"):
        found = locate(path, split) if format is None else Located(readers()[format], Source(path))
        dataset = found.read(
            image_dir=images,
            on_problem=on_problem,
            boxes=boxes,
            need_pictures=need_pictures,
            progress=progress,
        )
    refuse_replacing(dataset.path)
    tell(dataset)
    return dataset


def open_categories(path: Path) -> tuple[Category, ...]:
    """The categories of a data set, whose pictures and objects do not matter here; none that only heads the others.

    Raises:
        DatasetError: If it cannot be read, or one of its categories cannot.
    """
    with require_extra("divergen-records", "images"):
        dataset = locate(path, "train").read(on_problem="skip", boxes=True, need_pictures=False)
    bad = [problem for problem in dataset.problems if problem.startswith("categories")]
    if bad:
        raise DatasetError(f"{path}: {len(bad)} of its categories cannot be used: {bad[0]}")
    return dataset.class_categories


def tell(dataset: Dataset) -> None:
    """Print to stderr what reading a data set left out, mended, and what is worth knowing; the first few of each.

    With ``--quiet`` without the last. One that is empty, which is no loss, is told as well.
    """
    if not dataset.images and not dataset.problems:
        echo(f"note: {dataset.path} has no pictures", err=True)
    for title, lines in (("note", dataset.notes), ("mended", dataset.repairs), ("left out", dataset.problems)):
        say = note if title == "note" else partial(echo, err=True)
        for line in once_each(((line.partition(":")[0], line) for line in lines), SHOWN):
            say(f"{title}: {line}")


def tell_crowds(dataset: Dataset, writer: WritesData) -> int:
    """Print to stderr how many crowds a format has no place for, where it has none; gives their number."""
    crowds = 0 if getattr(writer, "keeps_crowds", True) else sum(bool(one.iscrowd) for one in dataset.annotations)
    if crowds:
        echo(f"note: {crowds} regions of many objects (iscrowd) are no objects of {writer.name}; not written", err=True)
    return crowds


def shared_pictures(train: Dataset, val: Dataset) -> str | None:
    """How many of the validation pictures are training pictures, in a sentence; None where none are."""
    seen, judged = ({data.image_dir.resolve() / image.file_name for image in data.images} for data in (train, val))
    shared = len(seen & judged)
    return f"{shared} of {len(val.images)} validation pictures are training pictures too" if shared else None


def tell_shared(train: Dataset, val: Dataset) -> None:
    """Print to stderr how many of the validation pictures are training pictures, if any are."""
    if shared := shared_pictures(train, val):
        echo(f"note: {shared}", err=True)


def finish_reading(dataset: Dataset, out: Path | None = None, *, results: int = 0, lost: Losses | None = None) -> None:
    """End a command that wrote all that it read: by the rule of `divergen_records.losses`; call it last.

    Args:
        dataset: What was read.
        out: The command's output.
        results: Of a detector, that were read beside it.
        lost: Results that were left out.

    Raises:
        Exit: If reading left something out.
    """
    went = len(dataset.images) + len(dataset.annotations) + results
    losses = Losses(lost or ())
    losses.extend(dataset.problems)
    unit = "pictures, objects and results" if results else "pictures and objects"
    finish(losses, came=went + len(losses), went=went, unit=unit, out=out)
