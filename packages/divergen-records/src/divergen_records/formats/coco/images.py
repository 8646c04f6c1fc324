"""The images of a COCO or LVIS file."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec

from ...dataset import ImageInfo, check_file_name
from ...errors import DatasetError, ImageError
from ..pictures import picture_size
from ..places import tidy
from ..problems import Mends, Problems
from .items import decode_items, plain_ids
from .values import MOST, Ids, integer, row_of, wrong_type

__all__ = ["names_of", "read_images", "url_name", "with_sizes"]

_ODD = re.compile(r"[?#%;]|//|/\.")
_LISTS = ("neg_category_ids", "not_exhaustive_category_ids")
_Row = tuple[Any, ImageInfo | None]
_KNOWN = frozenset(ImageInfo.__struct_fields__) - {"extra"}


def read_images(part: Any, problems: Problems, ids: Ids) -> dict[int, ImageInfo]:
    """The sound images by id, each with a file name as the file has it."""
    found: dict[int, ImageInfo] = {}
    shortened: dict[int, tuple[str, str]] = {}
    rows: list[_Row] = list(decode_items(part, ImageInfo))
    renamed, ends = _of_another_machine(rows, problems)
    if any(image is None or abs(image.id) >= MOST for _, image in rows):
        ids.reserve(plain_ids(part))
    for index, (item, image) in enumerate(rows):
        where = f"images[{index}]"
        if image is not None and image.file_name in renamed:
            image = msgspec.structs.replace(image, file_name=renamed[image.file_name])
        if image is not None and not image.file_name and isinstance(image.coco_url, str) and image.coco_url:
            image = msgspec.structs.replace(image, file_name=url_name(image.coco_url))
        if image is None or not _is_sound(image):
            image = problems.attempt(where, partial(_read, item, ids, renamed, ends))
            if image is None:
                continue
            if problems.on_problem == "repair":
                shortened[image.id] = where, _name_of((item, None))
        if image.id in found:
            again = _same_picture(image, found[image.id])
            problems.repeat(f"{where}.id", image.id, "the same picture is read once" if again else None)
            continue
        found[image.id] = image
    if not renamed:
        _leave_out_alike(found, shortened, problems)
    ids.reserve(set(found))
    return found


def _leave_out_alike(found: dict[int, ImageInfo], read: dict[int, tuple[str, str]], problems: Problems) -> None:
    """Leave out images whose paths of another machine end as another image's: which picture is whose, nobody knows."""
    mended = {id_: place for id_, place in read.items() if id_ in found and place[1] and _leaves(place[1])}
    counts = Counter([image.file_name for image in found.values()] if mended else ())
    for id_, (where, name) in mended.items():
        if counts[found[id_].file_name] > 1:
            last = found.pop(id_).file_name
            problems.repairs = [mend for mend in problems.repairs if not mend.startswith(f"{where}: file_name")]
            problems.add(
                where, f"image {id_}: file_name {name!r} is another machine's, and others end in {last!r}, too"
            )


def _same_picture(one: ImageInfo, other: ImageInfo) -> bool:
    """Whether two rows are one picture, as scripts write that give one for each object."""
    return (tidy(one.file_name), one.width, one.height) == (tidy(other.file_name), other.width, other.height)


def names_of(images: Iterable[ImageInfo]) -> dict[str, int]:
    """Image ids by file name, with or without folders and suffix, where it is one image's and no number."""
    found: dict[str, int | None] = {}
    for image in images:
        path = PurePosixPath(image.file_name)
        for name in {image.file_name, path.name, path.stem, str(path.with_suffix(""))}:
            found[name] = image.id if name not in found else None
    return {name: id_ for name, id_ in found.items() if id_ is not None and not name.isdecimal()}


def _of_another_machine(rows: Sequence[_Row], problems: Problems) -> tuple[dict[str, str], dict[str, str]]:
    """Of a file whose every name leads out of its folder, as Label Studio writes them: last parts, where distinct.

    Else what follows the folder that all are in, as a second dict, for whoever may mend. One such name among others
    stays, and is refused.
    """
    if not rows or not _leaves(_name_of(rows[0])):
        return {}, {}
    names = dict.fromkeys(map(_name_of, rows))
    if not all(map(_leaves, names)):
        return {}, {}
    last = {name: PureWindowsPath(name).name for name in names}
    if len(set(last.values()) - {"", ".."}) < len(rows):
        return {}, _below(names)
    name = next(iter(names))
    problems.notes.append(
        f"{problems.path.name}: all names lead out of the folder of images; their last parts are taken, "
        f"of {name!r} {last[name]!r}"
    )
    return last, {}


def _below(names: Iterable[str]) -> dict[str, str]:
    """The paths below the folder that all are in, where they are distinct and stay in it."""
    paths = {name: PureWindowsPath(name) for name in names}
    parts = {name: [part for part in path.parts if part not in (path.anchor, "..")] for name, path in paths.items()}
    while all(len(part) > 1 for part in parts.values()) and len({part[0] for part in parts.values()}) == 1:
        parts = {name: part[1:] for name, part in parts.items()}
    found = {name: "/".join(part) for name, part in parts.items()}
    return found if len({*found.values()} - {""}) == len(found) else {}


def _name_of(row: _Row) -> str:
    item, image = row
    if image is not None:
        return image.file_name
    try:
        name = row_of(item).get("file_name")
    except DatasetError:
        return ""
    return name if isinstance(name, str) else ""


