"""Files as nobody should write them, and as somebody will."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .cases import Case

__all__ = ["HARMS", "hostile_once"]

_LIMIT = 12_000_000
"""Kilobytes of address space that a command may take: a bomb ends by a sentence, not by the machine."""

_NUMBERS = (None, True, -1, 0, 1e308, float("nan"), float("inf"), 2**70)
_TEXTS = (
    "",
    "x" * 10_000,
    "../../etc/passwd",
    "<script>alert(1)</script>",
    "a\u0000b",
    "\ud800",
    "\x1b[31m",
    "=1+1",
    "$x$ $y",
)
_VALUES: tuple[Any, ...] = (*_NUMBERS, *_TEXTS, [], {}, [[]], {"a": {}}, [1e9] * 9)


def _empty(path: Path, chance: random.Random) -> None:
    path.write_bytes(b"")


def _cut(path: Path, chance: random.Random) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: chance.randrange(len(data))])


def _flipped(path: Path, chance: random.Random) -> None:
    data = bytearray(path.read_bytes())
    for _ in range(chance.choice((1, 5, 50))):
        data[chance.randrange(len(data))] = chance.randrange(256)
    path.write_bytes(bytes(data))


def _nested(path: Path, chance: random.Random) -> None:
    depth = chance.choice((1_000, 200_000))
    path.write_text(chance.choice(("[" * depth, '{"a":' * depth, "- " * depth)))


def _bomb(path: Path, chance: random.Random) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    path.write_text("\n".join(lines))


def _encoded(path: Path, chance: random.Random) -> None:
    text = path.read_bytes().decode("utf-8", "replace")
    path.write_bytes(text.encode(chance.choice(("utf-16", "utf-8-sig", "latin-1")), "replace") + b"\xff\xe9")


def _folder(path: Path, chance: random.Random) -> None:
    path.unlink()
    path.mkdir()


def _pipe(path: Path, chance: random.Random) -> None:
    path.unlink()
    os.mkfifo(path)


def _loop(path: Path, chance: random.Random) -> None:
    path.unlink()
    path.symlink_to(path.name)


def _missing(path: Path, chance: random.Random) -> None:
    path.unlink()


def _other_value(path: Path, chance: random.Random) -> None:
    """A value somewhere in a JSON or YAML document is another one."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return _flipped(path, chance)
    for _ in range(chance.choice((1, 1, 3))):
        _replace(document, chance)
    path.write_text(json.dumps(document, ensure_ascii=True), encoding="utf-8")
    return None


def _replace(document: Any, chance: random.Random) -> None:
    while isinstance(document, dict | list) and document:
        key = chance.choice(list(document) if isinstance(document, dict) else range(len(document)))
        inner = document[key]
        if not isinstance(inner, dict | list) or not inner or chance.random() < 0.15:
            if isinstance(document, dict) and chance.random() < 0.25:
                del document[key]
            else:
                document[key] = chance.choice(_VALUES)
            return
        document = inner


def _large_polygon(path: Path, chance: random.Random) -> None:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        document["annotations"][0]["segmentation"] = [
            [chance.uniform(0, 90) for _ in range(2 * chance.choice((10**5, 10**6)))]
        ]
    except (ValueError, KeyError, TypeError, IndexError):
        return _other_value(path, chance)
    path.write_text(json.dumps(document), encoding="utf-8")
    return None


HARMS: dict[str, Callable[[Path, random.Random], None]] = {
    "another value": _other_value,
    "bytes flipped": _flipped,
    "cut off": _cut,
    "empty": _empty,
    "nested deep": _nested,
    "alias bomb": _bomb,
    "another encoding": _encoded,
    "a folder": _folder,
    "a pipe": _pipe,
    "a link to itself": _loop,
    "not there": _missing,
    "a huge polygon": _large_polygon,
}


def hostile_once(case: Case, harm: str, inputs: Path, place: Path, chance: random.Random) -> list[str]:
    """Harm one input of a copy of all, run the command, and say what is wrong with how it ends."""
    mine, out = place / "in", place / "out"
    shutil.copytree(inputs, mine, copy_function=os.link)
    harmed = mine / chance.choice(case.reads)
    whole = harmed.read_bytes()
    harmed.unlink()  # a link: the original stays
    harmed.write_bytes(whole)
    HARMS[harm](harmed, chance)
    case.prepare(mine, out)
    wrong = []
    try:
        limited = ["bash", "-c", f'ulimit -v {_LIMIT}; exec "$@"', "-", *case.command(mine, out)]
        done = subprocess.run(limited, capture_output=True, text=True, errors="replace", timeout=120)
        if "Traceback" in done.stderr:
            wrong = [f"trace: {done.stderr.strip().splitlines()[-1][:200]}"]
        elif done.returncode not in (0, 1, 2, 3):
            wrong = [f"status {done.returncode}: {done.stderr.strip()[-200:]}"]
        if "\x1b[31m" in done.stdout + done.stderr:
            wrong.append("an escape sequence reached the terminal")
    except subprocess.TimeoutExpired:
        wrong = ["hangs (120 s)"]
    kept = place / "kept" / f"{harmed.name}.{len(list((place / 'kept').glob('*')))}" if wrong else None
    if kept is not None and harmed.is_file() and not harmed.is_symlink():
        kept.parent.mkdir(exist_ok=True)
        shutil.copy(harmed, kept)
    shutil.rmtree(mine)
    shutil.rmtree(out)
    return [f"{harmed.relative_to(mine)} {harm}: {one}" for one in wrong]
