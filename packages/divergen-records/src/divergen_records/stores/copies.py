"""What lies on a store, brought to this machine: once for all its processes, and again only what changed there.

The copies lie in ``$DIVERGEN_CACHE`` (``~/.cache/divergen``). When they are more than ``$DIVERGEN_CACHE_GB`` (100)
together, those that were used longest ago are removed; what a living process of this machine uses stays.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import msgspec
from filelock import FileLock

from ..errors import ConfigError
from ..file_names import from_home
from ..hosts import runs
from . import access
from .errors import StoreError
from .paths import StorePath, place

__all__ = ["bring", "home", "local", "note", "refuse_outside"]

_GIGABYTE = 10**9


def home(kind: str, path: StorePath) -> Path:
    """The folder of this machine that belongs to a place on a store.

    Args:
        kind: What it is for: ``"copies"`` may be removed at any time, others not.
        path: The place.
    """
    shared = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    base = Path(os.environ.get("DIVERGEN_CACHE") or shared / "divergen")
    server = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""
    return from_home(base).absolute() / kind / sha256(f"{server} {path}".encode()).hexdigest()[:16]


def local(path: str | Path) -> Path:
    """A path of this machine with the same content: the path itself, or a copy of what lies on the store.

    Raises:
        StoreError: If nothing is there, or it is more than the cache holds.
    """
    path = place(path)
    if not isinstance(path, StorePath):
        return path
    folder = home("copies", path)
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "lock"):
        if path.is_file():
            _make_room(access.sizes(path), path)
            tags = {"": access.find_tag(path) or ""}
        else:
            tags = access.listing(path)
            if not tags:
                raise StoreError(f"{path}: nothing is there; check the address")
            _make_room(access.sizes(path), path)
        (folder / f"user.{os.getpid()}").touch()
        _mirror(path, folder / path.name, folder / "tags.json", tags)
    return folder / path.name


def _mirror(path: StorePath, to: Path, noted: Path, tags: dict[str, str]) -> None:
    """Make a file or folder of this machine what is on the store.

    Args:
        path: On the store.
        to: On this machine.
        noted: What was brought before: the tags then.
        tags: Name under ``path`` (``""`` for itself) -> tag.
    """
    before: dict[str, str] = msgspec.json.decode(noted.read_bytes()) if noted.exists() else {}
    for name in before.keys() - tags.keys():
        (to / name).unlink(missing_ok=True)
    wanted = {name: tag for name, tag in tags.items() if before.get(name) != tag or not (to / name).exists()}
    for name in wanted:
        refuse_outside(path, name)
        (to / name).parent.mkdir(parents=True, exist_ok=True)
    bring({path / name if name else path: to / name if name else to for name in wanted})
    if wanted or before.keys() - tags.keys():
        note(noted, tags)


def bring(files: Mapping[StorePath, Path]) -> None:
    """Bring objects to files of this machine; each appears under its name when it is whole."""
    parts = {path: file.with_name(f".{file.name}.part") for path, file in files.items()}
    access.fetch(parts)
    for path, part in parts.items():
        part.replace(files[path])


def note(path: Path, value: object) -> None:
    """Write a note on copies, as JSON, whole or not at all."""
    temporary = path.with_suffix(".new")
    temporary.write_bytes(msgspec.json.encode(value))
    temporary.replace(path)


def refuse_outside(path: StorePath, name: str) -> None:
    """Refuse the name of an object that would lead out of the copy's folder."""
    if ".." in Path(name).parts or Path(name).is_absolute():
        raise StoreError(f"{path}/{name}: a name that leads out of its folder; remove it from the store")


def _make_room(wanted: int, path: StorePath) -> None:
    """Remove the copies that were used longest ago, as far as is needed."""
    limit = _limit()
    if wanted > limit:
        raise StoreError(
            f"{path}: {wanted / _GIGABYTE:.1f} GB are more than the copies on this machine may be; set "
            "DIVERGEN_CACHE_GB to more"
        )
    root = home("copies", path).parent
    mine = home("copies", path)
    others = sorted((one for one in root.iterdir() if one != mine), key=lambda one: _used(one))
    held = {one: _size(one) for one in others}
    for one in others:
        if sum(held.values()) + wanted <= limit:
            return
        if not _in_use(one):
            shutil.rmtree(one, ignore_errors=True)
            del held[one]


def _limit() -> float:
    text = os.environ.get("DIVERGEN_CACHE_GB", "100")
    try:
        return float(text) * _GIGABYTE
    except ValueError:
        raise ConfigError(f"DIVERGEN_CACHE_GB is {text!r}; it takes a number of gigabytes") from None


def _used(copy: Path) -> float:
    return max((mark.stat().st_mtime for mark in copy.glob("user.*")), default=0.0)


def _in_use(copy: Path) -> bool:
    pids = [mark.suffix[1:] for mark in copy.glob("user.*")]
    return any(pid.isdecimal() and runs(int(pid)) for pid in pids) or time.time() - copy.stat().st_mtime < 5


def _size(copy: Path) -> int:
    total = 0
    for file in copy.rglob("*"):
        with suppress(OSError):
            total += file.stat().st_size if file.is_file() else 0
    return total