def _leaves(name: str) -> bool:
    try:
        check_file_name(tidy(name), "")
    except DatasetError:
        return True
    return False


def with_sizes(images: Mapping[int, ImageInfo], folder: Path, problems: Problems) -> dict[int, ImageInfo]:
    """The images, those mended to be without a size with that of their picture; left out where it cannot be read."""
    found: dict[int, ImageInfo] = {}
    for key, image in images.items():
        if image.width:
            found[key] = image
            continue
        try:
            width, height = picture_size(folder / image.file_name)
        except ImageError as error:
            problems.add(f"images (id {key})", f"the file gives no size, and its picture gives none: {error}")
            continue
        found[key] = msgspec.structs.replace(image, width=width, height=height)
    return found


def url_name(coco_url: str) -> str:
    """The file that a COCO address means: its last two parts, ``train2017/000000000009.jpg``."""
    scheme, _, rest = coco_url.partition("://")
    path = rest.partition("/")[2] if rest else scheme
    if _ODD.search(path):
        path = unquote(urlsplit(coco_url).path)
    return "/".join([part for part in path.split("/")[-2:] if part])


def _is_sound(image: ImageInfo) -> bool:
    try:
        _check(image)
    except DatasetError:
        return False
    return bool(image.file_name)


def _check(image: ImageInfo) -> None:
    _check_size(image)
    _check_name(image)


def _check_size(image: ImageInfo) -> None:
    if abs(image.id) >= MOST:
        raise DatasetError(f"is {image.id:.3g}, beyond any id or size - at `$.id`")
    if image.width < 1 or image.height < 1:
        raise DatasetError(f"image {image.id} is {image.width} wide and {image.height} high; it has no pixels")
    if image.width * image.height >= 2**31:
        raise DatasetError(
            f"image {image.id} is {image.width} wide and {image.height} high; run-length codes count to 2**31 pixels"
        )


def _check_name(image: ImageInfo) -> None:
    if image.file_name:
        for name in dict.fromkeys((image.file_name, tidy(image.file_name))):
            check_file_name(name, f"image {image.id}")


def _read(item: Any, ids: Ids, renamed: Mapping[str, str], ends: Mapping[str, str], mends: Mends) -> ImageInfo:
    """One image, leniently: what nothing computes with may be of any type."""
    row = row_of(item)
    if (name := row.get("file_name")) and isinstance(name, str):
        row = {**row, "file_name": renamed.get(name, name)}
    id_ = ids.name(row, mends)
    width, height = _size(row, mends)
    image = ImageInfo(
        id=id_,
        width=width,
        height=height,
        file_name=_file_name(row, id_, ends, mends),
        **{key: _list(row, key, mends) for key in _LISTS if row.get(key) is not None},
        extra={key: value for key, value in row.items() if key not in _KNOWN or (value is None and key in _LISTS)}
        or None,
        **{key: row[key] for key in ("coco_url", "license", "flickr_url", "date_captured") if key in row},
    )
    if mends is None or image.width:
        _check_size(image)
    _check_name(image)
    return image


def _size(row: dict[str, Any], mends: Mends) -> tuple[int, int]:
    """Width and height, pixels; zeros where `with_sizes` is to take them from the picture."""
    declared = [row.get(key) for key in ("width", "height")]
    if mends is None or not any(map(_is_no_size, declared)):
        return integer(row, "width", mends), integer(row, "height", mends)
    mends.append(f"width {declared[0]!r:.40} and height {declared[1]!r:.40}, its picture's size is taken")
    return 0, 0


def _is_no_size(value: Any) -> bool:
    """Whether it says nothing: null, "", NaN, 0."""
    return value in (None, "") or (isinstance(value, int | float) and not value >= 1)


def _file_name(row: dict[str, Any], id_: int, ends: Mapping[str, str], mends: Mends) -> str:
    name = row.get("file_name")
    if name:
        if isinstance(name, int) and not isinstance(name, bool) and mends is not None:
            mends.append(f"file_name {name} read as text")
            name = str(name)
        if not isinstance(name, str):
            raise wrong_type("str", name, "file_name")
        return _inside(name, ends, mends)
    url = row.get("coco_url")
    if not url or not isinstance(url, str):
        raise DatasetError(f"image {id_} has neither file_name nor coco_url")
    check_file_name(url_name(url), f"image {id_}: coco_url")
    return url_name(url)


def _inside(name: str, ends: Mapping[str, str], mends: Mends) -> str:
    """A name that stays in its folder; of a path of another machine its end, where mending is allowed."""
    last = ends.get(name, PureWindowsPath(name).name)
    if mends is None or not last or last == "..":
        return name
    if not _leaves(name):
        return name
    mends.append(f"file_name {name!r} read as {last!r}")
    return last


def _list(row: dict[str, Any], key: str, mends: Mends) -> tuple[int, ...]:
    """A list of category ids; null is none."""
    values = row.get(key)
    if values is None:
        return ()
    if not isinstance(values, list):
        if mends is None:
            raise wrong_type("array", values, key)
        mends.append(f"{key} is no list, left out")
        return ()
    told = [value for value in values if isinstance(value, int | float | str) and value == value]  # not null, not NaN
    if mends is not None and len(told) < len(values):
        mends.append(f"{key} without {len(values) - len(told)} that are no ids")
        values = told
    return tuple(integer({key: value}, key, mends) for value in values)
