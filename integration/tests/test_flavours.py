"""The same photos as the tools export them: a run of each ends with the same table."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from divergen import Run, load_config, run_pipeline
from divergen.data import load_splits
from divergen_records.files import write_text

NAMES = ("clock", "cup", "bowl")
Content = dict[str, Any]
Flavour = Callable[[Content, Path, Path], Path]
"""Lays out a plain COCO file's content and its photos in a new folder as a tool does; gives what ``data=`` takes."""


@pytest.fixture(scope="module")
def photos(coco100: Path) -> Path:
    return coco100 / "images"


@pytest.fixture(scope="module")
def content(coco100: Path) -> Content:
    """The photos of the largest clocks, cups and bowls; objects of one polygon, and the keys that COCO asks for."""
    whole = json.loads((coco100 / "annotations.json").read_text(encoding="utf-8"))
    ids = {row["name"]: row["id"] for row in whole["categories"]}
    numbers = {ids[name]: number for number, name in enumerate(NAMES, start=1)}
    rows = [row for row in whole["annotations"] if row["category_id"] in numbers and len(row["segmentation"]) == 1]
    sizes = {name: {row["image_id"]: row["area"] for row in rows if row["category_id"] == ids[name]} for name in NAMES}
    kept = {image for shown in sizes.values() for image in sorted(shown, key=shown.__getitem__)[-2:]}
    images = sorted((row for row in whole["images"] if row["id"] in kept), key=lambda row: str(row["file_name"]))
    places = {row["id"]: place for place, row in enumerate(images, start=1)}  # as formats without ids number them
    return {
        "images": [
            {"id": places[row["id"]], **{key: row[key] for key in ("file_name", "width", "height")}} for row in images
        ],
        "annotations": [
            {
                **{key: row[key] for key in ("id", "segmentation", "bbox", "area")},
                "image_id": places[row["image_id"]],
                "category_id": numbers[row["category_id"]],
                "iscrowd": 0,
            }
            for row in rows
            if row["image_id"] in kept
        ],
        "categories": [{"id": number, "name": name} for number, name in enumerate(NAMES, start=1)],
    }


def _write(content: Content, file: Path, photos: Path, folder: Path, name: Callable[[str], str] = str) -> None:
    """A file, and the photos in a folder under the names that the tool gives them."""
    folder.mkdir(parents=True, exist_ok=True)
    for row in content["images"]:
        stem = Path(row["file_name"].replace("\\", "/")).name
        shutil.copy(photos / name(stem), folder / stem)
    write_text(file, json.dumps(content))


def _with(content: Content, *, image: Content, annotation: Content, category: Content, **top: Any) -> Content:
    added = {"images": image, "annotations": annotation, "categories": category}
    return {**{key: [{**row, **added[key]} for row in rows] for key, rows in content.items()}, **top}


def _renamed(content: Content, change: Callable[[str], str]) -> Content:
    return {**content, "images": [{**row, "file_name": change(row["file_name"])} for row in content["images"]]}


def plain(content: Content, photos: Path, folder: Path) -> Path:
    _write(content, folder / "annotations.json", photos, folder / "images")
    return folder


def cvat(content: Content, photos: Path, folder: Path) -> Path:
    rows = _with(
        content,
        image={"license": 0, "flickr_url": "", "coco_url": "", "date_captured": 0},
        annotation={"attributes": {"occluded": False, "rotation": 0.0}},
        category={"supercategory": ""},
        licenses=[{"name": "", "id": 0, "url": ""}],
        info={"contributor": "", "date_created": "", "description": "", "url": "", "version": "", "year": ""},
    )
    _write(rows, folder / "annotations" / "instances_default.json", photos, folder / "images")
    return folder


def labelme(content: Content, photos: Path, folder: Path) -> Path:
    """labelme2coco: dates and addresses of null, a background that no object has."""
    rows = _with(
        _renamed(content, "JPEGImages/{}".format),
        image={"license": 0, "url": None, "date_captured": None, "flickr_url": None, "coco_url": None},
        annotation={},
        category={"supercategory": None},
        info={"description": None, "url": None, "version": None, "year": 2024, "contributor": None},
        licenses=[{"url": None, "id": 0, "name": None}],
        type="instances",
    )
    rows["categories"].insert(0, {"supercategory": None, "id": 0, "name": "_background_"})
    _write(rows, folder / "annotations.json", photos, folder / "JPEGImages")
    return folder


def fiftyone(content: Content, photos: Path, folder: Path) -> Path:
    rows = _with(
        content,
        image={"license": None, "coco_url": None},
        annotation={"supercategory": None},
        category={"supercategory": None},
        info={"year": "", "version": "", "description": "Exported from FiftyOne", "date_created": "2024"},
        licenses=[],
    )
    _write(rows, folder / "labels.json", photos, folder / "data")
    return folder


