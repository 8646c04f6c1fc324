"""Time of an instance table by its size: appends, fills, status, a resume with nothing to do; how each grows.

python benchmarks/table_scale.py --rows 2000 20000 200000

The exponent is that of the whole step's time between the smallest and the largest table: 1 is linear, and below it is
what does not depend on the rows.
"""

import argparse
import math
import tempfile
import time
from collections.abc import Callable, Sequence
from hashlib import pbkdf2_hmac
from pathlib import Path

from divergen_records import Batch, Float32, InstanceTable, append, fill
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


def measure(folder: Path, rows: int, clock: Callable[[], float]) -> dict[str, float]:
    """Microseconds per row of each step; seconds of the others."""

    def timed(call: Callable[[], object]) -> float:
        start = clock()
        call()
        return clock() - start

    table = InstanceTable.create(folder / f"{rows}.lance")
    plan = list(plan_instances(rows))
    result = {"append": timed(lambda: append(table, FakeSource(), plan, progress=False)) / rows * 1e6}
    for stage in STAGE_LIST:
        result[stage.name] = timed(lambda stage=stage: fill(table, stage, progress=False)) / rows * 1e6

    def resume() -> None:
        again = InstanceTable.open(table.path)
        append(again, FakeSource(), plan, progress=False)
        for stage in STAGE_LIST:
            fill(again, stage, progress=False)

    groups = {"frequency": "frequency", "failed": "error IS NOT NULL"}
    groups |= {name: f"{column} IS NOT NULL" for name, column in STAGES.items()}
    result["status s"] = timed(lambda: InstanceTable.open(table.path).group_counts(groups))
    result["resume s"] = timed(resume)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[2000, 20_000, 200_000])
    parser.add_argument("--repeat", type=int, default=3, help="the fastest of so many is printed")
    parser.add_argument("--cpu", action="store_true", help="CPU time of all threads, for a machine that others use too")
    arguments = parser.parse_args()
    clock = time.process_time if arguments.cpu else time.perf_counter
    columns = ["append", *(stage.name for stage in STAGE_LIST), "status s", "resume s"]
    print("us per row".rjust(10), *(name.rjust(9) for name in columns))
    totals: dict[int, dict[str, float]] = {}
    for rows in arguments.rows:
        found = []
        for _ in range(arguments.repeat):
            with tempfile.TemporaryDirectory() as folder:
                found.append(measure(Path(folder), rows, clock))
        best = {name: min(result[name] for result in found) for name in columns}
        totals[rows] = {name: best[name] * (1 if name.endswith(" s") else rows) for name in columns}
        print(
            f"{rows:>10}", *(f"{best[name]:9.3f}" if name.endswith(" s") else f"{best[name]:9.1f}" for name in columns)
        )
    if len(totals) > 1:
        few, many = min(totals), max(totals)
        growth = {name: math.log(totals[many][name] / totals[few][name], many / few) for name in columns}
        print("exponent".rjust(10), *(f"{growth[name]:9.2f}" for name in columns))


if __name__ == "__main__":
    main()
