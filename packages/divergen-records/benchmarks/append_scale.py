"""CPU time and disk of an instance table that grows by small commits; a small table beside it, commit by commit.

    python append_scale.py --rows 20000 100000

Other work on the machine changes CPU times, so that only tables that grow in turns can be compared. A commit of 30 rows
stands for half a minute of generating: old versions are kept for 120 commits, as an hour keeps them in a run.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from itertools import islice
from pathlib import Path

from divergen_records import InstanceRecord, InstanceTable, upkeep
from divergen_records.testing import FakeSource, plan_instances


class Growing:
    """A table that begins with ``rows`` rows and grows by small commits, timed."""

    def __init__(self, path: Path, rows: int, size: int, commits: int, few: int) -> None:
        self.table, self.source, self.seconds, self.few = InstanceTable.create(path), FakeSource(size=size), 0.0, few
        self.plan: Iterator[InstanceRecord] = plan_instances(rows + commits * few, seed=rows)
        for at in range(0, rows, 8192):
            self.table.append(self._make(min(8192, rows - at)))

    def _make(self, count: int) -> list[InstanceRecord]:
        return self.source(list(islice(self.plan, count)))

    def grow(self) -> None:
        made, start = self._make(self.few), time.process_time()
        self.table.append(made)
        self.seconds += time.process_time() - start

    def disk(self) -> int:
        return sum(file.stat().st_size for file in self.table.path.rglob("*") if file.is_file())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000], help="what each table begins with")
    parser.add_argument("--commits", type=int, default=600)
    parser.add_argument("--commit-rows", type=int, default=30)
    parser.add_argument("--size", type=int, default=200, help="bytes of a picture")
    parser.add_argument("--keep", type=float, default=2.4, help="seconds for which old versions stay")
    asked = parser.parse_args()
    upkeep.KEEP, upkeep._GRACE_SECONDS = timedelta(seconds=asked.keep), asked.keep / 24
    with tempfile.TemporaryDirectory() as folder:
        tables = [
            Growing(Path(folder) / f"{rows}.lance", rows, asked.size, asked.commits, asked.commit_rows)
            for rows in asked.rows
        ]
        for _ in range(asked.commits):
            for one in tables:
                one.grow()
        for rows, one in zip(asked.rows, tables, strict=True):
            each = one.seconds / (asked.commits * asked.commit_rows) * 1e6
            disk, total = one.disk(), one.table.count()
            one.table.compact(keep=timedelta(0))
            print(f"{rows:>9} to {total:>9} rows: {each:6.0f} CPU us a row, {disk / one.disk():.2f} times the content")


if __name__ == "__main__":
    main()
