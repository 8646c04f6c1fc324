"""A format that writes one line for each box."""

from __future__ import annotations

from pathlib import Path

from divergen_records.coco import Dataset
from divergen_records.files import write_text


class BoxLines:
    name, about = "box-lines", "a text file with a line for each box"
    needs_masks = beside = False

    def write(self, dataset: Dataset, out: Path, *, overwrite: bool = False, progress: bool = False) -> Path:
        names = {image.id: image.file_name for image in dataset.images}
        lines = [f"{names[one.image_id]} {one.category_id} {one.bbox}" for one in dataset.annotations]
        write_text(out / "boxes.txt", "\n".join(lines), overwrite=overwrite)
        return out / "boxes.txt"
