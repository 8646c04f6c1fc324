"""What a format is: something that reads data sets, writes them, or both."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias, runtime_checkable

if TYPE_CHECKING:
    from ..dataset import Dataset

__all__ = ["SPLITS", "Format", "HoldsSplits", "OnProblem", "ReadsData", "Source", "WritesData"]

SPLITS = ("train", "val", "test")

OnProblem: TypeAlias = Literal["stop", "skip", "repair"]
"""What a reader does with a problem: refuse the file, leave the item out, or mend it where it can be mended."""


@dataclass(frozen=True)
class Source:
    """What a format reads.

    Attributes:
        path: The file or folder.
        images: The folder of images, where the layout says it (a text file that lists them: YOLO's); else the reader
            looks for it.
    """

    path: Path
    images: Path | None = None


class Format(Protocol):
    """A format that can be named on the command line.

    Attributes:
        name: What it is called, for example ``"yolo"``.
        about: One line for ``--help``.
    """

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def about(self) -> str: ...  # noqa: D102


@runtime_checkable
class ReadsData(Format, Protocol):
    """A format that reads."""

    def recognises(self, path: Path) -> bool:
        """Whether a file or folder looks like this format; quick, never an error."""
        ...

    def read(
        self,
        path: Path,
        *,
        image_dir: Path | None = None,
        on_problem: OnProblem = "stop",
        boxes: bool = False,
        need_pictures: bool | None = None,
        progress: bool = False,
    ) -> Dataset:
        """Read a data set.

        Args:
            path: The file or folder.
            image_dir: The folder of images, where the format does not say it.
            on_problem: What to do with items that have a problem.
            boxes: Boxes are enough: objects without a mask are kept.
            need_pictures: A picture that is not there is a problem; by default where ``image_dir`` is given. Without a
                meaning for formats that begin with the pictures.
            progress: Show the progress.

        Raises:
            DatasetError: If it cannot be read.
        """
        ...


@runtime_checkable
class HoldsSplits(Protocol):
    """A format of which one folder may hold several splits."""

    def splits(self, path: Path) -> dict[str, Source]:
        """``"train"``, ``"val"`` and ``"test"``, as far as they are there; `DatasetError` where that is unclear."""
        ...


@runtime_checkable
class WritesData(Format, Protocol):
    """A format that writes.

    Attributes:
        needs_masks: Objects that have a box alone cannot be written.
        beside: What it adds lies beside the pictures of a folder ``images``, which several formats can share.
        keeps_crowds: May be there and False: regions of many objects are not written.
        needs_pictures: May be there: pictures are read or copied; as ``beside`` where it is not.
        decodes_pictures: May be there and True: those that can be read to their heads alone cannot be written.
    """

    @property
    def needs_masks(self) -> bool: ...  # noqa: D102
    @property
    def beside(self) -> bool: ...  # noqa: D102

    def write(self, dataset: Dataset, out: Path, *, overwrite: bool = False, progress: bool = False) -> Path:
        """Write a data set; it appears when it is complete.

        Args:
            dataset: What to write.
            out: A new folder; or, for formats of the kind ``beside``, that whose ``images`` the data set's pictures lie
                in already. Formats of one file also take the file's name.
            overwrite: Replace what this format wrote there before.
            progress: Show the progress.

        Returns:
            The file to begin with.

        Raises:
            DatasetError: If there is something else, or it cannot be written.
        """
        ...
