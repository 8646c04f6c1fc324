"""What a generator is: a name, a revision, and a batch function from planned records to pictures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self, runtime_checkable

from divergen_records import InstanceRecord

if TYPE_CHECKING:
    from divergen_records.coco import Dataset

__all__ = ["Generator", "Identity", "PaidGenerator", "RealData", "StreamingGenerator"]


class Identity(Protocol):
    """What planning needs to know of a generator, so that ids exist before any model is loaded."""

    @property
    def name(self) -> str:
        """Name in the configuration; goes into ids and seeds."""

    @property
    def revision(self) -> str:
        """A short text of version and settings that changes whenever the pictures would."""


@runtime_checkable
class Generator(Protocol):
    """Makes pictures; a `divergen_records.Source` with a revision.

    Attributes:
        name: Name in the configuration, unique in a run.
        revision: Version and settings as a short text that changes whenever the pictures would.

    A call gets planned records (identity only) and returns them in the same order, each complete with ``image``,
    ``image_format``, ``width`` and ``height`` (and ``alpha`` where it is known), or with a row error by
    `InstanceRecord.failed` of stage ``"gen"``. A picture depends on its own record only: neither on the batch, nor on
    the order, nor on earlier calls. One that writes
    more columns declares them by ``columns`` (`divergen_records.Columns`).
    """

    name: str
    revision: str

    def __call__(self, records: Sequence[InstanceRecord]) -> Sequence[InstanceRecord]:
        """Complete planned records."""


@runtime_checkable
class RealData(Protocol):
    """A generator's config whose pictures may begin from the training images."""

    @property
    def begins_from_real(self) -> bool:
        """Whether they do."""

    def on(self, dataset: Dataset) -> Self:
        """The config with the training images; asked for before its ``revision`` and ``build()``."""


@runtime_checkable
class StreamingGenerator(Generator, Protocol):
    """A generator that works through a whole plan at a stretch, so that its device never waits."""

    def prepare(self, records: Iterable[InstanceRecord], progress: bool = False) -> None:
        """Do once what many of these records share: encode their prompts."""

    def stream(self, records: Iterable[InstanceRecord]) -> Iterator[InstanceRecord]:
        """Complete prepared records, in the order in which they are done."""

    def note(self) -> str:
        """State of the work in a few words, for the progress line."""


@runtime_checkable
class PaidGenerator(Generator, Protocol):
    """A generator whose pictures cost money: none is made only to be looked at."""

    def keep_account(self, path: Path) -> None:
        """Count what is spent in a file that all processes of a run share, and that later ones go on with."""

    def note(self) -> str:
        """What was spent, in a few words."""
