"""What writers of folders share: one file per name, pictures copied beside what a format adds."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import msgspec

from ..command import note
from ..dataset import Annotation, Dataset
from ..errors import DatasetError, ImageError
from ..progress import Progress
from .orientation import keep_as_stored

__all__ = ["PROVENANCE", "copy_pictures", "counting", "put_file", "write_provenance"]

PROVENANCE = "provenance"
"""Key of an annotation's other keys that says what made a generated object."""


def put_file(path: Path, data: bytes) -> None:
    """Write a file of a folder that is being made; raises `DatasetError` if the name is taken."""
    if path.exists():
        raise DatasetError(f"two files would have the name {path.name}; names or ids are not unique")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def copy_pictures(
    dataset: Dataset, folder: Path, step: Callable[[], None] = lambda: None, names: Mapping[int, str] | None = None
) -> None:
    """Copy the pictures of a data set under their names, and make all readers see them as the data set does (EXIF).

    Args:
        dataset: The data set.
        folder: Where to.
        step: Called for each.
        names: Image id -> another name than its own.

    Raises:
        ImageError: If one is not there.
        DatasetError: If two have one name, or a name leaves the folder.
    """
    kept = []
    for image in dataset.images:
        target = folder / (names or {}).get(image.id, image.file_name)
        if target.exists():
            raise DatasetError(f"{dataset.path}: two images have the name {image.file_name!r}; rename one")
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            shutil.copyfile(dataset.image_path(image), target)
        except FileNotFoundError as error:
            raise ImageError(
                f"image {image.id} of {dataset.path}: there is no picture {dataset.image_dir / image.file_name}; check "
                "the folder of images"
            ) from error
        if keep_as_stored(target, (image.width, image.height)):
            kept.append(image.file_name)
        step()
    if kept:
        note(
            f"note: {len(kept):,} of {len(dataset.images):,} pictures say by EXIF that they are to be turned, and the "
            f"labels do not follow: copied without that ({', '.join(kept[:3])}{', …' if len(kept) > 3 else ''})"
        )


@contextmanager
def counting(what: str, dataset: Dataset, progress: bool) -> Iterator[Callable[[], None]]:
    """Count the images of a data set, shown where asked."""
    bar = Progress(what, len(dataset.images), unit="images") if progress else None
    with bar or nullcontext():
        yield bar.update if bar is not None else lambda: None


def write_provenance(dataset: Dataset, folder: Path, place: Callable[[Annotation], str]) -> None:
    """Write ``provenance.jsonl``, a line for each generated object, for formats that have no place of their own for it.

    Args:
        dataset: Its objects carry their provenance where they were generated; without such objects nothing is written.
        folder: Where to.
        place: The file that holds an object, relative to the folder.
    """
    made = [one for one in dataset.annotations if one.extra and PROVENANCE in one.extra and not one.iscrowd]
    if made:
        rows = ({"file": place(one), "category": dataset.category(one.category_id).name, **_row(one)} for one in made)
        (folder / "provenance.jsonl").write_bytes(b"".join(msgspec.json.encode(row) + b"\n" for row in rows))


def _row(one: Annotation) -> dict[str, Any]:
    told = (one.extra or {})[PROVENANCE]
    return told if isinstance(told, dict) else {PROVENANCE: told}
