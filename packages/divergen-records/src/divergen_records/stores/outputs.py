"""What a command makes for a store: made in a folder of this machine, then sent, the mark of what is whole last.

A command that was stopped finds its folder again when it is run again on the same machine.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ..errors import ExistsError, RunLocked
from . import access
from .copies import home
from .paths import StorePath

__all__ = ["Output", "is_hidden"]

_MARK = ".divergen.json"
"""As in `divergen_records.folders`."""


class Output:
    """A file or folder for a store.

    Args:
        to: Its address.
        overwrite: Replace what a command wrote there before.

    Attributes:
        path: Where to make it.

    Raises:
        ExistsError: If something is there and may not be replaced.
        RunLocked: If another process of this machine makes the same.
    """

    def __init__(self, to: StorePath, *, overwrite: bool = False) -> None:
        self.to, self.overwrite = to, overwrite
        self._folder = home("unsent", to)
        self.path = self._folder / "made" / to.name
        self._refuse()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(self._folder / "lock", timeout=0)
        try:
            self._lock.acquire()
        except Timeout:
            raise RunLocked(f"another process makes {to}; wait for it, stop it, or use another name") from None

    def send(self) -> None:
        """Send what was made, and what was made beside it; then nothing of it is left here."""
        made = self.path.parent
        names = sorted(file.relative_to(made).as_posix() for file in made.rglob("*") if file.is_file())
        names = [name for name in names if not any(is_hidden(part) for part in Path(name).parts)]
        own = [name for name in names if name == self.to.name or name.startswith(f"{self.to.name}/")]
        before = self._refuse() if own else {}
        whole = [name for name in own if Path(name).name == _MARK or name == self.to.name]
        first = [name for name in names if name not in whole]
        access.send({self.to.parent / name: made / name for name in first})
        try:
            access.send({self.to.parent / name: made / name for name in whole}, overwrite=self.overwrite)
        except FileExistsError:
            raise ExistsError(f"{self.to} has come there meanwhile; choose another name, or use --overwrite") from None
        kept = {name.removeprefix(f"{self.to.name}/") for name in own}
        access.remove(self.to / name for name in before if name not in kept)
        shutil.rmtree(made)
        self.close()

    def close(self) -> None:
        """Let others make it; what was not sent stays for the next time."""
        self._lock.release()

    def _refuse(self) -> dict[str, str]:
        """Refuse to write over what no command wrote; gives what is there in the folder."""
        if self.to.is_file():
            if not self.overwrite:
                raise ExistsError(f"{self.to} is there already; choose another name, or replace it with --overwrite")
            return {}
        there = access.listing(self.to)
        if there and (not self.overwrite or self._not_listed(there)):
            remedy = "choose another name" if self.overwrite else "choose another name, or replace it with --overwrite"
            held = " and holds what no command wrote" if self.overwrite else ""
            raise ExistsError(f"{self.to} is there already{held}; {remedy}")
        return there

    def _not_listed(self, there: dict[str, str]) -> set[str]:
        if _MARK not in there:
            return set(there)
        mark = access.decode(self.to / _MARK, access.read(self.to / _MARK), dict[str, Any])
        return set(there) - {*mark.get("files", ()), _MARK}


def is_hidden(name: str) -> bool:
    """Whether a file or folder of this name stays on the machine."""
    return name.startswith(".") and name != _MARK
