"""Where a YOLO data set's parts lie."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

__all__ = ["find_yaml", "inside"]

_NAMES = re.compile(rb"^names\s*:", re.MULTILINE)
_SPLITS = re.compile(rb"^(train|val|path)\s*:", re.MULTILINE)


def find_yaml(path: Path) -> Path | None:
    """The YAML file that describes a YOLO data set: the path itself, or one in the folder."""
    if path.is_dir():
        files = sorted((*path.glob("*.yaml"), *path.glob("*.yml")), key=lambda file: (file.stem != "data", file.name))
        return next((file for file in files if _describes(file)), None)
    return path if path.suffix in (".yaml", ".yml") and _describes(path) else None


def _describes(file: Path) -> bool:
    if not file.is_file():
        return False
    with file.open("rb") as opened:
        head = opened.read(2**20)
    return bool(_NAMES.search(head) and _SPLITS.search(head))


def inside(folder: Path, *names: str) -> Path | None:
    """The file or folder that a path of the YAML means, found below ``folder`` and nowhere else.

    Paths are written for the machine that made them: absolute, or relative to a place above. What is tried are their
    last parts, the longest first: ``/datasets/mine/train/images`` is ``train/images`` here.
    """
    parts = [part for name in names for part in PurePosixPath(name.replace("\\", "/")).parts]
    parts = [part for part in parts if part not in ("..", ".", "/") and not part.endswith(":")]
    tails = ["/".join(parts[start:]) for start in range(len(parts))]
    return next((folder / tail for tail in tails if (folder / tail).exists()), None)
