"""What a folder of data holds: which files are training and validation data, as the common tools lay them out.

Known are: ``annotations.json`` (or any one JSON) with its pictures; ``train.json`` and ``val.json``; Roboflow's
``train/``, ``valid/``, ``test/``, each with a JSON; COCO's ``annotations/instances_train2017.json`` beside
``train2017/``; LVIS's ``lvis_v1_train.json``; YOLO's ``data.yaml``, ``obj.data`` or ``classes.txt``; labelme's files;
an X-Paste pool; FiftyOne's samples.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import DatasetError
from .fiftyone.read import is_fiftyone
from .foreign import tell_foreign
from .labelme import is_labelme
from .protocol import Source
from .search import split_token
from .xpaste import find_pools
from .yolo_layout import find_yolo, split_places, yolo_part

__all__ = ["Layout", "Source", "coco_files", "find_layout", "only_source", "unwrapped"]

_FILE_FOLDERS = ("annotations", "annotation", "labels", "ann")
_OTHER_TASKS = ("captions", "person_keypoints_", "stuff_", "panoptic_", "image_info_")
_COCO_KEYS = re.compile(rb'"(images|annotations|categories)"\s*:\s*\[')
_OURS = ("annotations.json", "train.json", "val.json")
"""Names that are enough: whoever reads such a file says what is wrong with it."""

_SNIFFED = 2**16


@dataclass(frozen=True)
class Layout:
    """What was found.

    Attributes:
        name: In words.
        splits: ``"train"``, and ``"val"`` and ``"test"`` where there are some.
    """

    name: str
    splits: dict[str, Source]


def find_layout(path: Path) -> Layout:
    """The layout of a folder, or of one file.

    Raises:
        DatasetError: If there is no such path, nothing is recognised, or more than one file could be meant.
    """
    if not path.exists():
        raise _nothing(path)
    path = unwrapped(path)
    if path.is_file() and find_yolo(path) is None:
        return Layout(f"the file {path.name}", {"train": Source(path)})
    if (file := find_yolo(path)) is not None:
        return _yolo(file)
    if (part := yolo_part(path)) is not None:
        return Layout(f"YOLO, {part.path.name}", {"train": part})
    if find_pools(path) is not None:
        return Layout("an X-Paste pool", {"train": Source(path)})
    if is_fiftyone(path):
        return Layout("FiftyOne's samples", {"train": Source(path)})
    files = list(coco_files(path))
    if not files and is_labelme(path):
        return Layout("labelme's files", {"train": Source(path)})
    return _coco(path, files)


def unwrapped(path: Path) -> Path:
    """The folder, or the one inside it that holds the data, as an unpacked export does; a file as it is.

    Raises:
        DatasetError: If it holds none itself, and several folders in it do.
    """
    if not path.is_dir() or _holds_data(path):
        return path
    for below in ("*/", "*/*/"):
        found = [one for one in sorted(path.glob(below)) if not one.name.startswith(".") and _holds_data(one)]
        if len(found) == 1:
            return found[0]
        if found:
            names = ", ".join(one.relative_to(path).as_posix() for one in found[:5])
            raise DatasetError(f"{path}: {len(found)} folders in it hold data ({names}); give one of them")
    return path


def _holds_data(folder: Path) -> bool:
    known = (find_yolo, find_pools, is_fiftyone, is_labelme)
    return any(coco_files(folder)) or any(find(folder) for find in known)


def only_source(folder: Path) -> Path:
    """The one COCO file of a folder; raises `DatasetError` if it holds several splits, or none."""
    splits = find_layout(folder).splits
    if len(splits) > 1:
        files = ", ".join(str(source.path.relative_to(folder)) for source in splits.values())
        raise DatasetError(
            f"{folder}: holds {len(splits)} splits ({files}); give one of these files (`convert` also takes --split)"
        )
    return splits["train"].path


def _yolo(file: Path) -> Layout:
    places = split_places(file)
    for split, some in places.items():
        if len(some) > 1:
            names = ", ".join(path.relative_to(file.parent).as_posix() for path in some)
            raise DatasetError(
                f"{file}: {split} is {len(some)} folders ({names}); list their "
                f"pictures in one text file and name that, {split}: {split}.txt"
            )
    splits = {name: Source(file, place) for name, (place,) in places.items()}
    return Layout(f"YOLO, {file.name}", splits if "train" in splits else {"train": Source(file)})


def _coco(folder: Path, files: list[Path]) -> Layout:
    groups: dict[str | None, list[Path]] = {}
    for file in files:
        groups.setdefault(_split(file, folder), []).append(file)
    if "train" not in groups and None in groups:
        groups["train"] = groups.pop(None)
    if "train" not in groups:
        raise _nothing(folder, files)
    splits = {name: Source(_one(folder, some, name)) for name, some in groups.items() if name is not None}
    shown = ", ".join(f"{name} {source.path.relative_to(folder)}" for name, source in splits.items())
    return Layout(f"COCO files: {shown}", splits)


def _nothing(folder: Path, files: Sequence[Path] = ()) -> DatasetError:
    if not folder.exists():
        return DatasetError(f"there is no file or folder {str(folder)!r} in {Path.cwd()}; give the path of your data")
    foreign = tell_foreign(folder)
    if foreign is not None:
        return DatasetError(f"{folder}: {foreign}")
    return DatasetError(
        f"{folder / 'annotations.json'} does not exist; a data folder holds images/ and annotations.json (COCO, LVIS), "
        f"or is laid out as another tool writes it{_found(files)}; or name the file, data=FILE.json"
    )


def _one(folder: Path, files: list[Path], split: str) -> Path:
    """The only file of a split, or the one that is called ``annotations.json`` or lies above the others."""
    if len(files) == 1:
        return files[0]
    own = [file for file in files if file == folder / "annotations.json"]
    if own:
        return own[0]
    foreign = tell_foreign(files[0])
    if foreign is not None:
        raise DatasetError(f"{folder}: {foreign}")
    raise DatasetError(f"{folder}: several files could be the {split} data{_found(files)}; name one, data=FILE.json")


def _found(files: Sequence[Path]) -> str:
    return f" ({', '.join(file.name for file in files[:5])}{', ...' * (len(files) > 5)})" if files else ""


def coco_files(folder: Path) -> Iterator[Path]:
    """JSON files in a folder, its ``annotations``, and the folders of splits; those of other tasks only if alone."""
    folders = [folder, *(folder / name for name in _FILE_FOLDERS)]
    folders += sorted(path for path in folder.iterdir() if path.is_dir() and split_token(path.name))
    for place in folders:
        found = sorted(path for path in place.glob("*.json*") if _is_coco(path)) if place.is_dir() else []
        wanted = [path for path in found if not path.name.startswith(_OTHER_TASKS)]
        yield from wanted or found


def _is_coco(path: Path) -> bool:
    if not path.is_file() or path.name.startswith(".") or not path.name.endswith((".json", ".json.gz")):
        return False
    if path.suffix == ".gz" or path.name in _OURS:
        return True
    with path.open("rb") as file:
        head = file.read(_SNIFFED)
        file.seek(max(path.stat().st_size - _SNIFFED, 0))
        return bool(_COCO_KEYS.search(head) or _COCO_KEYS.search(file.read(_SNIFFED)))


def _split(file: Path, folder: Path) -> str | None:
    return split_token(file.name.split(".json")[0]) or (
        split_token(file.parent.name) if file.parent != folder else None
    )
