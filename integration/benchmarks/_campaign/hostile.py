"""Run a command on a file that is not what it should be, and say what is wrong with how it ends."""

from __future__ import annotations

import os
import random
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from .doors import Door
from .poisons import Poison
from .processes import Done, run

__all__ = ["hostile_once", "trials"]

_MEGABYTES = 3_000
"""Address space beyond what has been imported: a bomb ends by a sentence, not by the machine."""

_SECONDS = 120


def trials(doors: tuple[Door, ...], inputs: Path, seed: int) -> Iterator[tuple[Door, str, Poison]]:
    """Every door in turn, each with all its poisons in an order of chance."""
    left = []
    for number, door in enumerate(doors):
        all_ = [(door, *one) for one in door.poisons(inputs)]
        random.Random(f"{seed} {number}").shuffle(all_)
        left.append(all_)
    while any(left):
        yield from (all_.pop() for all_ in left if all_)


def hostile_once(door: Door, name: str, poison: Poison, inputs: Path, place: Path) -> list[str]:
    """Poison one input of a copy of all, run the command, and say what is wrong.

    Args:
        door: The command and its file.
        name: What is put in the file's place.
        poison: Puts it there.
        inputs: The inputs.
        place: A folder to work in.
    """
    mine, out, case = place / "in", place / "out", door.case
    shutil.copytree(inputs, mine, copy_function=os.link)
    poisoned = mine / door.file
    case.prepare(mine, out)
    if door.file.split("/")[0] in case.copies:
        poisoned = out / door.file
    _unlinked(poisoned)
    before = _outside(place)
    poison(poisoned)
    done = run(
        case.command(mine, out), place / "log", seconds=_SECONDS, megabytes=_MEGABYTES, nobody="permission" in name
    )
    wrong = _judge(done, poisoned)
    wrong += [f"wrote {path}" for path in _outside(place) - before]
    if any((folder / "ran").exists() for folder in (poisoned.parent, Path.cwd())):
        wrong.append("code ran that the file holds")
    for path in (mine, out):
        for folder, _, _ in os.walk(path):
            os.chmod(folder, 0o755)  # noqa: PTH101
        shutil.rmtree(path)
    return [f"{case.words} | {door.file}: {name}: {one}" for one in wrong]


def _unlinked(path: Path) -> None:
    """Let a file or a folder's files be copies, so that the originals stay as they are."""
    for file in [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]:
        data = file.read_bytes()
        file.unlink()
        file.write_bytes(data)


def _judge(done: Done, poisoned: Path) -> list[str]:
    said = done.out + done.err
    wrong = []
    if done.status is None:
        wrong.append(f"hangs ({_SECONDS} s)")
    elif "Traceback" in said:
        wrong.append(f"trace: {done.err.strip().splitlines()[-1][:300]}")
    elif done.status not in (0, 1, 2, 3):
        wrong.append(f"status {done.status}: {done.err.strip()[-300:]}")
    elif done.status == 2 and not _names(done.err, poisoned):
        wrong.append(f"names no file: {done.err.strip()[-300:]}")
    if re.search("\x1b\\[31mred|\u202e", said):
        wrong.append("an escape sequence reached the terminal")
    return wrong


def _names(said: str, poisoned: Path) -> bool:
    """Whether a refusal says which file it is about: the one, or the folder that it is a part of."""
    return any(part in said for part in (poisoned.name, poisoned.parent.name, poisoned.parent.parent.name))


def _outside(place: Path) -> set[Path]:
    """What lies where no command should write."""
    return {*place.glob("*")} - {place / "log", place / "log.err"}
