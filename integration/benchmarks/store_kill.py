"""A run on an object store, shared by two machines and killed with SIGKILL at random moments, against a run on a disk.

python integration/benchmarks/store_kill.py --kills 20

The store is moto, an S3 server of this process; each machine is a process with its own cache. Both do a part of the
table's work (``--shard``), then one after the other goes on alone. A run that ends before the kills do is compared and
another one begun. Compared are the table's rows with all their columns, and byte for byte the prompts and the pasted
images; the pool's pictures lie in the order in which the rows came. A moment is a process's CPU time (Linux), so that a
busy machine is killed where an idle one is.
"""

import argparse
import itertools
import logging
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3
from divergen_records import InstanceTable
from divergen_records.stores import StorePath, access, place
from moto.server import ThreadedMotoServer

SETTINGS = (
    "data={kind: minilvis, train_images: 12, val_images: 10, size: 96, categories: [apple, cup, banana]}",
    "prompts.per_category=3",
    "counts={per_category: 16}",
    "generators=[{kind: procedural, size: 128}]",
    "bake={}",
    "train=null",
)
MACHINES = ("one", "other")

Made = tuple[list[dict[str, object]], dict[str, bytes]]
"""The rows and the files of a run."""


class Killer:
    """Starts the lines of a run, and kills some of them.

    Args:
        folder: For the machines' caches.
        kills: How many to kill.
        longest: CPU seconds until a kill, at most.
        seed: Decides when.
    """

    def __init__(self, folder: Path, kills: int, longest: float, seed: int) -> None:
        self.folder, self.kills, self.longest, self.draw = folder, kills, longest, random.Random(seed)
        self.killed = 0

    def finish(self, lines: dict[str, list[str]]) -> None:
        """Start each machine's line again and again until all have ended well."""
        working: dict[str, subprocess.Popen[bytes]] = {}
        left = dict(lines)
        while left:
            for machine in left.keys() - working.keys():
                working[machine] = start(self.folder, machine, left[machine])
            if self.killed < self.kills:
                self._kill(working)
            else:
                working[min(working)].wait()
            for machine in [machine for machine, process in working.items() if process.poll() is not None]:
                if working.pop(machine).returncode:
                    sys.exit(f"{machine} failed:\n{(self.folder / machine).with_suffix('.log').read_text()}")
                del left[machine]

    def _kill(self, working: dict[str, subprocess.Popen[bytes]]) -> None:
        """Kill one of them, unless it ends before its time has come."""
        victim, due = self.draw.choice(sorted(working)), self.draw.uniform(0.0, self.longest)
        process = working[victim]
        while process.poll() is None and cpu_seconds(process.pid) < due:
            time.sleep(0.05)
        if process.poll() is not None:
            return
        process.kill()
        process.wait()
        self.killed += 1
        said = (self.folder / victim).with_suffix(".log").read_text().splitlines()
        step = next((line for line in reversed(said) if line.startswith("[")), "-")
        print(f"kill {self.killed}: {victim} after {due:.1f} CPU s, last begun: {step}", flush=True)
        del working[victim]


def cpu_seconds(process: int) -> float:
    """Of a process so far."""
    words = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def start(folder: Path, machine: str, words: list[str]) -> subprocess.Popen[bytes]:
    """A `divergen` command of a machine."""
    environment = {**os.environ, "DIVERGEN_CACHE": str(folder / machine)}
    with (folder / machine).with_suffix(".log").open("ab") as log:
        return subprocess.Popen([sys.executable, "-m", "divergen", *words], env=environment, stdout=log, stderr=log)


def rows(run: Path) -> list[dict[str, object]]:
    """All columns of all rows, in the order of ids."""
    return sorted(InstanceTable.open(run / "instances.lance").select().to_pylist(), key=lambda row: row["id"])


def files(run: Path) -> dict[str, bytes]:
    """The prompts and the pasted images, by name."""
    if isinstance(run, StorePath):
        names = [name for name in access.listing(run) if not name.startswith("instances.lance")]
    else:
        names = [path.relative_to(run).as_posix() for path in run.rglob("*") if path.is_file()]
    chosen = (name for name in names if name == "prompts.jsonl" or name.startswith("pasted/"))
    return {name: (run / name).read_bytes() for name in chosen}


def differences(expected: Made, found: Made) -> list[str]:
    """What is not the same: the rows, files by name."""
    names = sorted(name for name in expected[1].keys() | found[1].keys() if expected[1].get(name) != found[1].get(name))
    return ["rows"] * (expected[0] != found[0]) + names


@contextmanager
def store() -> Iterator[str]:
    """The address of a bucket on a server of this process; the environment has its key."""
    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # a line for each request
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    os.environ |= {
        "AWS_ACCESS_KEY_ID": "id",
        "AWS_SECRET_ACCESS_KEY": "key",
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_REGION": "us-east-1",
    }
    boto3.client("s3", region_name="us-east-1").create_bucket(Bucket="bucket")
    yield "s3://bucket"
    server.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--longest", type=float, default=12.0, help="CPU seconds before a kill, at most")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, store() as bucket:
        folder = Path(name)
        killer = Killer(folder, arguments.kills, arguments.longest, arguments.seed)
        start(folder, "local", ["run", "quickstart", *SETTINGS, "--out", str(folder / "run")]).wait()
        expected = rows(folder / "run"), files(folder / "run")
        for number in itertools.count(1):
            run = place(f"{bucket}/run-{number}")
            line = ["run", "quickstart", *SETTINGS, "--out", str(run)]
            killer.finish({machine: [*line, "--shard", f"{part}/2"] for part, machine in enumerate(MACHINES)})
            for machine in MACHINES:
                killer.finish({machine: line})
            if different := differences(expected, (rows(run), files(run))):
                sys.exit(f"{run} differs from the run on a disk: {', '.join(different)}")
            equal = f"{len(expected[0])} rows and {len(expected[1])} files equal"
            print(f"{killer.killed} kills, {number} runs: {equal}", flush=True)
            if killer.killed >= arguments.kills:
                return


if __name__ == "__main__":
    main()
