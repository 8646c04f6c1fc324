"""Names of files: as a person says them, and made from other names (no disk takes more than 255 bytes)."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

from .identity import short_hash

__all__ = ["NAME_BYTES", "fit_beside", "fit_path", "from_home"]

NAME_BYTES = 255
"""What the name of a file may have at most; a path may have more."""


def from_home(path: str | os.PathLike[str]) -> Path:
    """A path with the home folder for ``~``, which shells leave as it is in ``--out=~/x``, and YAML everywhere.

    A name that only begins so (``~backup``) is a name, though Python takes it for a user's; as a text ``./~`` is, too.
    """
    at_home = str(path).startswith(("~/", f"~{os.sep}")) or str(path) == "~"
    return Path(path).expanduser() if at_home else Path(path)


def fit_path(path: str, ending: str) -> str:
    """A path with an ending; where its last part has no room for it, that is cut, and a hash keeps it apart.

    Args:
        path: Without the ending, for example ``"train/000001"``.
        ending: For example ``"_paste1.jpg"``; short.
    """
    above, name = PurePosixPath(path).parent, PurePosixPath(path).name
    room = NAME_BYTES - len(os.fsencode(ending))
    if len(os.fsencode(name)) <= room:
        return path + ending
    mark = f"-{short_hash(os.fsencode(name), size=4)}"
    kept = os.fsencode(name)[: room - len(mark)].decode("utf-8", "ignore")
    return str(above / f"{kept}{mark}{ending}")


def fit_beside(path: str, suffix: str) -> str:
    """The path of a picture, shortened where a file of its name with another suffix would not fit beside it.

    Args:
        path: For example ``"train/000001.jpg"``.
        suffix: Of the other file, for example ``".json"``.
    """
    own = PurePosixPath(path).suffix
    stem, longer = path.removesuffix(own), max(own, suffix, key=len)
    return fit_path(stem, longer).removesuffix(longer) + own