def label_studio(content: Content, photos: Path, folder: Path) -> Path:
    """As on Windows."""
    _write(_renamed(content, "images\\{}".format), folder / "result.json", photos, folder / "images")
    return folder


def roboflow(content: Content, photos: Path, folder: Path) -> Path:
    """A folder for each split, names of its own, and a category that heads the others."""

    def tagged(name: str) -> str:
        return f"{Path(name).stem}_jpg.rf.0a1b2c.jpg"

    rows = _with(
        _renamed(content, tagged),
        image={"license": 1, "date_captured": "2024-01-01T00:00:00+00:00"},
        annotation={},
        category={"supercategory": "objects"},
    )
    rows["categories"].insert(0, {"id": 0, "name": "objects", "supercategory": "none"})
    _write(
        rows,
        folder / "train" / "_annotations.coco.json",
        photos,
        folder / "train",
        lambda name: name.replace("_jpg.rf.0a1b2c", ""),
    )
    return folder


def yolo(content: Content, photos: Path, folder: Path) -> Path:
    """Ids from 0, corners as shares of the sides."""
    for image in content["images"]:
        size = (image["width"], image["height"])
        lines = [
            " ".join(
                [str(row["category_id"] - 1), *(repr(v / size[i % 2]) for i, v in enumerate(row["segmentation"][0]))]
            )
            for row in content["annotations"]
            if row["image_id"] == image["id"]
        ]
        label = folder / "labels" / "train" / f"{Path(image['file_name']).stem}.txt"
        write_text(label, "\n".join(lines))
    (folder / "images" / "train").mkdir(parents=True)
    for image in content["images"]:
        shutil.copy(photos / image["file_name"], folder / "images" / "train")
    write_text(folder / "data.yaml", f"path: .\ntrain: images/train\nnames: {json.dumps(list(NAMES))}\n")
    return folder


FLAVOURS: tuple[Flavour, ...] = (cvat, labelme, fiftyone, label_studio, roboflow, yolo)


def made(flavour: Flavour, content: Content, photos: Path, folder: Path) -> Run:
    """A run until its decisions."""
    data = flavour(content, photos, folder / "data")
    run = Run(
        folder / "run",
        load_config(
            "coco100",
            [
                f"data={data}",
                "prompts.per_category=2",
                "counts={per_category: 2}",
                "generators=[{kind: procedural, size: 64}]",
                "train=null",
            ],
        ),
    )
    run_pipeline(run, until="decide")
    return run


def rows_of(run: Run) -> list[dict[str, Any]]:
    """All that is in the table but the category's number, which is the file's own, and what `likeness_of` gives."""
    names = [name for name in run.table.columns if name not in ("category_id", "inter_similarity")]
    return sorted(run.table.select(names).to_pylist(), key=lambda row: str(row["id"]))


def likeness_of(run: Run) -> dict[str, float]:
    """Id -> likeness to the real objects, which the decisions are made by."""
    found = run.table.select(["id", "inter_similarity"]).to_pylist()
    return {row["id"]: row["inter_similarity"] for row in found}


def objects_of(run: Run) -> tuple[list[tuple[str, str]], list[tuple[float, ...]]]:
    """Photo and category, and box, of each object that is trained and judged on."""
    names, boxes = [], []
    for dataset in vars(load_splits(run)).values():
        for annotation in dataset.annotations:
            stem = re.sub(r"_jpg\.rf\..*|\.jpg", "", Path(dataset.image(annotation.image_id).file_name).name)
            names.append((stem, dataset.category(annotation.category_id).name))
            boxes.append(annotation.bbox)
    return names, boxes


@pytest.fixture(scope="module")
def expected(content: Content, photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return made(plain, content, photos, tmp_path_factory.mktemp("plain"))


@pytest.mark.parametrize("flavour", FLAVOURS, ids=lambda flavour: flavour.__name__)
def test_run_pipeline__of_each_tools_export_ends_the_same(
    flavour: Flavour, content: Content, photos: Path, expected: Run, tmp_path: Path
) -> None:
    run = made(flavour, content, photos, tmp_path)
    assert rows_of(run) == rows_of(expected)
    assert len(rows_of(run)) == 2 * len(NAMES)
    assert likeness_of(run) == pytest.approx(likeness_of(expected), abs=1e-3)
    (names, boxes), (their_names, their_boxes) = objects_of(run), objects_of(expected)
    assert names == their_names
    np.testing.assert_allclose(boxes, their_boxes, atol=2)  # pixels: YOLO declares no boxes, they are the masks'
