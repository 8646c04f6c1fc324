"""A folder of pictures of one object each -> COCO JSON, masks as PNG, a page to look at."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from divergen_records import Category, DivergenError, ImageError, Progress
from divergen_records.coco import Annotation as CocoAnnotation
from divergen_records.coco import DatasetWriter, ImageInfo
from divergen_records.images import encode_image, read_image
from divergen_records.masks import encode_rle, mask_to_bbox

from .annotator import Annotator, Image
from .cleanup import repair as default_repair
from .preview import PreviewWriter
from .stage import Annotation, Repair, annotate

__all__ = ["FolderReport", "annotate_folder", "find_pictures"]

_SUFFIXES = frozenset([".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"])


@dataclass
class FolderReport:
    """What became of a folder.

    Attributes:
        done: Pictures with a mask.
        failed: Pictures without one: path inside the folder, and why.
    """

    done: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)


def find_pictures(folder: Path, *, leave_out: Path | None = None) -> Iterator[Path]:
    """Picture files below a folder, in the order of their names, folder by folder; hidden ones and links are left out.

    Args:
        folder: Where to look.
        leave_out: A folder that is not entered.

    Raises:
        ImageError: If there is no such folder.
    """
    if not folder.is_dir():
        raise ImageError(f"{folder}: there is no such folder")
    folders = []
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if entry.name.startswith(".") or entry.is_symlink():
            continue
        if entry.is_dir():
            if leave_out is not None and Path(entry.path).resolve() == leave_out.resolve():
                continue
            folders.append(Path(entry.path))
        elif Path(entry.name).suffix.lower() in _SUFFIXES:
            yield Path(entry.path)
    for inner in folders:
        yield from find_pictures(inner, leave_out=leave_out)


def annotate_folder(
    folder: Path,
    annotator: Annotator,
    out: Path,
    *,
    repair: Repair | None = default_repair,
    png_masks: Path | None = None,
    preview: Path | None = None,
    folders_are_categories: bool = False,
    overwrite: bool = False,
    batch_size: int = 16,
    progress: bool = True,
) -> FolderReport:
    """Annotate every picture below a folder; those that fail are reported, the rest goes on.

    Args:
        folder: Searched with the folders in it.
        annotator: Makes the masks.
        out: The COCO file; it appears when it is complete.
        repair: Mends each mask.
        png_masks: Folder for the masks as PNG, 0 and 255, named as the pictures.
        preview: HTML page of the first pictures with their outlines.
        folders_are_categories: A picture's category is the folder that it lies in; else all are ``object``.
        overwrite: Replace files that are there.
        batch_size: Pictures in memory at a time.
        progress: Show progress.

    Raises:
        DatasetError: If ``out`` is there already.
        ImageError: If there is no such folder or no picture in it, or a preview or masks are there already.
    """
    report = FolderReport()
    numbers = _Categories(folder, folders_are_categories)
    pngs = None if png_masks is None else _PngMasks(png_masks, overwrite)
    with ExitStack() as stack:
        bar = stack.enter_context(Progress("annotate", unit="pictures") if progress else nullcontext())
        page = None if preview is None else stack.enter_context(PreviewWriter(preview, overwrite=overwrite))
        writer = stack.enter_context(DatasetWriter(out, [], style="coco", info=_info(annotator), overwrite=overwrite))
        for names, images in _batches(find_pictures(folder, leave_out=png_masks), folder, batch_size, report):
            annotations = annotate(images, annotator, repair=repair)
            for name, image, annotation in zip(names, images, annotations, strict=True):
                if isinstance(annotation, DivergenError):
                    report.failed.append((name, str(annotation)))
                    continue
                report.done += 1
                category = numbers.of(name)
                writer.add_category(category)
                _write(writer, report.done, name, category.id, annotation)
                if pngs is not None:
                    pngs.write(name, annotation)
                if page is not None:
                    page.add(name, image, annotation)
            if isinstance(bar, Progress):
                bar.update(len(names), f"{len(report.failed)} failed" if report.failed else None)
        if not report.done and not report.failed:
            raise ImageError(f"{folder}: there is no picture in it; known are {', '.join(sorted(_SUFFIXES))}")
    return report


class _Categories:
    """Numbers categories in the order in which they come up."""

    def __init__(self, folder: Path, by_folder: bool) -> None:
        self._top, self._by_folder = folder.resolve().name or "object", by_folder
        self._found: dict[str, Category] = {}

    def of(self, name: str) -> Category:
        parent = Path(name).parent.name
        category = (parent or self._top) if self._by_folder else "object"
        return self._found.setdefault(category, Category(id=len(self._found) + 1, name=category))


def _info(annotator: Annotator) -> dict[str, str]:
    return {"description": f"masks by divergen-annotate, {annotator.name}"}


def _batches(
    paths: Iterable[Path], folder: Path, size: int, report: FolderReport
) -> Iterator[tuple[list[str], list[Image]]]:
    rest = iter(paths)
    while chunk := list(islice(rest, size)):
        names, images = [], []
        for path in chunk:
            name = path.relative_to(folder).as_posix()
            try:
                images.append(read_image(path))
                names.append(name)
            except ImageError as error:
                report.failed.append((name, str(error)))
        yield names, images


def _write(writer: DatasetWriter, number: int, name: str, category_id: int, annotation: Annotation) -> None:
    height, width = annotation.mask.shape
    writer.add_image(ImageInfo(id=number, width=width, height=height, file_name=name))
    writer.add_annotation(
        CocoAnnotation(
            number,
            number,
            category_id,
            mask_to_bbox(annotation.mask),
            int(annotation.mask.sum()),
            encode_rle(annotation.mask),
        )
    )


class _PngMasks:
    """Writes masks as PNG: ``a.png`` for ``a.jpg``, or ``a.jpg.png`` where another picture has taken that name."""

    def __init__(self, folder: Path, overwrite: bool) -> None:
        if folder.is_dir() and any(folder.iterdir()) and not overwrite:
            raise ImageError(f"{folder} is not empty; choose another folder, or ask to overwrite")
        self._folder, self._taken = folder, set[Path]()

    def write(self, name: str, annotation: Annotation) -> None:
        path = self._folder / Path(name).with_suffix(".png")
        if path in self._taken:
            path = self._folder / f"{name}.png"
        self._taken.add(path)
        temporary = path.with_name(f".{path.name}.partial")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(encode_image(annotation.mask.astype("uint8") * 255, "png"))
            temporary.replace(path)
        except OSError as error:
            raise ImageError(f"{path}: the mask cannot be written: {error.strerror}") from error
        finally:
            temporary.unlink(missing_ok=True)
