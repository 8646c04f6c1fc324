"""The edge to Lance: open, scan, commit; its errors become ours here and nowhere else.

What Lance gives (pylance 14): a commit writes one new manifest by an atomic rename, so that a killed process leaves at
most data files that no version names (`InstanceTable.compact` removes them). Commits that touch different fragments,
or append, go through side by side; one that was overtaken on its own fragment, or by a new column, raises
``CommitConflictError`` and is made again here on the newest version.
"""

from __future__ import annotations

import os
import random
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import lance
import numpy as np
import pyarrow as pa
from lance.commit import CommitConflictError

from . import files
from .errors import CommitError, TableError
from .stores import StorePath
from .stores.access import lance_options
from .stores.errors import sentence

__all__ = [
    "FRAGMENT_ROWS",
    "Columns",
    "append_rows",
    "asked",
    "check_process",
    "commit_again",
    "compact",
    "is_dataset",
    "is_free",
    "locate",
    "locked",
    "make_dataset",
    "open_dataset",
    "plain",
    "reading",
    "take_rows",
    "update_rows",
    "writing",
]

FRAGMENT_ROWS = 8192
"""Rows of a fragment at most: a fill rewrites the columns of whole fragments."""

Columns = Sequence[str] | Mapping[str, str]
"""Names of columns, or new names with the SQL expression of each: ``{"masked": "area_fraction IS NOT NULL"}``."""

_ATTEMPTS = 30
_PROCESS = os.getpid()


def _message(path: Path, error: BaseException) -> str:
    """Lance's own words after the path, without the place in its sources; of a store, what it means."""
    if isinstance(path, StorePath):
        return sentence(path, error).removeprefix(f"{path}: ")
    text = re.sub(r",? ?/\S+\.rs:\d+:\d+.*", "", str(error), flags=re.DOTALL)
    return text.removeprefix("Invalid user input: ")


def check_process() -> None:
    """Refuse to go on in a forked child, where Lance's threads are missing and a call may hang for ever.

    Raises:
        TableError: In a process that was forked after this module was imported.
    """
    if os.getpid() != _PROCESS:
        raise TableError(
            "an instance table cannot be used in a forked process: start it with multiprocessing's 'spawn' or "
            "'forkserver' (DataLoader(multiprocessing_context='forkserver'))"
        )


def is_dataset(path: Path) -> bool:
    """Whether a Lance dataset was committed here."""
    try:
        return any(file.suffix == ".manifest" for file in (path / "_versions").iterdir())
    except (FileNotFoundError, NotADirectoryError):  # one that may not be looked at is no missing one
        return False


