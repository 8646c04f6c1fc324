"""Kill a run with SIGKILL at random moments, resume it each time, and compare its table with an uninterrupted run's.

python benchmarks/kill_resume.py --kills 50
"""

import argparse
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyarrow as pa
from divergen_records import InstanceTable

WORKER = Path(__file__).with_name("_table_worker.py")


def start(table: Path, rows: int) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, str(WORKER), str(table), "--rows", str(rows)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    return process


def content(table: Path) -> pa.Table:
    """All columns of all rows, in the order of ids."""
    return InstanceTable.open(table).select().sort_by("id").combine_chunks()


def compare(table: Path, expected: pa.Table) -> None:
    found = content(table)
    names = sorted(expected.column_names)
    if not found.select(names).equals(expected.select(names)):
        differ = [name for name in names if found[name] != expected[name]]
        sys.exit(f"{table}: {found.num_rows} rows, expected {expected.num_rows}; columns that differ: {differ}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--rows", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--longest", type=float, default=0.4, help="seconds of work before a kill, at most")
    arguments = parser.parse_args()
    draw = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as folder:
        whole, killed = Path(folder) / "whole.lance", Path(folder) / "killed.lance"
        begin = time.monotonic()
        assert start(whole, arguments.rows).wait() == 0
        print(f"uninterrupted: {time.monotonic() - begin:.1f} s with start-up", flush=True)
        expected = content(whole)
        kills = runs = 0
        while kills < arguments.kills:
            process = start(killed, arguments.rows)
            time.sleep(draw.uniform(0, arguments.longest))
            if process.poll() is None:
                process.kill()
                kills += 1
            if process.wait() == 0:
                compare(killed, expected)
                shutil.rmtree(killed)
                runs += 1
        assert start(killed, arguments.rows).wait() == 0
        compare(killed, expected)
        print(
            f"{kills} kills over {runs + 1} runs of {expected.num_rows} rows: every table equal, id by id, byte by byte"
        )


if __name__ == "__main__":
    main()
