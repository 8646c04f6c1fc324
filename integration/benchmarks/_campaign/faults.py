"""A disk that is full or read-only, a file in the way, few open files: a sentence, and no loss."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .cases import Case
from .compare import Reference, contents
from .processes import aside, run

__all__ = ["FAULTS", "can_mount", "fault_once"]

_FILES = 24
_SECONDS = 300

FAULTS = ("full", "read-only", "a file in the way", "few open files")


def can_mount() -> bool:
    """Whether this process may mount small disks; without it those faults are left out, and said."""
    return os.geteuid() == 0 and shutil.which("mount") is not None


def fault_once(case: Case, fault: str, inputs: Path, place: Path, whole: Reference, share: float) -> list[str]:
    """Run the command under a fault, take the fault away, run it again, and say what is wrong.

    Args:
        case: The command.
        fault: One of `FAULTS`.
        inputs: Folder of inputs.
        place: A folder to work in.
        whole: What it writes undisturbed.
        share: Of the room that it needs, for a full disk.
    """
    out = place / "out"
    with _disk(out) as resize:
        case.prepare(inputs, out)
        command = case.command(inputs, out)
        disk = os.statvfs(out)
        used = (disk.f_blocks - disk.f_bfree) * disk.f_frsize
        wrong = []
        if fault == "full":
            resize(f"size={used + int(share * 4_000_000) + 65_536}")
        elif fault == "read-only":
            resize("ro")
        elif fault == "a file in the way":
            words = [word for word in command if word.startswith(f"{out}/") and not Path(word).exists()]
            for word in words[:1]:
                (Path(word) if Path(word).suffix == "" else Path(word).with_suffix("")).write_text("mine")
        few = _FILES if fault == "few open files" else None
        done = run(command, place / "log", seconds=_SECONDS, files=few)
        if "Traceback" in done.err:
            wrong.append(f"{fault}: trace: {done.err.strip().splitlines()[-1]}")
        elif done.status is None or done.status < 0:
            wrong.append(f"{fault}: hangs" if done.status is None else f"{fault}: died by signal {-done.status}")
        if fault in ("full", "read-only", "few open files"):
            resize("rw,size=500m")
            again = run(command, place / "log", seconds=_SECONDS)
            differs = whole.differs(aside(contents, out))
            there = again.status == 2 and "is there already" in again.err and not differs
            if again.status not in case.ends and not there:
                wrong.append(f"{fault}: then status {again.status}: {again.err.strip().splitlines()[-1:]}")
            wrong += [f"{fault}: then {one}" for one in differs]
    return wrong


@contextmanager
def _disk(folder: Path) -> Iterator[object]:
    folder.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=500m", "campaign", folder], check=True)

    def resize(options: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{options}", folder], check=True)

    try:
        yield resize
    finally:
        subprocess.run(["umount", "-l", folder], check=True)
        folder.rmdir()
