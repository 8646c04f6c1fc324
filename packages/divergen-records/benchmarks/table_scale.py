"""CPU time and peak memory of an instance table's steps by its size, and how each grows.

python benchmarks/table_scale.py --rows 10000 100000 1000000

Rows come in commits of 30, what a commit every half minute has at a picture a second, with tiny pictures. Each step
runs in a process of its own, as a command does. The exponent is that of the whole step's time between the smallest and
the largest table: 1 is linear, and below it is what does not depend on the rows. The memory is the highest of the
process, its libraries included.
"""

import argparse
import math
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta
from hashlib import pbkdf2_hmac
from multiprocessing import get_context
from pathlib import Path

from divergen_records import Batch, Float32, InstanceTable, append, fill, upkeep
from divergen_records.table_cli import STAGES
from divergen_records.testing import FakeColumns, FakeSource, plan_instances


class BenchColumns(FakeColumns):
    """What these stages write beside the record's columns."""

    mask_score: Float32 | None = None
    clip_score: Float32 | None = None


class Constant:
    """A stage that does nothing, so that what is timed is the table."""

    columns = BenchColumns

    def __init__(self, name: str, reads: Sequence[str], values: dict[str, object]) -> None:
        self.name, self.reads, self.writes, self.values = name, tuple(reads), tuple(values), values

    def __call__(self, batch: Batch) -> Batch:
        return {name: [value] * len(batch["id"]) for name, value in self.values.items()}


class Work(Constant):
    """A stage that computes a tenth of a millisecond for each row."""

    def __call__(self, batch: Batch) -> Batch:
        for name in batch["id"]:
            pbkdf2_hmac("sha256", name.encode(), b"", 200)
        return super().__call__(batch)


ANNOTATE = {"area_fraction": 0.5, "mask": "x" * 200, "bbox": (1.0, 2.0, 3.0, 4.0), "mask_score": 1.0}
STAGE_LIST = [
    Constant("annotate", ["image"], ANNOTATE),
    Constant("embed", ["image", "mask"], {"embedder": "e", "embedding": [0.5] * 64}),
    Constant("score", ["embedding", "category_id"], {"inter_similarity": 0.5}),
    Work("work", ["width"], {"clip_score": 0.5}),
    Constant("decide", ["inter_similarity"], {"kept": True}),
]
GROUPS = {"frequency": "frequency", "failed": "error IS NOT NULL"}


def grow(path: Path, rows: int, commit_rows: int) -> None:
    """Old versions stay for 2.4 s instead of an hour, as `append_scale.py` has it: for 120 commits, not for all."""
    upkeep.KEEP, upkeep._GRACE_SECONDS = timedelta(seconds=2.4), 0.1
    table = InstanceTable.create(path, exist_ok=True)
    append(table, FakeSource(), plan_instances(rows), progress=False, commit_rows=commit_rows, total=rows)


def work(path: Path, name: str) -> None:
    fill(InstanceTable.open(path), next(stage for stage in STAGE_LIST if stage.name == name), progress=False)


def count(path: Path) -> None:
    groups = GROUPS | {name: f"{column} IS NOT NULL" for name, column in STAGES.items()}
    InstanceTable.open(path).group_counts(groups)


def resume(path: Path, rows: int, commit_rows: int) -> None:
    grow(path, rows, commit_rows)
    for stage in STAGE_LIST:
        work(path, stage.name)


def peak_memory() -> float:
    """Of this process so far, MB."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024
    except OSError:  # no Linux
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 1024)


def timed(step: Callable[..., None], *arguments: object) -> tuple[float, float]:
    """CPU seconds and MB of a step in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_timed, step, *arguments).result()


def _timed(step: Callable[..., None], *arguments: object) -> tuple[float, float]:
    start = time.process_time()
    step(*arguments)
    return time.process_time() - start, peak_memory()


def measure(path: Path, rows: int, commit_rows: int) -> dict[str, tuple[float, float]]:
    """CPU seconds and MB of each step."""
    result = {"append": timed(grow, path, rows, commit_rows)}
    for stage in STAGE_LIST:
        result[stage.name] = timed(work, path, stage.name)
    result["count"] = timed(count, path)
    result["resume"] = timed(resume, path, rows, commit_rows)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--repeat", type=int, default=1, help="the quickest of so many is printed")
    parser.add_argument("--commit-rows", type=int, default=30)
    parser.add_argument("--dir", help="where the tables are made and removed; the system's temporary folder by default")
    asked = parser.parse_args()
    columns = ["append", *(stage.name for stage in STAGE_LIST), "count", "resume"]
    print("".rjust(24), *(name.rjust(9) for name in columns))
    seconds: dict[int, dict[str, float]] = {}
    for rows in sorted(asked.rows):
        found = []
        for _ in range(asked.repeat):
            with tempfile.TemporaryDirectory(dir=asked.dir) as folder:
                found.append(measure(Path(folder) / "table.lance", rows, asked.commit_rows))
        seconds[rows] = {name: min(result[name][0] for result in found) for name in columns}
        print(f"{rows:>11} rows, us a row", *(f"{seconds[rows][name] / rows * 1e6:9.2f}" for name in columns))
        print(
            "peak MB".rjust(24), *(f"{min(result[name][1] for result in found):9.0f}" for name in columns), flush=True
        )
    if len(seconds) > 1:
        few, many = min(seconds), max(seconds)
        growth = {name: math.log(seconds[many][name] / seconds[few][name], many / few) for name in columns}
        print("exponent".rjust(24), *(f"{growth[name]:9.2f}" for name in columns))


if __name__ == "__main__":
    main()
