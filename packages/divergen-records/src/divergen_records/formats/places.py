"""Where the pictures of a data set lie: the layouts that tools make, tried in order, never outside the folder given."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

import msgspec

from ..dataset import ImageInfo
from ..errors import DatasetError
from ..picture_files import PICTURE_SUFFIXES, is_picture
from .problems import SHOWN, Problems
from .search import name_key, search, split_token

__all__ = ["Listing", "place_pictures", "tidy"]

_SAMPLE = 200
"""Names that are looked for in each candidate folder."""

_FOLDERS = ("images", "data", "JPEGImages")
"""Names that tools give the folder of pictures beside a file: most, FiftyOne, labelme2coco."""

_FILE_FOLDERS = ("annotations", "annotation", "labels", "ann")
"""Names of a folder of its own for the file; pictures then lie beside that folder."""

_ENDINGS = tuple(PICTURE_SUFFIXES)
_JPEG = (".jpg", ".jpeg", ".jpe", ".jfif")

_GONE = "is not in the folder"

_SPLIT = re.compile(
    r"^instances_(.+)$|(?:^|[_.-])((?:train|val|valid|validation|test|default)(?:\d{4})?)$", re.IGNORECASE
)
"""The subset that a file's name tells of: anything after CVAT's and Datumaro's ``instances_``."""

_PREFIX = re.compile(r"^[0-9a-f]{8}-")
"""What Label Studio puts before the names of pictures that were uploaded."""


@dataclass(frozen=True)
class _Place:
    """A folder, and how many leading parts its names lack."""

    folder: Path
    strip: int


def place_pictures(
    images: Mapping[int, ImageInfo], path: Path, image_dir: Path | None, problems: Problems, *, needed: bool | None
) -> tuple[Path, dict[int, ImageInfo]]:
    """Find the folder of pictures, and each picture's name inside it.

    Args:
        images: By id; names as the file has them.
        path: The file.
        image_dir: The folder, where the caller knows it.
        problems: Takes what is missing.
        needed: A picture that is not there is a problem; where None, if the folder is known.

    Raises:
        DatasetError: If there is no such folder.
    """
    if image_dir is not None and not image_dir.is_dir():
        raise DatasetError(f"{image_dir}: there is no such folder of images")
    listings: dict[Path, Listing] = {}
    place, hits = _choose(images, _candidates(path, image_dir, images), listings)
    if not hits and images and needed is not False:
        place, images = _searched(images, path, image_dir, place, problems)
    listing = listings.setdefault(place.folder, Listing(place.folder))
    missing: list[str] = []
    needed = image_dir is not None if needed is None else needed
    found: dict[int, ImageInfo] = {}
    respelled: list[str] = []
    for key, (name, trouble, odd) in _names_in(listing, images, place.strip).items():
        image = images[key]
        if trouble and needed:
            if _GONE in trouble:
                missing.append(image.file_name)
            problems.add(f"images (id {key})", f"file_name {image.file_name!r} {trouble}")
            continue
        if odd:
            respelled.append(f"{image.file_name!r} is {name!r}")
        found[key] = image if name == image.file_name else msgspec.structs.replace(image, file_name=name)
    _refuse_missing(missing, len(images), path, place.folder, problems)
    if hits and (place.strip or place.folder != (image_dir or path.parent / "images")):
        parts = f", names without their first {'part' if place.strip == 1 else f'{place.strip} parts'}"
        problems.notes.append(f"{path.name}: pictures are in {place.folder}{parts if place.strip else ''}")
    if respelled:
        problems.notes.append(f"{path.name}: {len(respelled)} pictures have another spelling, as {respelled[0]}")
    return place.folder, found


def _searched(
    images: Mapping[int, ImageInfo], path: Path, image_dir: Path | None, place: _Place, problems: Problems
) -> tuple[_Place, Mapping[int, ImageInfo]]:
    """The place and names of pictures that are in no usual place, looked for by name; as they were if none is there.

    Raises:
        DatasetError: If a picture's name is there more than once.
    """
    root = image_dir or (path.parent.parent if path.parent.name.lower() in _FILE_FOLDERS else path.parent)
    names = list(dict.fromkeys(tidy(image.file_name) for image in images.values()))
    found = search(names, root, split_token(path.name.split(".json")[0]))
    if found is None:
        return place, images
    if found.several:
        name, files = next(iter(found.several.items()))
        raise DatasetError(
            f"{path}: {len(found.several):,} pictures are there more than once, the first {name!r}: "
            f"{', '.join(files[:3])} in {root}; say which folder is meant (--images FOLDER; of a run, "
            "data.train.images=FOLDER or data.val.images=FOLDER)"
        )
    counts = Counter(found.names.values())
    only = {name: file for name, file in found.names.items() if counts[file] == 1}
    if not only:
        return place, images
    name, file = next(iter(only.items()))
    told = f"{path.name}: {len(only):,} pictures were looked for by name and found in {found.folder}"
    problems.notes.append(told + (f", {name!r} as {file!r}" if name != file else ""))
    renamed = {
        key: msgspec.structs.replace(image, file_name=only.get(tidy(image.file_name), image.file_name))
        for key, image in images.items()
    }
    return _Place(found.folder, 0), renamed


