"""A folder on a store that several machines work in: each has a copy, and what it changed is sent after each step.

Which files there are, and which version of each, stands in a list on the store (``.divergen-files.json``). Who changed
something sends the files first and then replaces the list, if it is still the one that was read (conditional put): what
a killed sender left is on no list, and nobody takes it for whole. Of one file that two machines change, the later
sender's stays.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path

import msgspec
from filelock import FileLock

from . import access
from .copies import bring, home, note, refuse_outside
from .errors import StoreError
from .outputs import is_hidden
from .paths import StorePath

__all__ = ["OwnFolder", "SharedFolder", "folder_of"]

_LIST = ".divergen-files.json"
_ATTEMPTS = 20

_TOGETHER = 256
"""Files that are noted as brought together: what a kill leaves to bring again."""

_LARGE = 10**8
"""Bytes of a transfer from which on it is told."""

_SHOWN = 3
"""Names in a message."""

_SEND_SECONDS, _STILL_SECONDS = 60.0, 5.0
"""Between two looks at what a long step has left so far, and how long a file must stand still to be whole."""


class _Known(msgspec.Struct, array_like=True, frozen=True):
    """A file that was brought or sent: its version on the list, and the stamp of the copy then."""

    version: str
    stamp: str


def folder_of(place: Path, tell: Callable[[str], object]) -> SharedFolder | OwnFolder:
    """The folder to work in for a place of this machine or of a store; the running command shows the store's address.

    Args:
        place: The place.
        tell: Is told of large transfers.
    """
    if not isinstance(place, StorePath):
        return OwnFolder(place)
    from .arguments import show

    found = SharedFolder(place, tell)
    show(found.here, place)
    return found


class OwnFolder:
    """A folder of this machine, with nothing to bring or send; see `SharedFolder`."""

    def __init__(self, here: Path) -> None:
        self.here, self.alone = here, nullcontext()

    def pull(self, wanted: Callable[[str], bool] = bool, *, mend: bool = False) -> None:
        """Nothing."""

    def push(self) -> None:
        """Nothing."""

    def sending(self) -> AbstractContextManager[None]:
        """Nothing."""
        return nullcontext()


class SharedFolder:
    """A folder on a store, and its copy on this machine.

    Hidden files stay on the machine. What lies in the folder without being on its list, as a table does, is left alone.

    Args:
        there: Its address.
        tell: Is told of large transfers.

    Attributes:
        here: The copy.
        alone: Held while files come or go; hold it so that no other process brings back what is being removed.
    """

    def __init__(self, there: StorePath, tell: Callable[[str], object]) -> None:
        self.there, self._tell = there, tell
        self.here: Path = home("runs", there) / str(there.name)
        self.here.mkdir(parents=True, exist_ok=True)
        self.alone = FileLock(self.here / ".sync.lock")
        self._notes = self.here / ".synced.json"

    def pull(self, wanted: Callable[[str], bool] = bool, *, mend: bool = False) -> None:
        """Bring what others changed; what was changed here and not there stays.

        Args:
            wanted: Whether a file that was never here is to be brought, by its name under the folder.
            mend: Also bring wanted files that were here and are missing now.

        Raises:
            StoreError: If the store does not answer, or lacks files that were sent to it.
        """
        with self.alone:
            for _ in range(_ATTEMPTS):
                try:
                    self._take(self._list()[0], wanted, mend)
                    return
                except FileNotFoundError:  # removed meanwhile: the newest list says so
                    time.sleep(random.uniform(0.05, 0.3))
        gone = sorted(self._list()[0].keys() - access.listing(self.there).keys())
        names = ", ".join(gone[:_SHOWN]) or "files"
        more = f" and {len(gone) - _SHOWN:,} more" if len(gone) > _SHOWN else ""
        raise StoreError(
            f"{self.there}: {names}{more}: removed from the store by something else than divergen; put back what is "
            "missing (an older version of the bucket may have it), or begin again with another --out"
        )

    def push(self, only: Collection[str] | None = None) -> None:
        """Send what was changed here, and remove there what was removed here.

        Args:
            only: Of these names, and nothing is removed; all where None.

        Raises:
            StoreError: If the store does not answer.
        """
        with self.alone:
            for _ in range(_ATTEMPTS):
                with suppress(FileNotFoundError):  # removed here by another process, between look and send
                    self._send(only)
                    return
        raise StoreError(f"{self.here}: files vanish while they are sent to {self.there}; run the same line again")

    @contextmanager
    def sending(self, seconds: float = _SEND_SECONDS) -> Iterator[None]:
        """While the block runs, send now and then what stands still, as a checkpoint does between two others."""
        ended = threading.Event()
        thread = threading.Thread(target=self._watch, args=(ended, seconds), name="divergen-send", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def _watch(self, ended: threading.Event, seconds: float) -> None:
        still = min(_STILL_SECONDS, seconds / 2)
        while not ended.wait(seconds - still):
            before = self._files()
            if ended.wait(still):
                return
            now = self._files()
            with suppress(StoreError):  # the next time, or the end of the step will say why
                self.push({name for name, stamp in now.items() if before.get(name) == stamp})

    def _take(self, listed: Mapping[str, str], wanted: Callable[[str], bool], mend: bool) -> None:
        known = self._known()
        for name in known.keys() - listed.keys():
            self._drop(name, known.pop(name).stamp)
        lacking = {name for name in listed if mend and wanted(name) and not (self.here / name).exists()}
        new = [
            name
            for name, version in listed.items()
            if name in lacking or (known[name].version != version if name in known else wanted(name))
        ]
        self._tell_large("bringing", [listed[name] for name in new])
        for start in range(0, len(new), _TOGETHER):
            self._fetch(new[start : start + _TOGETHER], listed, known)
        note(self._notes, known)

    def _fetch(self, names: Collection[str], listed: Mapping[str, str], known: dict[str, _Known]) -> None:
        for name in names:
            refuse_outside(self.there, name)
            (self.here / name).parent.mkdir(parents=True, exist_ok=True)
        bring({self.there / name: self.here / name for name in names})
        known |= {name: _Known(listed[name], _stamp((self.here / name).stat())) for name in names}
        note(self._notes, known)

    def _drop(self, name: str, stamp: str) -> None:
        """Remove a copy, and folders that it leaves empty, unless it was changed here."""
        path = self.here / name
        with suppress(FileNotFoundError):
            if _stamp(path.stat()) == stamp:
                path.unlink()
        with suppress(OSError):  # not empty
            for folder in path.relative_to(self.here).parents[:-1]:
                (self.here / folder).rmdir()

    def _send(self, only: Collection[str] | None) -> None:
        known, files = self._known(), self._files()
        changed = {
            name: stamp
            for name, stamp in files.items()
            if (only is None or name in only) and (name not in known or known[name].stamp != stamp)
        }
        removed = known.keys() - files.keys() if only is None else set()
        if not changed and not removed:
            return
        self._tell_large("sending", changed.values())
        access.send({self.there / name: self.here / name for name in changed})
        self._commit(changed, removed)
        access.remove(self.there / name for name in removed)
        known |= {name: _Known(stamp, stamp) for name, stamp in changed.items()}
        note(self._notes, {name: one for name, one in known.items() if name not in removed})

    def _commit(self, changed: Mapping[str, str], removed: Collection[str]) -> None:
        """Replace the list, by whoever has read the newest one."""
        for _ in range(_ATTEMPTS):
            listed, tag = self._list()
            now = {name: version for name, version in {**listed, **changed}.items() if name not in removed}
            if access.replace(self.there / _LIST, msgspec.json.encode(now), tag):
                return
            time.sleep(random.uniform(0.05, 0.3))
        raise StoreError(f"{self.there}: its list of files is changed by others all the time; run the same line again")

    def _list(self) -> tuple[dict[str, str], str | None]:
        """Name -> version of what is on the store, and the list's own tag."""
        found = access.read_with_tag(self.there / _LIST)
        return ({}, None) if found is None else (access.decode(self.there / _LIST, found[0], dict[str, str]), found[1])

    def _files(self) -> dict[str, str]:
        """Name -> stamp of what is here, but for hidden files and folders."""
        found = {}
        for folder, folders, names in os.walk(self.here):
            folders[:] = [name for name in folders if not is_hidden(name)]
            for name in names:
                path = Path(folder, name)
                if not is_hidden(name):
                    with suppress(FileNotFoundError):  # removed by another process
                        found[path.relative_to(self.here).as_posix()] = _stamp(path.stat())
        return found

    def _known(self) -> dict[str, _Known]:
        return msgspec.json.decode(self._notes.read_bytes(), type=dict[str, _Known]) if self._notes.exists() else {}

    def _tell_large(self, doing: str, versions: Collection[str]) -> None:
        size = sum(int(version.partition("-")[0]) for version in versions)
        if size >= _LARGE:
            self._tell(f"{doing} {len(versions):,} files of {self.there}, {size / 10**9:.1f} GB")


def _stamp(found: os.stat_result) -> str:
    """What changes when a file does; its size comes first."""
    return f"{found.st_size}-{found.st_mtime_ns}-{found.st_ino}"
