"""Where a YOLO data set's parts lie: Ultralytics' YAML, Darknet's ``obj.data`` (CVAT), or a list of class names alone.

Label Studio and labelImg write ``classes.txt``, with the labels in ``labels`` or beside the pictures.
"""

from __future__ import annotations

import json
import re
from itertools import chain
from os.path import normpath
from pathlib import Path, PurePosixPath
from typing import Any

from ..errors import DatasetError
from ..yaml_files import read_yaml
from .protocol import SPLITS, Source

__all__ = ["find_yolo", "inside", "missing_places", "read_description", "split_places", "yolo_part"]

_NAMES = re.compile(r"^[\"']?names[\"']?\s*:", re.MULTILINE)
_PARTS = re.compile(r"^[\"']?(train|val|test|path)[\"']?\s*:", re.MULTILINE)


_CLASSES = ("obj.data", "obj.names", "classes.txt")
_LABEL = re.compile(rb"\s*\d+(\.0*)?(\s+-?[\d.]+(e-?\d+)?){4,}\s*(\n|\r|$)")


def find_yolo(path: Path) -> Path | None:
    """The file that describes a YOLO data set: the path itself, or one in the folder."""
    if path.is_dir():
        files = sorted((*path.glob("*.yaml"), *path.glob("*.yml")), key=lambda file: (file.stem != "data", file.name))
        found = next((file for file in files if _describes(file)), None)
        return found or next((path / name for name in _CLASSES if _lists_classes(path / name)), None)
    if path.name in _CLASSES:
        return path if _lists_classes(path) else None
    return path if path.suffix in (".yaml", ".yml") and _describes(path) else None


def yolo_part(path: Path) -> Source | None:
    """One split, where the path is its folder (``train`` or ``train/images``) and what describes it lies above."""
    if not path.is_dir():
        return None
    path = path.resolve()
    for file in filter(None, map(find_yolo, path.parents[:2])):
        places = [place for some in split_places(file).values() for place in some]
        place = next((one for one in places if path in (one.resolve(), one.resolve().parent)), None)
        if place is not None and path != file.parent:
            return Source(file, place)
    return None


def split_places(file: Path, content: dict[str, Any] | None = None) -> dict[str, list[Path]]:
    """Split -> its folders of images, or text files that list them, as the description names them.

    They are found as they lie beside it.

    Raises:
        DatasetError: If none is there.
    """
    content = read_description(file) if content is None else content
    found: dict[str, list[Path]] = {}
    for split, _, place in _places(file, content):
        if place is not None:
            found.setdefault(split, []).append(place)
    if not found:
        named = {split: content.get(split) for split in SPLITS}
        raise DatasetError(f"{file}: none of its folders or lists of images lies below {file.parent}: {named}")
    return found


def missing_places(file: Path, content: dict[str, Any]) -> list[str]:
    """What a description names and is not there, as ``"val ../valid/images"``."""
    return [f"{split} {name}" for split, name, place in _places(file, content) if place is None]


def _places(file: Path, content: dict[str, Any]) -> list[tuple[str, str, Path | None]]:
    """Split, name and place of all that a description names; None where it is not there.

    What two names end in is the place of the one that is its path as written, else of the first: ``../valid/images`` is
    not ``images``, which the training pictures are in.
    """
    base = str(content.get("path") or "")
    found: list[tuple[str, str, Path | None, bool]] = []
    for split in SPLITS:
        named = content.get(split)
        for name in map(str, filter(None, named if isinstance(named, list) else [named])):
            place = inside(file.parent, base, name)
            place = place if place is not None and (place.is_dir() or place.suffix == ".txt") else None
            found.append((split, name, place, normpath(file.parent / base / name) == normpath(place or "")))
    owners: dict[Path | None, str] = {}
    for _, name, place, _ in sorted(found, key=lambda one: not one[-1]):
        owners.setdefault(place, name)
    return [(split, name, place if exact or owners[place] == name else None) for split, name, place, exact in found]


def read_description(file: Path) -> dict[str, Any]:
    """What a file of `find_yolo` says: ``names``, and where each of `SPLITS` lies.

    Raises:
        DatasetError: If it cannot be read.
    """
    if file.suffix in (".yaml", ".yml"):
        content = read_yaml(file, error=DatasetError)
        if not isinstance(content, dict):
            raise DatasetError(f"{file}: expected keys such as names and train")
        return content
    if file.suffix != ".data":
        return {"names": _lines(file), "train": "images" if (file.parent / "images").is_dir() else "."}
    pairs = (line.partition("=") for line in _lines(file))
    content = {key.strip(): value.strip() for key, _, value in pairs}
    names = inside(file.parent, str(content.get("names") or "obj.names"))
    if names is None or not names.is_file():
        raise DatasetError(f"{file}: its list of class names, {content.get('names')}, is not below {file.parent}")
    listed = {split: content.get(key) for split, key in zip(SPLITS, ("train", "valid", "test"), strict=True)}
    found = {split: name for split, name in listed.items() if name and inside(file.parent, name)}
    return {"names": _lines(names), **(found or {"train": "."})}


def _lines(file: Path) -> list[str]:
    try:
        text = file.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DatasetError(f"{file}: is no UTF-8 text ({error}); save it as UTF-8") from error
    return [line.strip() for line in text.splitlines() if line.strip()]


def _lists_classes(file: Path) -> bool:
    """Whether it is there, and labels are: other tools have a ``classes.txt`` too."""
    if not file.is_file():
        return False
    folder = file.parent
    labels = chain((folder / "labels").rglob("*.txt"), folder.glob("*.txt"), folder.glob("obj_*/*.txt"))
    return any(_is_label(path) for path in labels if path.name not in _CLASSES)


def _is_label(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as opened:
        return bool(_LABEL.match(opened.read(2**16)))


def _describes(file: Path) -> bool:
    if not file.is_file():
        return False
    with file.open("rb") as opened:
        head = opened.read(2**20)
    text = head.decode(json.detect_encoding(head), "ignore")  # UTF-16 too, so that it is said on reading
    return bool(_NAMES.search(text) and _PARTS.search(text))


def inside(folder: Path, *names: str) -> Path | None:
    """The file or folder that a path of the YAML means, found below ``folder`` and nowhere else.

    Paths are written for the machine that made them: absolute, or relative to a place above. What is tried are their
    last parts, the longest first: ``/datasets/mine/train/images`` is ``train/images`` here; ``.`` is the folder.
    """
    parts = [part for name in names for part in PurePosixPath(name.replace("\\", "/")).parts]
    if names and not parts:
        return folder
    parts = [part for part in parts if part not in ("..", ".", "/") and not part.endswith(":")]
    tails = ["/".join(parts[start:]) for start in range(len(parts))]
    return next((folder / tail for tail in tails if (folder / tail).exists()), None)
