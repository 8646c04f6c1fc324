"""Kills at moments that are counted in changes of files, not timed: the same ones at each call, under any load."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .cases import Case
    from .compare import Reference

__all__ = ["kill_before", "killed_at_moments"]

_CHANGES = frozenset(["os.rename", "os.link", "os.symlink", "os.remove", "os.rmdir", "os.mkdir", "os.truncate"])
_WRITES = os.O_WRONLY | os.O_RDWR


def kill_before(change: int, folder: Path) -> None:
    """Let this process and its group be killed before its so many-th change of a file below a folder.

    What compiled libraries (Lance, OpenCV) do to files by themselves is not seen.
    """
    left, inside = change, f"{folder}/"

    def see(event: str, about: tuple[Any, ...]) -> None:
        nonlocal left
        if event not in _CHANGES and not (event == "open" and about[2] & _WRITES):
            return
        path = os.fsdecode(about[0]) if isinstance(about[0], (str, bytes)) else ""
        if path.startswith(inside) or (event in ("os.remove", "os.rmdir") and "/" not in path):  # as rmtree names them
            left -= 1
            if left < 0:
                os.killpg(os.getpid(), signal.SIGKILL)

    sys.addaudithook(see)


def killed_at_moments(case: Case, inputs: Path, place: Path, whole: Reference, stride: int) -> Iterator[list[str]]:
    """Kill the command before its first change of a file, and before every so many-th until it ends unharmed.

    Args:
        case: The command.
        inputs: Folder of inputs.
        place: A folder to work in.
        whole: What it writes undisturbed.
        stride: Changes between two moments.

    Yields:
        What differs after the same command has run again to its end.
    """
    from .kills import MOST_SECONDS, run_again
    from .processes import Process

    moment, status = 0, -signal.SIGKILL
    while status == -signal.SIGKILL:
        out = place / "out"
        case.prepare(inputs, out)
        status = Process(case.command(inputs, out), place / "log", changes=(moment, out)).wait(MOST_SECONDS).status
        yield [f"killed before change {moment}: {one}" for one in run_again(case, inputs, place, whole)]
        moment += stride
