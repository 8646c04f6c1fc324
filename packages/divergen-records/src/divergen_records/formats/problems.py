"""What a reader found wrong, mended or worth telling, item by item."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ..alike import once_each
from ..errors import DatasetError, DivergenError
from .protocol import OnProblem

if TYPE_CHECKING:
    from ..dataset import Annotation

__all__ = ["UNNAMED", "Mends", "Problems", "count_mendable"]

UNNAMED = "unnamed"
"""The category of objects without a label, of tools that have a name for each object and no list of them."""

SHOWN = 10
"""Kinds of problems that an error message spells out."""

_MEND = " (repair: "
"""Between a problem and what ``repair`` would do about it."""

_FIRST = ", and what names it is taken as the first's"

T = TypeVar("T")

Mends = list[str] | None
"""Where an item's reader writes down what it mended; None where nothing may be mended."""


class Problems:
    """Collects what is wrong with a data set.

    Args:
        path: The file, for messages.
        on_problem: What to do with an item that has a problem.

    Attributes:
        found: What is left out, one sentence each.
        repairs: What was mended.
        notes: What is worth telling though nothing is lost.
    """

    def __init__(self, path: Path, on_problem: OnProblem = "stop") -> None:
        self.path, self.on_problem = path, on_problem
        self.found: list[str] = []
        self.repairs: list[str] = []
        self.notes: list[str] = []

    def add(self, where: str, text: str, *, remedy: Iterable[str] = ()) -> None:
        """Note a problem of an item, for example of ``annotations[3]``; msgspec's path is joined to it.

        Args:
            where: The item.
            text: What is wrong.
            remedy: What ``repair`` would do.
        """
        reason, at, inner = text.rpartition(" - at `$")
        if at:
            where, text = where + inner.rstrip("`"), reason
        would = "; ".join(remedy)
        self.found.append(f"{where}: {text}" + (f"{_MEND}{would})" if would else ""))

    def repeat(self, where: str, id_: int, mend: str | None) -> None:
        """Note an item whose id another one has; ``mend`` says so where nothing is lost without it."""
        trouble = f"the id {id_} was there before"
        if mend is not None and self.on_problem == "repair":
            self.repairs.append(f"{where}: {trouble}; {mend}")
        else:
            self.add(where, f"{trouble}; ids are unique{'' if mend else _FIRST}", remedy=[mend] if mend else ())

    def note_unnamed(self, names: Mapping[str, int], annotations: Iterable[Annotation]) -> None:
        """Tell how many objects are of the category `UNNAMED`."""
        count = sum(one.category_id == names.get(UNNAMED) for one in annotations)
        if count:
            self.notes.append(f"{count} objects have no label; their category is called {UNNAMED!r}")

    def attempt(self, where: str, read: Callable[[Mends], T]) -> T | None:
        """Read one item, mended if it must and may be; None where it is left out.

        Args:
            where: The item.
            read: Gives the item or raises; mends what it can where it gets a list to write it down in.
        """
        try:
            return read(None)
        except DivergenError as error:
            trouble = str(error)
        mends: list[str] = []
        try:
            item = read(mends)
        except DivergenError as error:
            self.add(where, str(error) if self.on_problem == "repair" else trouble)
            return None
        if self.on_problem == "repair":
            self.repairs.extend(f"{where}: {mend}" for mend in mends)
            return item
        self.add(where, trouble, remedy=mends)
        return None

    def raise_all(self) -> None:
        """Raise `DatasetError` if there are problems and they stop the reading."""
        if not self.found or self.on_problem != "stop":
            return
        count = len(self.found)
        lines = "\n".join(f"  {line}" for line in once_each(map(_named, self.found), SHOWN))
        mendable = count_mendable(self.found)
        mend = f", or mend {mendable} at least with --on-problem repair" if mendable else ""
        raise DatasetError(
            f"{self.path}: {count} {'problem' if count == 1 else 'problems'}:\n{lines}\n"
            f"Correct the file, leave these out with --on-problem skip{mend}."
        )

    @property
    def told(self) -> dict[str, Any]:
        """As `Dataset` takes it."""
        return {"problems": self.found, "repairs": self.repairs, "notes": self.notes}


def count_mendable(problems: Iterable[str]) -> int:
    """How many of what `Problems` found ``repair`` would mend."""
    return sum(_MEND in problem for problem in problems)


def _named(problem: str) -> tuple[str, str]:
    return problem.partition(":")[0], problem
