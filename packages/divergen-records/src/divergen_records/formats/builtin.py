"""The formats of this package; each imports what it needs when it is used, so that a list of them costs nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from ..errors import require_extra
from .protocol import Format, Source

if TYPE_CHECKING:
    from ..dataset import Dataset

__all__ = ["BUILTIN"]


@dataclass(frozen=True)
class CocoFormat:
    """One JSON file in COCO's or LVIS's form; as a folder ``annotations.json`` and ``images/``."""

    name: Literal["coco", "lvis"]
    about: str
    needs_masks: ClassVar[bool] = False
    beside: ClassVar[bool] = True

    def recognises(self, path: Path) -> bool:
        """Whether it is a JSON file, or a folder with one; there is one form for both styles."""
        if self.name != "coco":
            return False
        return path.name.lower().endswith((".json", ".json.gz")) if path.is_file() else _holds_coco(path)

    def splits(self, path: Path) -> dict[str, Source]:
        """Those of a folder, by its files' names; a file is one."""
        from .layouts import find_layout

        return find_layout(path).splits

    def read(self, path: Path, **options: Any) -> Dataset:
        """Read it; see `divergen_records.coco.read_dataset`."""
        with require_extra("divergen-records", "images"):
            from .coco.read import read_dataset
            from .layouts import only_source
        return read_dataset(only_source(path) if path.is_dir() else path, **options)

    def write(self, dataset: Dataset, out: Path, *, overwrite: bool = False, progress: bool = False) -> Path:
        """Write the file alone where OUT ends in ``.json``, else a folder with the pictures."""
        with require_extra("divergen-records", "images"):
            from .coco.folder import write_folder
        return write_folder(dataset, out, style=self.name, overwrite=overwrite, progress=progress)


@dataclass(frozen=True)
class PngFormat:
    """Masks as PNG files."""

    name: str
    about: str
    masks: Literal["instance", "label"]
    needs_masks: ClassVar[bool] = True
    beside: ClassVar[bool] = False

    def write(self, dataset: Dataset, out: Path, *, overwrite: bool = False, progress: bool = False) -> Path:
        """Write the folder of masks."""
        with require_extra("divergen-records", "images"):
            from .png import write_png_masks
        return write_png_masks(dataset, out, masks=self.masks, overwrite=overwrite, progress=progress)


@dataclass(frozen=True)
class YoloFormat:
    """Ultralytics' segmentation labels."""

    name: str = "yolo"
    about: str = "Ultralytics segmentation: images/, labels/, data.yaml"
    needs_masks: ClassVar[bool] = True
    beside: ClassVar[bool] = True
    keeps_crowds: ClassVar[bool] = False

    def recognises(self, path: Path) -> bool:
        """A ``data.yaml``, ``obj.data`` or ``classes.txt``, a folder that holds one, or that of a split below it."""
        from .yolo_layout import find_yolo, yolo_part

        return find_yolo(path) is not None or yolo_part(path) is not None

    def splits(self, path: Path) -> dict[str, Source]:
        """Those that its description names."""
        from .layouts import find_layout

        return find_layout(path).splits

    def read(self, path: Path, **options: Any) -> Dataset:
        """Read all splits that it names, as one data set."""
        with require_extra("divergen-records", "images"):
            from .yolo_read import read_yolo
        return read_yolo(path, **options)

    def write(self, dataset: Dataset, out: Path, *, overwrite: bool = False, progress: bool = False) -> Path:
        """Write the folder, or labels beside pictures that are there."""
        with require_extra("divergen-records", "images"):
            from .yolo import write_yolo
        return write_yolo(dataset, out, overwrite=overwrite, progress=progress)


@dataclass(frozen=True)
class LabelmeFormat:
    """labelme's JSON, one for each picture."""

    name: str = "labelme"
    about: str = "labelme: a JSON file beside each picture"
    needs_masks: ClassVar[bool] = True
    beside: ClassVar[bool] = False
    needs_pictures: ClassVar[bool] = True
    keeps_crowds: ClassVar[bool] = False

    def recognises(self, path: Path) -> bool:
        """A labelme JSON, or a folder whose first JSON is one."""
        from .labelme import is_labelme

        return is_labelme(path)

    def read(self, path: Path, **options: Any) -> Dataset:
        """Read the folder."""
        with require_extra("divergen-records", "images"):
            from .labelme import read_labelme
        return read_labelme(path, **options)

    def write(self, dataset: Dataset, out: Path, *, overwrite: bool = False, progress: bool = False) -> Path:
        """Write the folder, ready to be corrected."""
        with require_extra("divergen-records", "images"):
            from .labelme_write import write_labelme
        return write_labelme(dataset, out, overwrite=overwrite, progress=progress)


