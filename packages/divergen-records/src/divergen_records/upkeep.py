"""Keeps an instance table quick while it grows: merges small fragments, removes versions that no reader can need.

A commit writes the list of all fragments anew, and every version stays: without upkeep a run that commits 30 rows at a
time pays for each row by the number of commits before it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import suppress
from datetime import timedelta
from itertools import groupby
from pathlib import Path

import lance
from lance.commit import CommitConflictError

from . import storage
from .errors import CommitError

__all__ = ["KEEP", "Addresses", "AppendedVersions", "Merger", "remove_versions"]

KEEP = timedelta(hours=1)
"""How long a reader may go on with a version that was overtaken by anything but an append."""

_SMALL_FRAGMENTS = 320
"""Neighbouring small fragments are merged at this number, or earlier when together they fill one."""

_MERGED_ROWS = 4 * storage.FRAGMENT_ROWS
"""Rows that one merge rewrites at most, so that an old table of small fragments is merged little by little."""

_THIN_EVERY = 64
_GRACE_SECONDS = 5.0
"""Versions as young as this stay: another process may just have seen one in the folder, and is about to open it."""


class Addresses:
    """Row address (fragment << 32 | row) of each id, kept up to date by reading new fragments only."""

    def __init__(self) -> None:
        self._found: dict[str, int] = {}
        self._fragments: set[int] = set()

    def at(self, dataset: lance.LanceDataset) -> dict[str, int]:
        """The addresses at the version that is checked out."""
        fragments = {part.fragment_id: part for part in dataset.get_fragments()}
        self._read(dataset, [part for number, part in fragments.items() if number not in self._fragments])
        if len(self._found) != dataset.count_rows():  # all that are in the table are here, and so are removed ones
            self._found = {}
            self._read(dataset, list(fragments.values()))
        self._fragments = set(fragments)
        return self._found

    def _read(self, dataset: lance.LanceDataset, fragments: list[lance.LanceFragment]) -> None:
        if fragments:
            rows = dataset.scanner(columns=["id"], fragments=fragments, with_row_address=True).to_table()
            self._found.update(zip(rows["id"].to_pylist(), rows["_rowaddr"].to_pylist(), strict=True))


class AppendedVersions:
    """Versions that this process made by appending.

    One that another append of ours follows can be removed at once: all its files belong to the next version too, so
    that readers who are at it go on, and an append conflicts with nothing that another writer is about to commit.
    """

    def __init__(self) -> None:
        self._times: dict[int, float] = {}

    def add(self, version: int) -> None:
        """Note a version that was just committed."""
        self._times[version] = time.monotonic()

    def take_superseded(self) -> list[int]:
        """Versions to remove, every now and then; they are not given again."""
        if len(self._times) < _THIN_EVERY:
            return []
        before = time.monotonic() - _GRACE_SECONDS
        old = [version for version, at in self._times.items() if at < before and version + 1 in self._times]
        if len(old) < _THIN_EVERY:
            return []
        last = max(old)
        self._times = {version: at for version, at in self._times.items() if version > last}
        return old


def remove_versions(path: Path, dataset: lance.LanceDataset, versions: Iterable[int]) -> None:
    """Remove these versions where they are still there; what others refer to stays."""
    with suppress(CommitError), storage.writing(path, "removing old versions"):  # two processes may be at it
        dataset.cleanup_old_versions(older_than=timedelta(0), versions=list(versions))


class Merger:
    """Merges neighbouring small fragments where there are enough."""

    def __init__(self) -> None:
        self._again_at = 0

    def merge(self, path: Path, dataset: lance.LanceDataset) -> bool:
        """Says whether it merged any. Nothing that is in the table changes.

        Where another writer came first, a later append tries again; not the next one, because each try leaves a file.
        """
        runs = _small_runs(dataset)
        small = sum(map(len, runs))
        enough = any(len(run) >= _SMALL_FRAGMENTS or sum(run) >= storage.FRAGMENT_ROWS for run in runs)
        if not enough or small < self._again_at:
            return False
        try:
            with storage.writing(path, "merging small fragments"):
                storage.compact(dataset, max_source_rows=_MERGED_ROWS)
        except (CommitConflictError, CommitError):  # the appended rows are committed all the same
            self._again_at = small + _SMALL_FRAGMENTS // 10
            return False
        self._again_at = 0
        return True


def _small_runs(dataset: lance.LanceDataset) -> list[list[int]]:
    """Rows of the small fragments, neighbours together; one that stands alone cannot be merged."""
    sizes = (part.physical_rows for part in dataset.get_fragments())
    runs = (list(run) for small, run in groupby(sizes, lambda rows: rows < storage.FRAGMENT_ROWS) if small)
    return [run for run in runs if len(run) > 1]
