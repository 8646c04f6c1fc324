"""Files of other tools that no format here reads: whose they are, and how their tool writes what is read."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from ..picture_files import is_picture
from ..reading import refuse_pipe

__all__ = ["PANOPTIC", "tell_foreign"]

PANOPTIC = "convert it by panopticapi's converters/panoptic2detection_coco_format.py"

_HEAD = 2**16
_MOST_NAMES = 5000
"""Names that are looked at in a folder."""
_MOST_FILES, _ALIKE = 40, 3
"""Files that are looked into, and of these those of one folder and ending."""


@dataclass(frozen=True)
class _Foreign:
    """Another tool's files.

    Attributes:
        about: What they are.
        remedy: What to do.
        name: Of the file, matched whole in lower case.
        content: In the first 64 KiB, searched for.
    """

    about: str
    remedy: str
    name: str = r".*\.json"
    content: bytes | None = None


_FOREIGN = (
    _Foreign("an archive", "unpack it and give the folder", r".*\.(zip|tar|tgz|tar\.gz|7z|rar)"),
    _Foreign(
        "CVAT's own XML", 'export the task there as "COCO 1.0"', r".*\.xml", rb"<annotations>[\s\S]*<(meta|image)\b"
    ),
    _Foreign(
        "Pascal VOC's XML, whose objects are boxes",
        "outline the objects, in CVAT (which imports VOC) or labelme, and export COCO",
        r".*\.xml",
        rb"<annotation\b[\s\S]*<(object|filename|size)\b",
    ),
    _Foreign(
        "a project of the VGG Image Annotator",
        "export it there as COCO",
        content=rb'"shape_attributes"|"_via_settings"',
    ),
    _Foreign("a table of the VGG Image Annotator", "export it there as COCO", r".*\.csv", rb"region_shape_attributes"),
    _Foreign(
        "Label Studio's own JSON",
        "export the project there as COCO",
        content=rb'"(original_width|polygonlabels|brushlabels|rectanglelabels)"',
    ),
    _Foreign(
        "Supervisely's",
        'export it there by the app "Export to COCO"',
        content=rb'"classTitle"|"geometryType"|"projectType"',
    ),
    _Foreign(
        "Datumaro's own JSON",
        "convert it by `datum convert -if datumaro -f coco_instances -- --save-media`",
        content=rb'"items"\s*:\s*\[|"dm_format_version"',
    ),
    _Foreign(
        "SuperAnnotate's",
        'convert it by its Python SDK, export_annotation(…, dataset_format="COCO", task="instance_segmentation")',
        content=rb'"className"',
    ),
    _Foreign(
        "V7 Darwin's", "convert it by `darwin dataset convert TEAM/DATASET coco`", content=rb'"slots"|darwin_json'
    ),
    _Foreign("Labelbox's", "convert it to COCO by Labelbox's Python SDK", r".*\.(nd)?json", rb'"data_row"'),
    _Foreign(
        "Kili's own JSON", 'export the labels there as COCO, export_labels(…, fmt="coco")', content=rb'"jsonResponse"'
    ),
    _Foreign(
        "Scale's tasks",
        "write their polygons (label, vertices) as a COCO file",
        content=rb'"task_id"[\s\S]*"vertices"|"geometry"\s*:\s*\{\s*"vertices"',
    ),
    _Foreign(
        "Dataloop's own JSON", "convert it to COCO by dtlpy-converters", content=rb'"coordinates"\s*:\s*\[\[?\s*\{'
    ),
    _Foreign("Hasty's own JSON", "export the project there as COCO", content=rb'"label_classes"'),
    _Foreign("Encord's own JSON", "export the labels there as COCO", content=rb'"label_hash"'),
    _Foreign(
        "a release of Segments.ai",
        'convert it by its Python SDK, export_dataset(…, export_format="coco-instance")',
        content=rb'"task_type"\s*:\s*"(segmentation|vector|bboxes)',
    ),
    _Foreign(
        "of the form of SA-1B, whose masks have no category",
        "name the category of each mask in a COCO file",
        content=rb'"predicted_iou"[\s\S]*"stability_score"',
    ),
    _Foreign(
        "detectron2's list of dicts",
        "write a COCO file of it by detectron2.data.datasets.convert_to_coco_json",
        content=rb'"bbox_mode"',
    ),
    _Foreign("OpenMMLab's", "give the COCO file that it was made from", content=rb'"data_list"\s*:|"metainfo"\s*:'),
    _Foreign("ISAT's", 'write COCO there, "ISAT to COCO"', content=rb'"description":\s*"ISAT"'),
    _Foreign(
        "Create ML's, whose objects are boxes",
        'outline the objects, and export "COCO Segmentation"',
        content=rb'"coordinates"\s*:\s*\{',
    ),
    _Foreign(
        "Cityscapes'",
        "convert it to COCO by MMDetection's tools/dataset_converters/cityscapes.py",
        content=rb'"imgHeight"',
    ),
    _Foreign(
        "COCO's panoptic form",
        PANOPTIC,
        content=rb'"segments_info"',
    ),
    _Foreign(
        "Open Images' table",
        "read it with FiftyOne (OpenImagesV7Dataset) and export COCODetectionDataset",
        r".*\.csv",
        rb"ImageID,.*(LabelName|MaskPath)",
    ),
    _Foreign("labelme's", "give its folder, whose files are read together", content=rb'"shapes"\s*:\s*\['),
    _Foreign("of videos", "give their frames as pictures, with a COCO file", content=rb'"videos"\s*:\s*\['),
    _Foreign("TensorFlow's records", "export COCO where they were made", r".*\.tfrecords?(-.*)?"),
    _Foreign(
        "of Hugging Face `datasets`",
        "write its rows as a COCO file beside their pictures, or have FiftyOne do so: load_from_hub, then export",
        r".*\.(parquet|arrow)|metadata\.(jsonl|csv)",
    ),
    _Foreign(
        "DOTA's, whose objects are turned boxes",
        "outline the objects and export COCO",
        r".*\.txt",
        rb"^imagesource:|^\d[\d.]*( \d[\d.]*){7} [a-z-]+ [012]\s",
    ),
    _Foreign(
        "YOLO labels without their data.yaml",
        "add one with `train: images` and `names:`, or a classes.txt with a name a line",
        r".*\.txt",
        rb"^\d+( [\d.]+){4,}\s*$",
    ),
)


def tell_foreign(path: Path) -> str | None:
    """One sentence about what another tool wrote, a file or folder, with what to do; None where it is not known."""
    for file in islice(_files(path), _MOST_FILES):
        found = _whose(file)
        if found is not None:
            shown = file.name if path.is_file() else file.relative_to(path).as_posix()
            return f"{shown} is {found.about}; {found.remedy}"
    if path.is_dir() and any(is_picture(name) for _, name in islice(_names(path), _MOST_NAMES)):
        return "it holds pictures without annotations that are read; `divergen-annotate photos` finds objects in photos"
    return None


def _whose(file: Path) -> _Foreign | None:
    named = [one for one in _FOREIGN if re.fullmatch(one.name, file.name.lower())]
    if not named:
        return None
    refuse_pipe(file)
    try:
        with file.open("rb") as opened:
            head = opened.read(_HEAD)
    except OSError:
        return None
    return next((one for one in named if one.content is None or re.search(one.content, head, re.MULTILINE)), None)


def _files(path: Path) -> Iterator[Path]:
    """The file, or those of a folder that are named as some tool's: of each folder and ending the first three."""
    if not path.is_dir():
        yield path
        return
    seen: Counter[tuple[str, str]] = Counter()
    for folder, name in islice(_names(path), _MOST_NAMES):
        kind = folder, Path(name).suffix.lower()
        if seen[kind] < _ALIKE and any(re.fullmatch(one.name, name.lower()) for one in _FOREIGN):
            seen[kind] += 1
            yield Path(folder, name)


def _names(path: Path) -> Iterator[tuple[str, str]]:
    for folder, folders, names in os.walk(path):
        folders.sort()
        yield from ((folder, name) for name in sorted(names) if not name.startswith("."))
