"""One process of a small run (a source and two stages without models), to be killed or run side by side.

python benchmarks/_table_worker.py TABLE --rows 400 --stages source annotate embed --shard 0/2
"""

import argparse
from collections.abc import Iterator
from datetime import timedelta

from divergen_records import InstanceRecord, InstanceTable, Shard, append, fill, results, storage, upkeep
from divergen_records.testing import FakeSource, FakeStage, plan_instances

SECONDS = 0.0004
"""What a row takes in each stage: enough for kills to fall everywhere."""


def failing(rows: int) -> tuple[set[str], set[str]]:
    """Ids that fail in the source, and in the first stage."""
    ids = [record.id for record in plan_instances(rows)]
    return set(ids[::37]), set(ids[5::41])


def run(table: InstanceTable, rows: int, stages: list[str], shard: Shard, planned: Iterator[InstanceRecord]) -> None:
    lost, bad = failing(rows)
    for name in stages:
        if name == "source":
            source = FakeSource(fail=lost, seconds=SECONDS, size=3000)
            append(table, source, planned, shard=shard, commit_rows=48, batch_size=8, progress=False)
        elif name == "annotate":
            fill(table, FakeStage(fail=bad, seconds=SECONDS), shard=shard, batch_size=8, progress=False)
        elif name == "embed":
            embed = FakeStage("embed", ("image", "mask"), ("embedder", "embedding"), seconds=SECONDS, dim=16)
            fill(table, embed, shard=shard, batch_size=8, progress=False)
        else:
            look = FakeStage("look", ("image",), ("inter_similarity",), seconds=SECONDS)
            fill(table, look, shard=shard, batch_size=8, progress=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table")
    parser.add_argument("--rows", type=int, default=400)
    parser.add_argument("--stages", nargs="+", default=["source", "annotate", "embed"])
    parser.add_argument("--shard", type=Shard.parse, default=Shard())
    arguments = parser.parse_args()
    results.COMMIT_EVERY = 0.03  # commit all the time, so that kills hit commits
    results.COMMIT_LATEST = 0.1
    storage.FRAGMENT_ROWS, upkeep._THIN_EVERY = 128, 4  # merges and removals too
    upkeep.KEEP = timedelta(seconds=5)
    print("ready", flush=True)
    table = InstanceTable.create(arguments.table, exist_ok=True)
    run(table, arguments.rows, arguments.stages, arguments.shard, plan_instances(arguments.rows))


if __name__ == "__main__":
    main()
