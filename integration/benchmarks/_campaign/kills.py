"""Kills at random moments: SIGKILL, SIGTERM, SIGINT, to a process or its whole group; then the same command again."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from .cases import Case
from .compare import Reference, contents

__all__ = ["kill_once", "reference"]

_SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT)


def reference(case: Case, inputs: Path, place: Path) -> tuple[Reference, float]:
    """What the command writes undisturbed, and the seconds that it takes."""
    found = []
    for _ in range(2):  # under one name: some write it down
        out = place / "out"
        case.prepare(inputs, out)
        start = time.monotonic()
        done = subprocess.run(case.command(inputs, out), capture_output=True, text=True)
        seconds = time.monotonic() - start
        if done.returncode not in (0, 3):
            raise SystemExit(f"{case.name}: status {done.returncode} undisturbed\n{done.stderr}")
        found.append(contents(out))
        shutil.rmtree(out)
    return Reference(*found), seconds


def kill_once(
    case: Case, inputs: Path, place: Path, known: tuple[Reference, float], chance: random.Random
) -> list[str]:
    """Kill the command one to three times, let it end, and say what differs."""
    out = place / "out"
    case.prepare(inputs, out)
    whole, seconds = known
    for _ in range(chance.randint(1, 3)):
        _kill(case.command(inputs, out), chance.uniform(0.2, 1.0) * seconds, chance)
    done = subprocess.run(case.command(inputs, out), capture_output=True, text=True)
    differs = whole.differs(contents(out))
    refused = done.returncode == 2 and "--overwrite" in done.stderr and not differs  # the kill came after the end
    if done.returncode not in (0, 3) and not refused:
        differs.append(f"status {done.returncode}: {done.stderr.strip().splitlines()[-1:]}")
    shutil.rmtree(out)
    return differs


def _kill(command: list[str], delay: float, chance: random.Random) -> None:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    time.sleep(delay)
    if process.poll() is None:
        send = os.killpg if chance.random() < 0.5 else os.kill
        send(process.pid, chance.choice(_SIGNALS))
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    with suppress(ProcessLookupError):  # what a killed parent left running
        os.killpg(process.pid, signal.SIGKILL)
