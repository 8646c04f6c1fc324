"""Everything that DiverGen raises on purpose.

* DivergenError
  x ConfigError          a setting is wrong: which key, why, what is allowed
  x MissingExtra         an optional dependency is not installed: the line that installs it
  x WeightsError         a model's weights are missing, corrupt or of another architecture
  x DatasetError         a COCO/LVIS file is malformed or contradicts itself
  x ImageError           a picture cannot be read, or is not what its record says
  x MaskError            a mask is malformed or does not fit its picture
  x TableError           an instance table cannot be used
    · SchemaTooNew       it was written by a newer version
    · CommitError        a commit did not go through (disk full, too many writers)
  x SourceEnded          a source can make nothing more; what it made is kept
  x ExistsError          something is there already and was not to be replaced
  x RunLocked            somebody else works in this folder
  x NothingLeft          everything that came in was left out: status 1
  x RowError             this one row failed; it becomes the row's `error`, the rest goes on

Commands print the message and end with status 2 (`DivergenError.exit_code`); it says what, where and what to do.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

__all__ = [
    "CommitError",
    "ConfigError",
    "DatasetError",
    "DivergenError",
    "ExistsError",
    "ImageError",
    "MaskError",
    "MissingExtra",
    "NothingLeft",
    "RowError",
    "RunLocked",
    "SchemaTooNew",
    "SourceEnded",
    "TableError",
    "WeightsError",
    "install_line",
    "lacking",
    "require_extra",
]


class DivergenError(Exception):
    """The root of all errors that a user can act on.

    Attributes:
        exit_code: Status of a command that it ends.
    """

    exit_code: ClassVar[int] = 2


class ConfigError(DivergenError):
    """A setting is wrong."""


class MissingExtra(DivergenError):
    """An optional dependency is not installed."""


class WeightsError(DivergenError):
    """A model's weights are missing, corrupt or of another architecture."""


class DatasetError(DivergenError):
    """A COCO/LVIS file is malformed or contradicts itself."""


class ImageError(DivergenError):
    """A picture cannot be read, or is not what its record says."""


class MaskError(DivergenError):
    """A mask is malformed or does not fit its picture."""


class TableError(DivergenError):
    """An instance table cannot be used."""


class SchemaTooNew(TableError):
    """The table was written by a newer version of divergen-records."""


class CommitError(TableError):
    """A commit did not go through; nothing of it is in the table."""


class SourceEnded(DivergenError):
    """A source can make nothing more.

    Attributes:
        made: The records that it completed of those that it was given, which are kept; the others stay to be made.
    """

    made: Sequence[Any] = ()


class ExistsError(DivergenError):
    """Something is there already, and was not to be replaced."""


class RunLocked(DivergenError):
    """Somebody else works in this folder."""


class NothingLeft(DivergenError):
    """Everything that came in was left out; see `divergen_records.losses`."""

    exit_code = 1


class RowError(DivergenError):
    """One row failed; the message becomes its `error`."""


def install_line(distribution: str, extra: str) -> str:
    """What installs an extra, from an index as well as beside packages that were installed from a checkout."""
    return f"pip install '{distribution}[{extra}]'"


def lacking(name: str, install: str) -> str:
    """The one sentence about something that is not installed.

    Args:
        name: What is imported.
        install: The line that brings it.
    """
    return f"{name} is not installed; {install}"


@contextmanager
def require_extra(distribution: str, extra: str) -> Iterator[None]:
    """Translate a failed import inside the block into the line that installs what is missing.

    Args:
        distribution: The distribution whose extra brings the import, for example ``"divergen-gen"``.
        extra: The extra's name, for example ``"diffusers"``.

    Raises:
        MissingExtra: If an import inside the block fails.
    """
    try:
        yield
    except ImportError as error:
        raise MissingExtra(lacking(str(error.name or error), install_line(distribution, extra))) from error
