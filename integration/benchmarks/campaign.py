"""Kill, starve and poison every command that writes, and print what became of it.

python integration/benchmarks/campaign.py --kills 300 --hostile 300 --faults --results campaign.jsonl   # the long form
python integration/benchmarks/campaign.py --kills 8 --hostile 24                  # the short form
python integration/benchmarks/campaign.py --only "paste bake" --moments 100       # the same kills at each call
python integration/benchmarks/campaign.py --only "paste bake" --kills 20
python integration/benchmarks/campaign.py --soak 60                               # runs in one process
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice, product
from pathlib import Path

from _campaign.cases import CASES, Case
from _campaign.compare import Reference
from _campaign.doors import DOORS, Door
from _campaign.endpoint import endpoint
from _campaign.faults import FAULTS, can_mount, fault_once
from _campaign.hostile import hostile_once, trials
from _campaign.inputs import make_inputs
from _campaign.kills import kill_once, reference
from _campaign.moments import killed_at_moments
from _campaign.processes import aside, preload

_FEW = 20
"""Trials for which it does not pay to import everything first."""


class Outcome:
    """What was tried, and what went wrong; with a file also what earlier calls tried.

    Args:
        file: JSON Lines, one for each trial.
    """

    def __init__(self, file: Path | None) -> None:
        self.file = file
        lines = file.read_text(encoding="utf-8").splitlines() if file and file.exists() else []
        self.trials: list[tuple[str, str, list[str]]] = [tuple(json.loads(line)) for line in lines]

    def done(self, kind: str) -> int:
        """Trials of a kind so far."""
        return sum(one == kind for one, _, _ in self.trials)

    def add(self, kind: str, name: str, wrong: list[str]) -> None:
        """Note a trial."""
        self.trials.append((kind, name, wrong))
        if self.file:
            with self.file.open("a", encoding="utf-8") as file:
                file.write(json.dumps([kind, name, wrong]) + "\n")
        for one in wrong:
            print(f"  {kind}, {name}: {one}", file=sys.stderr, flush=True)

    def table(self) -> str:
        """Markdown: for each command and kind how often it was tried, and how many trials went wrong."""
        kinds = sorted({kind for kind, _, _ in self.trials})
        tried = Counter((kind, name) for kind, name, _ in self.trials)
        wrong = Counter((kind, name) for kind, name, found in self.trials if found)
        lines = ["| command | " + " | ".join(f"{kind}: tried, wrong" for kind in kinds) + " |"]
        lines.append("|---|" + "---|" * len(kinds))
        for name in dict.fromkeys(name for _, name, _ in self.trials):
            cells = (f"{tried[kind, name]}, {wrong[kind, name]}" if tried[kind, name] else "" for kind in kinds)
            lines.append(f"| {name} | " + " | ".join(cells) + " |")
        sums = (
            f"{sum(n for key, n in tried.items() if key[0] == kind)}, "
            f"{sum(n for key, n in wrong.items() if key[0] == kind)}"
            for kind in kinds
        )
        return "\n".join([*lines, "| all | " + " | ".join(sums) + " |"])


class Campaign:
    """A place to work in, and what was found there.

    Args:
        place: The folder; inputs that are there are taken as they are.
        outcome: Takes what is found.
        seed: Decides every random choice.
        cases: The commands.
        doors: The files that commands read.
    """

    def __init__(self, place: Path, outcome: Outcome, seed: int, cases: list[Case], doors: list[Door]) -> None:
        self.place, self.outcome, self.seed, self.cases = place, outcome, seed, cases
        self.inputs = place / "inputs"
        for left in ("in", "out"):  # of a campaign that was stopped
            shutil.rmtree(place / left, ignore_errors=True)
        self.doors = tuple(door for door in doors if door.case.can_run)
        self.inputs.mkdir(parents=True, exist_ok=True)
        words = (f"{case.words} {case.settings}" for case in (*cases, *(door.case for door in self.doors)))
        aside(make_inputs, self.inputs, " ".join(words))
        self._notes = self.inputs / "known.json"  # what two undisturbed ones took and wrote: one that goes on knows it
        self._known: dict[str, tuple[Reference, float]] = {}
        if self._notes.exists():
            notes = json.loads(self._notes.read_text(encoding="utf-8"))
            self._known = {name: (Reference(*two), seconds) for name, (two, seconds) in notes.items()}

    def kill(self, count: int) -> None:
        """Kill so many commands in turn, in all calls with the same file together."""
        for number in range(self.outcome.done("kills"), count):
            case = self.cases[number % len(self.cases)]
            chance = random.Random(f"{self.seed} {number}")
            wrong = kill_once(case, self.inputs, self.place, self.known(case), chance)
            self.outcome.add("kills", case.name, wrong)

    def kill_at_moments(self, stride: int) -> None:
        """Kill every command before every so many-th change of a file."""
        for case in self.cases if stride else ():
            for wrong in killed_at_moments(case, self.inputs, self.place, self.known(case)[0], stride):
                self.outcome.add("moments", case.name, wrong)

    def poison(self, count: int) -> None:
        """Run so many commands in turn on a harmed input."""
        done = self.outcome.done("hostile inputs")
        for door, name, poison in islice(trials(self.doors, self.inputs, self.seed), done, count):
            wrong = hostile_once(door, name, poison, self.inputs, self.place)
            self.outcome.add("hostile inputs", door.case.name, wrong)

    def starve(self) -> None:
        """Run every command under every fault."""
        done = self.outcome.done("faults")
        for number, (case, fault) in enumerate(product(self.cases, FAULTS)):
            if number >= done:
                share = random.Random(f"{self.seed} {number}").random()
                wrong = fault_once(case, fault, self.inputs, self.place, self.known(case)[0], share)
                self.outcome.add("faults", case.name, wrong)

    def soak(self, count: int) -> None:
        """Run in one process so often."""
        for wrong in aside(_soaked, count, self.place):
            self.outcome.add("soak", "divergen run, table", wrong)

    def known(self, case: Case) -> tuple[Reference, float]:
        """What a command writes undisturbed, and its seconds."""
        if case.name not in self._known:
            self._known[case.name] = reference(case, self.inputs, self.place)
            notes = {name: (known.two, seconds) for name, (known, seconds) in self._known.items()}
            self._notes.write_text(json.dumps(notes), encoding="utf-8")
        return self._known[case.name]


def _soaked(count: int, place: Path) -> list[list[str]]:
    from _campaign.soak import soak

    return list(soak(count, place))


@contextmanager
def _place(keep: Path | None) -> Iterator[Path]:
    """A folder to work in. Not `tempfile.TemporaryDirectory`, which every fork would remove as it ends."""
    place = keep or Path(tempfile.mkdtemp())
    try:
        yield place
    finally:
        if keep is None:
            shutil.rmtree(place)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=0, help="kill so often; each then runs to its end and is compared")
    parser.add_argument("--moments", type=int, default=0, help="kill before every so many-th change of a file; exact")
    parser.add_argument("--hostile", type=int, default=0, help="run on so many harmed inputs")
    parser.add_argument("--faults", action="store_true", help="full and read-only disks and others; needs root")
    parser.add_argument("--soak", type=int, default=0, help="so many runs in one process; memory and descriptors flat")
    parser.add_argument("--only", action="append", default=[], help="commands whose name contains this")
    parser.add_argument("--without", action="append", default=[], help="leave out commands whose name contains this")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="work here, and keep the inputs and the files that did harm")
    parser.add_argument("--results", type=Path, help="JSON Lines of all trials; the same line goes on")
    arguments = parser.parse_args()
    outcome = Outcome(arguments.results)

    def asked(case: Case) -> bool:
        wanted = not arguments.only or any(part in case.name for part in arguments.only)
        return wanted and not any(part in case.name for part in arguments.without)

    cases, doors = [case for case in CASES if asked(case)], [door for door in DOORS if asked(door.case)]
    for case in cases:
        if not case.can_run:
            print(f"{case.name}: left out, for it needs {', '.join(case.needs)}", file=sys.stderr)
    many = max(arguments.kills, arguments.hostile, len(cases) if arguments.moments else 0) > _FEW
    if many or arguments.faults:
        preload()
    with _place(arguments.keep) as place, endpoint():
        campaign = Campaign(place, outcome, arguments.seed, [c for c in cases if c.can_run], doors)
        campaign.poison(arguments.hostile)
        campaign.kill(arguments.kills)
        campaign.kill_at_moments(arguments.moments)
        campaign.soak(arguments.soak)
        if arguments.faults and not can_mount():
            print("faults: left out, they need root to mount small disks", file=sys.stderr)
        elif arguments.faults:
            campaign.starve()
    print(outcome.table())
    sys.exit(1 if any(wrong for _, _, wrong in outcome.trials) else 0)


if __name__ == "__main__":
    main()
