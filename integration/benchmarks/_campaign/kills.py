"""Kills at random moments: SIGKILL, SIGTERM, SIGINT, to a process or its whole group; then the same command again."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from contextlib import suppress
from pathlib import Path

from .cases import Case
from .compare import Reference, contents
from .processes import Process, aside, run

__all__ = ["MOST_SECONDS", "kill_once", "reference", "run_again"]

_SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
_STOPPED = 130
MOST_SECONDS = 600


def reference(case: Case, inputs: Path, place: Path) -> tuple[Reference, float]:
    """What the command writes undisturbed, and the seconds that it takes."""
    found = []
    for _ in range(2):  # under one name: some write it down
        out = place / "out"
        case.prepare(inputs, out)
        done = run(case.command(inputs, out), place / "log", seconds=MOST_SECONDS)
        if done.status not in case.ends:
            raise SystemExit(f"{case.name}: status {done.status} undisturbed\n{done.err[-2000:]}")
        found.append(aside(contents, out))
        shutil.rmtree(out)
    return Reference(*found), done.seconds


def kill_once(
    case: Case, inputs: Path, place: Path, known: tuple[Reference, float], chance: random.Random
) -> list[str]:
    """Kill the command once or twice, let it end, and say what differs."""
    out = place / "out"
    case.prepare(inputs, out)
    whole, seconds = known
    wrong = []
    for _ in range(chance.choice((1, 1, 2))):
        wrong += _kill(case, case.command(inputs, out), place / "log", chance.uniform(0.05, 1.0) * seconds, chance)
    return wrong + run_again(case, inputs, place, whole)


def run_again(case: Case, inputs: Path, place: Path, whole: Reference) -> list[str]:
    """Let a command that was killed run to its end, and say what differs; what it wrote is removed."""
    out = place / "out"
    done = run(case.command(inputs, out), place / "log", seconds=MOST_SECONDS)
    differs = whole.differs(aside(contents, out))
    refused = done.status == 2 and "is there already" in done.err and not differs  # the kill came after the end
    if done.status not in case.ends and not refused:
        differs.append(f"status {done.status}: {done.err.strip().splitlines()[-1:]}")
    shutil.rmtree(out)
    return differs


def _kill(case: Case, command: list[str], log: Path, delay: float, chance: random.Random) -> list[str]:
    """Kill it, and say what is wrong with how it ends where it was only asked to (Ctrl-C)."""
    process, sent = Process(command, log), None
    time.sleep(delay)
    if process.poll() is None:
        send = os.killpg if chance.random() < 0.5 else os.kill
        sent = chance.choice(_SIGNALS)
        with suppress(ProcessLookupError):
            send(process.pid, sent)
    done = process.wait(60)  # and ends what a killed parent left running
    if sent != signal.SIGINT or done.status in case.ends:  # it came after the end
        return []
    if "Traceback" in done.err:
        return [f"Ctrl-C: trace: {done.err.strip().splitlines()[-1]}"]
    return [] if done.status in (_STOPPED, 2) else [f"Ctrl-C: status {done.status}"]
