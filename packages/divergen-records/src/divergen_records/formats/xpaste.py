"""X-Paste's instance pools: RGBA cut-outs, and a JSON file that lists them by category index.

The published form is ``{"0": ["path.png", …], …}`` with contiguous indices, category id - 1; ours adds
``categories.json``, because indices without names say little.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..dataset import Annotation, Dataset, ImageInfo
from ..errors import DatasetError, ImageError, MaskError
from ..folders import new_folder
from ..images import read_cutout, read_image
from ..masks import crop_segmentation, encode_rle, mask_to_bbox
from ..record import Category
from .coco.frame import read_json_bytes
from .outputs import counting, write_provenance
from .protocol import OnProblem

__all__ = ["find_pools", "read_pool", "write_pool"]

POOLS = "instance_pools.json"
NAMES = "categories.json"
_OBJECT = 128
"""Alpha from here on is object, as in the published pools."""


def find_pools(path: Path) -> Path | None:
    """The JSON file of a pool: the path itself, or ``instance_pools.json`` in the folder."""
    file = path / POOLS if path.is_dir() else path
    if file.suffix != ".json" or not file.is_file():
        return None
    with file.open("rb") as opened:
        head = opened.read(256)
    # Keys of a published pool are category indices.
    text = head.decode(json.detect_encoding(head), "ignore")
    return file if re.match(r'\s*{\s*("\d+"\s*:\s*\[|}\s*$)', text) else None


def write_pool(dataset: Dataset, out: Path, *, overwrite: bool = False, progress: bool = False) -> Path:
    """Write each object as an RGBA picture ``<category id>/<annotation id>.png``, with the JSON file of the pool.

    Crowds are left out. What made generated objects goes into ``provenance.jsonl``.

    Raises:
        DatasetError: If something is there.
        ImageError: If a picture cannot be read.
        MaskError: If a segmentation does not fit.
    """
    pools: dict[int, list[str]] = {category.id: [] for category in dataset.class_categories}
    with new_folder(out, overwrite=overwrite) as folder, counting("cut out", dataset, progress) as step:
        for info in dataset.images:
            _cut_out(dataset, info, folder, pools)
            step()
        rows = [
            {"id": index + 1, **dataset.category(id_).model_dump(exclude={"id"}, exclude_none=True)}
            for index, id_ in enumerate(pools)
        ]
        write_provenance(dataset, folder, _name)
        (folder / NAMES).write_bytes(msgspec.json.encode(rows))
        by_index = {str(index): names for index, names in enumerate(pools.values())}
        (folder / POOLS).write_bytes(msgspec.json.encode(by_index))
    return out / POOLS


def _cut_out(dataset: Dataset, info: ImageInfo, folder: Path, pools: Mapping[int, list[str]]) -> None:
    """Write the objects of a picture; their names go into the pools of their categories."""
    objects = [one for one in dataset.annotations_of(info.id) if not one.iscrowd]
    if not objects:
        return
    pixels = read_image(dataset.image_path(info), size=(info.height, info.width))
    for one in objects:
        mask, x, y = crop_segmentation(one.segmentation, info.height, info.width)
        if not mask.size:
            continue
        crop = pixels[y : y + mask.shape[0], x : x + mask.shape[1]]
        name = _name(one)
        (folder / name).parent.mkdir(exist_ok=True)
        Image.fromarray(np.dstack([crop, mask.astype(np.uint8) * np.uint8(255)])).save(folder / name)
        pools[one.category_id].append(name)


def _name(one: Annotation) -> str:
    return f"{one.category_id}/{one.id}.png"


def read_pool(
    path: Path,
    *,
    image_dir: Path | None = None,
    on_problem: OnProblem = "stop",
    boxes: bool = False,
    need_pictures: bool | None = None,
    progress: bool = False,
) -> Dataset:
    """Read a pool as a data set of pictures with one object each.

    Args:
        path: The JSON file, or its folder.
        image_dir: Folder that its paths are relative to; the file's own by default. No path may leave it.
        on_problem: As everywhere; a cut-out cannot be mended, so ``"repair"`` leaves it out too.
        boxes: Without a meaning here: each cut-out has a mask.
        need_pictures: A cut-out that is not there is always a problem.
        progress: Without a meaning here.

    Raises:
        DatasetError: If the file is malformed, or (unless they are left out) a picture cannot be used.
    """
    file = find_pools(path)
    if file is None:
        raise DatasetError(f"{path}: expected {{category index: [picture, …]}}")
    base = image_dir or file.parent
    pools = _decode(file)
    categories = _categories(file, pools)
    dataset = Dataset(file, base, [], [], categories)
    problems: list[str] = []
    for index, names in pools.items():
        for name in names:
            _add(dataset, str(name), int(index) + 1, problems)
    if problems and on_problem == "stop":
        raise DatasetError(
            f"{file}: {len(problems)} of its pictures cannot be used, for example {problems[0]}; leave them out with "
            "--on-problem skip"
        )
    notes = [f"pool {file.name}: cut-outs in {base}"]
    if unnamed := sum(one.name == _nameless(one.id) for one in categories):
        notes.append(f"{unnamed} categories have no name, as {NAMES} is not there or lacks them; named by their ids")
    return dataset.replace(problems=problems, notes=notes).counted()


def _add(dataset: Dataset, name: str, category_id: int, problems: list[str]) -> None:
    number = len(dataset.images) + 1
    info = ImageInfo(id=number, width=1, height=1, file_name=name.removeprefix("*"))
    try:
        mask = _alpha(dataset.image_path(info)) >= _OBJECT
        box = mask_to_bbox(mask)
    except (DatasetError, ImageError, MaskError) as error:
        problems.append(str(error))
        return
    dataset.images.append(ImageInfo(id=number, width=mask.shape[1], height=mask.shape[0], file_name=info.file_name))
    dataset.annotations.append(Annotation(number, number, category_id, box, int(mask.sum()), encode_rle(mask)))


def _alpha(path: Path) -> NDArray[np.uint8]:
    alpha = read_cutout(path)[1]
    if alpha is None:
        raise ImageError(f"{path}: has no alpha channel, so nobody knows where its object is")
    return alpha


def _decode(file: Path) -> dict[str, list[Any]]:
    try:
        pools = msgspec.json.decode(read_json_bytes(file), type=dict[str, list[Any]])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DatasetError(f"{file}: expected {{category index: [picture, …]}}: {error}") from error
    if not all(key.isdecimal() for key in pools):
        raise DatasetError(f"{file}: its keys are category indices from 0")
    return pools


def _categories(file: Path, pools: dict[str, list[Any]]) -> list[Category]:
    named = file.parent / NAMES
    known: dict[int, Category] = {}
    if named.is_file():
        try:
            rows = msgspec.json.decode(named.read_bytes(), type=list[dict[str, Any]])
            known = {one.id: one for one in map(Category.model_validate, rows)}
        except (msgspec.DecodeError, ValueError) as error:
            raise DatasetError(f"{named}: expected a list of categories: {error}") from error
    missing = (int(key) + 1 for key in pools if int(key) + 1 not in known)
    return [*known.values(), *(Category(id=id_, name=_nameless(id_)) for id_ in missing)]


def _nameless(id_: int) -> str:
    return f"category {id_}"
