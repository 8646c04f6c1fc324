"""Kill, starve and poison every command that writes, and print what became of it.

python integration/benchmarks/campaign.py --kills 300 --hostile 300 --faults      # the long form, an hour or two
python integration/benchmarks/campaign.py --kills 8 --hostile 24                  # the short form
python integration/benchmarks/campaign.py --only "paste bake" --kills 20
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from _campaign.cases import CASES, Case, make_inputs
from _campaign.faults import FAULTS, can_mount, fault_once
from _campaign.hostile import HARMS, hostile_once
from _campaign.kills import kill_once, reference


class Outcome:
    """What was tried, and what went wrong."""

    def __init__(self) -> None:
        self.tried: Counter[tuple[str, str]] = Counter()
        self.wrong: list[tuple[str, str, str]] = []

    def add(self, kind: str, case: Case, wrong: list[str]) -> None:
        self.tried[kind, case.name] += 1
        self.wrong += [(kind, case.name, one) for one in wrong]
        for one in wrong:
            print(f"  {kind}, {case.name}: {one}", file=sys.stderr, flush=True)

    def table(self) -> str:
        kinds = sorted({kind for kind, _ in self.tried})
        names = [case.name for case in CASES if any(self.tried[kind, case.name] for kind in kinds)]
        bad = Counter((kind, name) for kind, name, _ in self.wrong)
        lines = ["| command | " + " | ".join(f"{kind}: tried, wrong" for kind in kinds) + " |"]
        lines.append("|---|" + "---|" * len(kinds))
        for name in [*names, "all"]:
            counts = [
                (sum(self.tried[kind, one] for one in chosen), sum(bad[kind, one] for one in chosen))
                for kind in kinds
                for chosen in (names if name == "all" else [name],)
            ]
            lines.append(f"| {name} | " + " | ".join(f"{tried}, {wrong}" for tried, wrong in counts) + " |")
        return "\n".join(lines)


def turns(cases: list[Case], count: int) -> Iterator[Case]:
    """The cases in turn, ``count`` in all."""
    for number in range(count):
        yield cases[number % len(cases)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--kills", type=int, default=0, help="kill so many times; each then runs to its end and is compared"
    )
    parser.add_argument("--hostile", type=int, default=0, help="run on so many harmed inputs")
    parser.add_argument("--faults", action="store_true", help="full and read-only disks and others; needs root")
    parser.add_argument("--only", help="commands whose name contains this")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="work here, and keep the files that did harm")
    arguments = parser.parse_args()
    chance, outcome = random.Random(arguments.seed), Outcome()
    cases = [case for case in CASES if not arguments.only or arguments.only in case.name]
    with tempfile.TemporaryDirectory() as temporary:
        place = arguments.keep or Path(temporary)
        inputs = place / "inputs"
        for left in ("in", "out"):  # of a campaign that was stopped
            shutil.rmtree(place / left, ignore_errors=True)
        if not inputs.exists():
            inputs.mkdir(parents=True)
            make_inputs(inputs)
        readers = [case for case in cases if case.reads]
        for number, case in enumerate(turns(readers, arguments.hostile if readers else 0)):
            harm = list(HARMS)[number // len(readers) % len(HARMS)]
            outcome.add("hostile inputs", case, hostile_once(case, harm, inputs, place, chance))
        known = {}
        if arguments.kills or arguments.faults:
            known = {case.name: reference(case, inputs, place) for case in cases[: arguments.kills or len(cases)]}
        for case in turns(cases, arguments.kills):
            outcome.add("kills", case, kill_once(case, inputs, place, known[case.name], chance))
        if arguments.faults and not can_mount():
            print("faults: left out, they need root to mount small disks", file=sys.stderr)
        elif arguments.faults:
            for case in cases:
                for fault in FAULTS:
                    wrong = fault_once(case, fault, inputs, place, known[case.name][0], chance.random())
                    outcome.add("faults", case, wrong)
    print(outcome.table())
    sys.exit(1 if outcome.wrong else 0)


if __name__ == "__main__":
    main()