def is_free(path: Path) -> bool:
    """Whether a dataset can be made here: nothing is there, or what a process left that was killed while making one."""
    try:  # one look: between two, another process may make the folder
        names = {child.name for child in path.iterdir()}
    except FileNotFoundError:
        return True
    except NotADirectoryError:
        return False
    return names <= {"_transactions", "_versions", "data"} and not is_dataset(path)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Take turns with other processes that append here; the lock goes with the process that holds it."""
    with ExitStack() as held:
        with writing(path, "new rows"):
            held.enter_context(files.locked(path / "_append.lock", str(path), wait=True))
        yield


@contextmanager
def reading(path: Path, what: str = "reading") -> Iterator[None]:
    """Translate what Lance raises on a read into `TableError`."""
    try:
        yield
    except (OSError, ValueError, RuntimeError, KeyError, pa.ArrowException) as error:
        raise TableError(f"{path}: {what}: {_message(path, error)}") from error


@contextmanager
def writing(path: Path, what: str) -> Iterator[None]:
    """Translate what Lance raises on a write into `CommitError`; conflicts pass."""
    try:
        yield
    except CommitConflictError:
        raise
    except (OSError, ValueError, RuntimeError, pa.ArrowException) as error:
        if "Retryable commit conflict" in str(error):  # compaction raises it as an OSError
            raise CommitConflictError(_message(path, error)) from error
        raise CommitError(
            f"{path}: {what} was not committed: {_message(path, error)}. The table is as it was before; "
            "remove the cause (a full disk?) and run the same again"
        ) from error


def commit_again(path: Path, what: str, attempt: Callable[[], Any]) -> Any:
    """Call ``attempt`` until it is not overtaken by another writer; it must begin from the newest version each time.

    Raises:
        CommitError: If other writers always came first, or the write failed.
    """
    for number in range(_ATTEMPTS):
        try:
            with writing(path, what):
                return attempt()
        except CommitConflictError:
            time.sleep(random.uniform(0, min(0.02 * 2**number, 1.0)))
    raise CommitError(
        f"{path}: {what} was overtaken by other writers {_ATTEMPTS} times; use fewer processes or --shard"
    )


def open_dataset(path: Path) -> lance.LanceDataset:
    """The dataset at its newest version."""
    return lance.dataset(**_at(path))


def make_dataset(path: Path, rows: pa.Table) -> None:
    """Commit a new dataset."""
    lance.write_dataset(rows, **_at(path))


def _at(path: Path) -> dict[str, Any]:
    """Lance's arguments for a place; in the address of a store, ``#``, ``?`` and ``%`` would mean something to it.

    So would a relative path's beginning: ``~`` the home folder, ``run:1`` a scheme.
    """
    if isinstance(path, StorePath):
        return {"uri": quote(str(path), safe=":/"), "storage_options": lance_options(path)}
    return {"uri": path.absolute()}


def plain(columns: Columns | None) -> dict[str, str] | list[str] | None:
    """Columns as Lance wants them."""
    if columns is None:
        return None
    return dict(columns) if isinstance(columns, Mapping) else list(columns)


def asked(columns: Columns | None, where: str | None) -> str:
    """What was asked for, for messages."""
    parts = [] if columns is None or len(columns) > 8 else [f"columns {', '.join(columns)}"]
    return " ".join([*parts, *([f"where {where!r}"] if where else [])]) or "reading"


def take_rows(dataset: lance.LanceDataset, addresses: Sequence[int], columns: Sequence[str]) -> pa.Table:
    """Rows by their addresses (fragment << 32 | row), in this order."""
    return dataset._take_rows(list(addresses), columns=list(columns))


def append_rows(dataset: lance.LanceDataset, rows: pa.Table) -> int:
    """Commit new rows as fragments of at most `FRAGMENT_ROWS`; gives the version that this made."""
    return int(lance.write_dataset(rows, dataset, mode="append", max_rows_per_file=FRAGMENT_ROWS).version)


def compact(dataset: lance.LanceDataset, **limits: int) -> None:
    """Commit neighbouring small fragments as one, without their removed rows; pictures go through 64 at a time."""
    dataset.optimize.compact_files(target_rows_per_fragment=FRAGMENT_ROWS, batch_size=64, **limits)


def locate(dataset: lance.LanceDataset, rows: pa.Table) -> dict[int, pa.Table]:
    """Rows (with ``id``) by the fragment that holds them; ids that the dataset lacks are left out."""
    found = dataset.to_table(columns=["id"], with_row_address=True)
    at = dict(zip(found["id"].to_pylist(), (found["_rowaddr"].to_numpy() >> np.uint64(32)).tolist(), strict=True))
    fragments = np.array([at.get(row, -1) for row in rows["id"].to_pylist()], dtype=np.int64)
    return {int(number): rows.filter(fragments == number) for number in np.unique(fragments) if number >= 0}


def update_rows(path: Path, dataset: lance.LanceDataset, parts: Mapping[int, pa.Table]) -> None:
    """Commit new values of columns, all parts at once; other columns and other rows stay as they are, unread.

    Args:
        path: For messages.
        dataset: Moves to the newest version.
        parts: Fragment id -> rows with ``id`` and the columns to write.
    """

    def attempt() -> None:
        nonlocal parts
        dataset.checkout_latest()
        if any(dataset.get_fragment(number) is None for number in parts):  # compacted meanwhile
            parts = locate(dataset, pa.concat_tables(parts.values(), promote_options="default"))
        fragments, fields = [], set[int]()
        for number, rows in parts.items():
            fragment, modified = dataset.get_fragment(number).update_columns(rows, left_on="id", right_on="id")
            fragments.append(fragment)
            fields.update(modified)
        if fragments:
            lance.LanceDataset.commit(
                dataset,
                lance.LanceOperation.Update(
                    updated_fragments=fragments, fields_modified=sorted(fields), update_mode="rewrite_columns"
                ),
                read_version=dataset.version,
            )

    commit_again(path, f"an update of {sum(map(len, parts.values()))} rows", attempt)
    dataset.checkout_latest()
