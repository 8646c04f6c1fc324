"""Kill a run of all table stages at random moments, again and again; its table must equal an uninterrupted run's.

python integration/benchmarks/kills.py --kills 50
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from divergen_records import InstanceTable

STEPS = ("data", "prompts", "gen", "annotate", "embed", "score", "decide")

OVERRIDES = (
    "data={kind: minilvis, train_images: 12, val_images: 10, size: 96, categories: [apple, cup, banana]}",
    "counts={per_category: 12}",
    "generators=[{kind: procedural, size: 128}]",
    "train=null",
)


def command(folder: Path) -> list[str]:
    return [sys.executable, "-m", "divergen", "quickstart", "--out", str(folder), "--until", "decide", *OVERRIDES]


def rows(folder: Path) -> list[dict[str, object]]:
    table = InstanceTable.open(folder / "instances.lance")
    return sorted(table.select().to_pylist(), key=lambda row: row["id"])


def kill_in(step: str, delay: float, call: list[str]) -> str | None:
    """Kill a run ``delay`` seconds into a step; the step that it died in, None if it came to its end."""
    process = subprocess.Popen(call, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    for line in process.stderr:
        if line.startswith("[") and line.split()[1] == f"{step}:":
            break
    time.sleep(delay)
    if process.poll() is not None:
        return None
    os.kill(process.pid, signal.SIGKILL)
    later = [line.split()[1].rstrip(":") for line in process.communicate()[1].splitlines() if line.startswith("[")]
    return later[-1] if later else step


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    chance = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as place:
        whole, killed = Path(place) / "whole", Path(place) / "killed"
        start = time.monotonic()
        subprocess.run(command(whole), check=True, capture_output=True)
        print(f"uninterrupted: {time.monotonic() - start:.1f} s, {len(rows(whole))} rows")
        hit: Counter[str] = Counter()
        while hit.total() < arguments.kills:
            step = kill_in(chance.choice(STEPS), chance.uniform(0.0, 2.0), command(killed))
            if step is None:
                assert rows(killed) == rows(whole)
                print(f"finished after {hit.total()} kills, equal; starting a new one", flush=True)
                killed = killed.with_name(f"killed-{hit.total()}")
            else:
                hit[step] += 1
        subprocess.run(command(killed), check=True, capture_output=True)
        assert rows(killed) == rows(whole)
        print(
            f"{hit.total()} kills, in {dict(hit)}: every table equals the uninterrupted one, id by id and byte by byte"
        )


if __name__ == "__main__":
    main()
