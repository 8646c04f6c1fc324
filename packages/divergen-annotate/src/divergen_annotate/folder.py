"""A folder of pictures of one object each -> COCO JSON, masks as PNG, a page to look at."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, cast

from divergen_records import Category, DivergenError, ImageError, Progress
from divergen_records.coco import Annotation as CocoAnnotation
from divergen_records.coco import DatasetWriter, ImageInfo
from divergen_records.files import write_bytes
from divergen_records.images import MAX_PIXELS, encode_image, read_image
from divergen_records.masks import encode_rle, mask_to_bbox

from .annotator import Annotator, Image
from .batching import ahead
from .cleanup import repair as default_repair
from .jsonl import JsonlWriter
from .preview import PreviewWriter
from .stage import Annotation, Repair, annotate, category_label

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
    report: Path | None = None,
    folders_are_categories: bool = False,
    overwrite: bool = False,
    batch_size: int = 16,
    max_pixels: int = MAX_PIXELS,
    progress: bool = True,
) -> FolderReport:
    """Annotate every picture below a folder; those that fail are reported, the rest goes on.

    Pictures are read in threads, a few batches ahead; memory does not grow with their number.

    Args:
        folder: Searched with the folders in it.
        annotator: Makes the masks.
        out: The COCO file; it appears when it is complete.
        repair: Mends each mask.
        png_masks: Folder for the masks as PNG, 0 and 255, named as the pictures.
        preview: HTML page of the first pictures with their outlines.
        report: JSON Lines of each picture's measures, or why it has no mask.
        folders_are_categories: A picture's category is the folder that it lies in; else all are ``object``.
        overwrite: Replace files that are there.
        batch_size: Pictures annotated at a time.
        max_pixels: Larger pictures are refused.
        progress: Show progress.

    Raises:
        DatasetError: If ``out`` is there already.
        ImageError: If there is no such folder or no picture in it, or a preview, a report or masks are there already.
    """
    done = FolderReport()
    numbers = _Categories(folder, folders_are_categories)
    with ExitStack() as stack:
        bar = stack.enter_context(Progress("annotate", unit="pictures") if progress else nullcontext())
        outputs = _Outputs(stack, out, annotator, numbers, (png_masks, preview, report), overwrite)
        paths = find_pictures(folder, leave_out=png_masks)
        for names, pictures in _batches(paths, folder, batch_size, max_pixels):
            good = [number for number, picture in enumerate(pictures) if not isinstance(picture, DivergenError)]
            images: list[Any] = [pictures[number] for number in good]
            texts = (
                [category_label(numbers.of(names[number]).name) for number in good] if folders_are_categories else None
            )
            annotations = iter(annotate(images, annotator, repair=repair, texts=texts))
            for name, picture in zip(names, pictures, strict=True):
                result = picture if isinstance(picture, DivergenError) else next(annotations)
                if isinstance(result, DivergenError):
                    outputs.failed(done, name, result)
                else:
                    outputs.add(done, name, cast("Image", picture), result)
            if isinstance(bar, Progress):
                bar.update(len(names), f"{len(done.failed)} failed" if done.failed else None)
        if not done.done and not done.failed:
            raise ImageError(f"{folder}: there is no picture in it; known are {', '.join(sorted(_SUFFIXES))}")
    return done


class _Outputs:
    """All that is written for a folder."""

    def __init__(
        self,
        stack: ExitStack,
        out: Path,
        annotator: Annotator,
        numbers: _Categories,
        paths: tuple[Path | None, Path | None, Path | None],
        overwrite: bool,
    ) -> None:
        png_masks, preview, report = paths
        self._numbers, self._name = numbers, annotator.name
        self._pngs = None if png_masks is None else _PngMasks(png_masks, overwrite)
        self._lines = None if report is None else stack.enter_context(JsonlWriter(report, overwrite=overwrite))
        self._page = None if preview is None else stack.enter_context(PreviewWriter(preview, overwrite=overwrite))
        info = {"description": f"masks by divergen-annotate, {annotator.name}"}
        self._writer = stack.enter_context(DatasetWriter(out, [], style="coco", info=info, overwrite=overwrite))

    def add(self, done: FolderReport, name: str, image: Image, annotation: Annotation) -> None:
        done.done += 1
        category = self._numbers.of(name)
        self._writer.add_category(category)
        _write(self._writer, done.done, name, category.id, annotation)
        if self._pngs is not None:
            self._pngs.write(name, annotation)
        if self._page is not None:
            self._page.add(name, image, annotation)
        if self._lines is not None:
            self._lines.add(
                file_name=name,
                annotator=f"{self._name} {annotation.note}".rstrip(),
                score=annotation.score,
                area_fraction=annotation.area_fraction,
                components=annotation.components,
                border_contact=annotation.border_contact,
                solidity=annotation.solidity,
                thin_share=annotation.thin_share,
            )

    def failed(self, done: FolderReport, name: str, error: DivergenError) -> None:
        done.failed.append((name, str(error)))
        if self._lines is not None:
            self._lines.add(file_name=name, error=str(error))


class _Categories:
    """Numbers categories in the order in which they come up."""

    def __init__(self, folder: Path, by_folder: bool) -> None:
        self._top, self._by_folder = folder.resolve().name or "object", by_folder
        self._found: dict[str, Category] = {}

    def of(self, name: str) -> Category:
        parent = Path(name).parent.name
        category = (parent or self._top) if self._by_folder else "object"
        return self._found.setdefault(category, Category(id=len(self._found) + 1, name=category))


def _batches(
    paths: Iterable[Path], folder: Path, size: int, max_pixels: int
) -> Iterator[tuple[list[str], list[Image | ImageError]]]:
    """Batches of names and pictures; one that cannot be read is its error. Threads read two batches ahead."""

    def read(path: Path) -> tuple[str, Image | ImageError]:
        name = path.relative_to(folder).as_posix()
        try:
            return name, read_image(path, max_pixels=max_pixels)
        except ImageError as error:
            return name, error

    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        rest = ahead(pool, read, paths, 2 * size)
        while chunk := list(islice(rest, size)):
            yield [name for name, _ in chunk], [picture for _, picture in chunk]


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
        write_bytes(path, encode_image(annotation.mask.astype("uint8") * 255, "png"), overwrite=True)