@dataclass(frozen=True)
class FiftyOneFormat:
    """FiftyOne's own form."""

    name: str = "fiftyone"
    about: str = "FiftyOne: samples.json and pictures (fiftyone.types.FiftyOneDataset)"
    needs_masks: ClassVar[bool] = False
    beside: ClassVar[bool] = False
    needs_pictures: ClassVar[bool] = True

    def recognises(self, path: Path) -> bool:
        """A ``samples.json``, or a folder that holds one."""
        from .fiftyone.read import is_fiftyone

        return is_fiftyone(path)

    def read(self, path: Path, **options: Any) -> Dataset:
        """Read the samples, and the objects of the one field that holds some."""
        with require_extra("divergen-records", "images"):
            from .fiftyone.read import read_fiftyone
        return read_fiftyone(path, **options)

    def write(self, dataset: Dataset, out: Path, *, overwrite: bool = False, progress: bool = False) -> Path:
        """Write the folder."""
        with require_extra("divergen-records", "images"):
            from .fiftyone.write import write_fiftyone
        return write_fiftyone(dataset, out, overwrite=overwrite, progress=progress)


@dataclass(frozen=True)
class XPasteFormat:
    """The pools that X-Paste and DiverGen publish."""

    name: str = "xpaste-pool"
    about: str = "X-Paste's instance pool: RGBA cut-outs and instance_pools.json"
    needs_masks: ClassVar[bool] = True
    beside: ClassVar[bool] = False
    needs_pictures: ClassVar[bool] = True
    decodes_pictures: ClassVar[bool] = True
    keeps_crowds: ClassVar[bool] = False

    def recognises(self, path: Path) -> bool:
        """An ``instance_pools.json``, or a folder that holds one."""
        from .xpaste import find_pools

        return find_pools(path) is not None

    def read(self, path: Path, **options: Any) -> Dataset:
        """Read the cut-outs as pictures of one object each."""
        with require_extra("divergen-records", "images"):
            from .xpaste import read_pool
        return read_pool(path, **options)

    def write(self, dataset: Dataset, out: Path, *, overwrite: bool = False, progress: bool = False) -> Path:
        """Write a cut-out for each object."""
        with require_extra("divergen-records", "images"):
            from .xpaste import write_pool
        return write_pool(dataset, out, overwrite=overwrite, progress=progress)


@dataclass(frozen=True)
class WebDatasetFormat:
    """Tar shards for the `webdataset` library."""

    name: str = "webdataset"
    about: str = "webdataset: tar shards of picture, JSON and mask map"
    needs_masks: ClassVar[bool] = True
    beside: ClassVar[bool] = False
    needs_pictures: ClassVar[bool] = True

    def write(self, dataset: Dataset, out: Path, *, overwrite: bool = False, progress: bool = False) -> Path:
        """Write the folder of shards and its index."""
        with require_extra("divergen-records", "images"):
            from .webdataset import write_webdataset
        return write_webdataset(dataset, out, overwrite=overwrite, progress=progress)


def _holds_coco(folder: Path) -> bool:
    from .layouts import coco_files

    return folder.is_dir() and any(coco_files(folder))


BUILTIN: tuple[Format, ...] = (
    YoloFormat(),
    XPasteFormat(),
    FiftyOneFormat(),
    LabelmeFormat(),
    CocoFormat("coco", "COCO instances: annotations.json"),
    CocoFormat("lvis", "LVIS v1: annotations.json with synsets, frequencies and negative lists"),
    PngFormat("png", "a PNG mask for each object, and instances.jsonl", "instance"),
    PngFormat("png-labels", "a PNG label map for each picture, and labels.json", "label"),
    WebDatasetFormat(),
)
"""In the order in which they are asked whether they recognise a path: a JSON that is nobody else's is COCO's."""