def _refuse_missing(missing: list[str], total: int, path: Path, folder: Path, problems: Problems) -> None:
    """One sentence where all pictures or many are elsewhere, instead of one for each and for each object in them."""
    if problems.on_problem != "stop" or not missing or (len(missing) < total and len(missing) <= SHOWN):
        return
    raise DatasetError(
        f"{path}: {len(missing):,} of {total:,} pictures are not in the folder {folder}, the first {missing[0]!r}; put "
        "them there, say which folder has them (--images FOLDER; of a run, data.train.images=FOLDER or "
        "data.val.images=FOLDER), or leave them and their objects out with --on-problem skip"
    )


def tidy(name: str) -> str:
    """A file name with single forward slashes and without ``./``."""
    if name[:1] != "." and "\\" not in name:
        return name
    return re.sub(r"^(\./+)+", "", re.sub(r"/{2,}", "/", name.replace("\\", "/")))


def _choose(
    images: Mapping[int, ImageInfo], candidates: Iterable[Path], listings: dict[Path, Listing]
) -> tuple[_Place, int]:
    """The place that has most of a sample of the pictures, and how many; the first of equals."""
    everything = [image.file_name for image in images.values()]
    sample = everything[:: max(len(everything) // _SAMPLE, 1)]
    best, most = None, -1
    for folder in candidates:
        listing = listings.setdefault(folder, Listing(folder))
        for strip in range(3):
            hits = sum(_name_in(listing, name, strip)[1] is None for name in sample)
            if hits > most and _are_distinct(everything, strip):
                best, most = _Place(folder, strip), hits
            if best is not None and most == len(sample):
                return best, most
    assert best is not None
    return best, most


def _are_distinct(names: Collection[str], strip: int) -> bool:
    """Whether names stay distinct without their leading parts; ``x/1.png`` and ``y/1.png`` would be one picture."""
    if not strip:
        return True
    distinct = set(names)
    return len({_short(name, strip) for name in distinct}) == len(distinct)


def _candidates(path: Path, image_dir: Path | None, images: Mapping[int, ImageInfo]) -> Iterator[Path]:
    """Folders that may hold the pictures, the likeliest first, each once; there is always one."""
    seen: set[Path] = set()
    for folder in _guesses(path, image_dir, images):
        if folder not in seen and (folder.is_dir() or not seen):
            seen.add(folder)
            yield folder


def _guesses(path: Path, image_dir: Path | None, images: Mapping[int, ImageInfo]) -> Iterator[Path]:
    heads = {tidy(image.file_name).partition("/")[0] for image in images.values() if "/" in tidy(image.file_name)}
    shared = heads if len(heads) == 1 and all("/" in tidy(image.file_name) for image in images.values()) else set()
    match = _SPLIT.search(path.name.split(".json")[0])
    split = (match[1] or match[2]) if match else None
    if image_dir is not None:
        yield image_dir
        yield from (image_dir / name for name in sorted(shared))
        return
    above = [path.parent.parent] if path.parent.name.lower() in _FILE_FOLDERS else []
    first = path.parent / "images"
    yield first if first.is_dir() else path.parent
    for base in (path.parent, *above):
        yield from (base / name for name in _FOLDERS)
        if split:
            yield from (base / split, base / "images" / split, base / f"{split}_images", base / f"images_{split}")
        yield base
        yield from (base / name for name in sorted(shared - {"..", "."}))


def _names_in(listing: Listing, images: Mapping[int, ImageInfo], strip: int) -> dict[int, tuple[str, str | None, bool]]:
    """What `_name_in` says of each image, and whether its name has another spelling; never that of another image."""
    found = {}
    for key, image in images.items():
        name, trouble = _name_in(listing, image.file_name, strip)
        plain = name in (image.file_name, tidy(image.file_name), _short(image.file_name, strip))
        found[key] = name, trouble, trouble is None and not plain
    taken = {name for name, trouble, odd in found.values() if trouble is None and not odd}
    claims = {(name, tidy(images[key].file_name)) for key, (name, _, odd) in found.items() if odd}
    taken |= {name for name, count in Counter(name for name, _ in claims).items() if count > 1}
    for key, (name, _, odd) in found.items():
        if odd and name in taken:
            reason = f"{_GONE} {listing.folder}, and {name!r} there is another image's"
            found[key] = tidy(images[key].file_name), reason, False
    return found


def _name_in(listing: Listing, name: str, strip: int) -> tuple[str, str | None]:
    """The name of a picture in a folder, and why it cannot be used, or None.

    It is tried with forward slashes, as it is, without its leading parts, and in other spellings.
    """
    plain = tidy(name)
    trouble = listing.trouble(plain)
    if trouble is None:
        return plain, None
    if plain != name and listing.trouble(name) is None:
        return name, None
    for spelled in dict.fromkeys((plain, *_decoded(plain), plain.strip())):
        for tail in (spelled, _short(spelled, strip)):
            found = listing.alike(tail) if _stays(tail) else None
            if found is not None:
                return found, None
    return plain, trouble


def _short(name: str, strip: int) -> str:
    """A name without its leading parts."""
    return "/".join([part for part in tidy(name).split("/") if part][strip:])


def _stays(name: str) -> bool:
    return bool(name) and name[0] != "/" and ".." not in name.split("/")


def _decoded(name: str) -> Iterator[str]:
    """What an address or a name with a query or ``%20`` may mean as a file; nothing for a plain name."""
    if "://" in name or ":/" in name:
        parts = urlsplit(name).path.split("/")
        yield from (unquote("/".join(parts[start:])) for start in range(max(len(parts) - 3, 0), len(parts)))
    elif "?" in name:
        yield unquote(name.partition("?")[0])
        yield unquote(name.rpartition("=")[2])
    elif "%" in name:
        yield unquote(name)
    elif _PREFIX.match(last := name.rpartition("/")[2]):
        yield name.removesuffix(last) + _PREFIX.sub("", last)


def _stem(name: str) -> str:
    """A name without a picture's ending, as `name_key`."""
    key = name_key(name)
    return key.rpartition(".")[0] if key.endswith(_ENDINGS) else key


def _index(names: Iterable[str], key: Callable[[str], str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(key(name), []).append(name)
    return found


class Listing:
    """Names of the files in a folder and those below it, each listed when first asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._root = folder.resolve()
        self._names: dict[str, dict[str, bool]] = {}
        self._keys: dict[str, dict[str, list[str]]] = {}
        self._stems: dict[str, dict[str, list[str]]] = {}

    def trouble(self, file_name: str) -> str | None:
        """Why this file cannot be used, or None."""
        parent, _, name = file_name.rpartition("/")
        if parent not in self._names:
            self._names[parent] = self._list(parent)
        is_link = self._names[parent].get(name)
        if is_link is None:
            return f"{_GONE} {self.folder}"
        if is_link and not (self.folder / file_name).resolve().is_relative_to(self._root):
            return f"is a link that leaves the folder {self.folder}; copy the picture into the folder"
        return None

    def alike(self, file_name: str) -> str | None:
        """The file of this name, or the only one that differs by upper case or in how Unicode composes letters.

        Of a name without a picture's ending, or with one of JPEG's, also the only picture that has another such ending.
        """
        if self.trouble(file_name) is None:
            return file_name
        parent, slash, name = file_name.rpartition("/")
        if not self._names[parent]:
            return None
        if parent not in self._keys:
            self._keys[parent] = _index(self._names[parent], name_key)
        key = name_key(name)
        same = self._keys[parent].get(key) or self._of_another_ending(parent, key)
        found = f"{parent}{slash}{same[0]}" if len(same) == 1 else None
        return found if found is not None and self.trouble(found) is None else None

    def _of_another_ending(self, parent: str, key: str) -> list[str]:
        if parent not in self._stems:
            self._stems[parent] = _index(filter(is_picture, self._names[parent]), _stem)
        jpeg = key.endswith(_JPEG)
        same = self._stems[parent].get(_stem(key), []) if jpeg or not key.endswith(_ENDINGS) else []
        return [one for one in same if not jpeg or one.lower().endswith(_JPEG)]

    def _list(self, parent: str) -> dict[str, bool]:
        """Name -> whether it may leave the folder through a link."""
        path = self.folder / parent
        try:
            if not path.is_dir():
                return {}
            linked = path.resolve() != self._root / parent
            with os.scandir(path) as entries:
                return {entry.name: linked or entry.is_symlink() for entry in entries if entry.is_file()}
        except (OSError, ValueError):  # a name too long or with a zero byte names nothing
            return {}
