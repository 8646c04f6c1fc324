"""A folder of pictures of one object each -> COCO JSON, masks as PNG, a page to look at."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, count, islice
from pathlib import Path
from typing import Any

from divergen_records import DivergenError, ImageError, NothingLeft, Progress
from divergen_records.coco import Annotation as CocoAnnotation
from divergen_records.coco import DatasetWriter, ImageInfo
from divergen_records.cores import usable_cores
from divergen_records.file_names import fit_path
from divergen_records.files import Written, refuse_existing
from divergen_records.folders import new_folder, resumable_notes
from divergen_records.images import MAX_PIXELS, encode_image, read_image
from divergen_records.losses import Losses
from divergen_records.masks import encode_rle, mask_to_bbox
from divergen_records.picture_files import PICTURE_SUFFIXES, find_pictures

from .annotator import Annotator
from .batching import ahead
from .categories import Categories
from .cleanup import repair as default_repair
from .journal import Journal, stamp_of
from .jsonl import JsonlWriter
from .own_alpha import Transparent, annotate_transparent, read_transparent
from .preview import PreviewWriter
from .stage import Annotation, Repair, category_label

__all__ = ["FolderReport", "annotate_folder"]


@dataclass
class FolderReport:
    """What became of a folder.

    Attributes:
        done: Pictures with a mask.
        own_alpha: Pictures among them whose own transparency is the mask.
        failed: Pictures without one: path inside the folder, and why.
    """

    done: int = 0
    own_alpha: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)


def annotate_folder(
    folder: Path,
    annotator: Annotator,
    out: Path,
    *,
    repair: Repair | None = default_repair,
    own_alpha: bool = True,
    png_masks: Path | None = None,
    preview: Path | None = None,
    report: Path | None = None,
    folders_are_categories: bool = False,
    overwrite: bool = False,
    batch_size: int = 16,
    max_pixels: int = MAX_PIXELS,
    resume: str | None = None,
    losses: Losses | None = None,
    progress: bool = True,
) -> FolderReport:
    """Annotate every picture below a folder; those that fail are reported, the rest goes on.

    Pictures are read in threads, a few batches ahead; memory does not grow with their number.

    Args:
        folder: Searched with the folders in it.
        annotator: Makes the masks.
        out: The COCO file; it appears last, when all else is there.
        repair: Mends each mask.
        own_alpha: Where a picture has transparency, that is its mask, and the annotator is not asked.
        png_masks: Folder for the masks as PNG, 0 and 255, named as the pictures.
        preview: HTML page of the first pictures with their outlines.
        report: JSON Lines of each picture's measures, or why it has no mask.
        folders_are_categories: A picture's category is the folder that it lies in, or what a list beside the pictures
            says (`divergen_records.picture_lists`); else all are ``object``.
        overwrite: Replace files that are there.
        batch_size: Pictures annotated at a time.
        max_pixels: Larger pictures are refused.
        resume: What decides the masks, for example the annotator's settings: a killed call is carried on by the next
            with the same. None begins anew.
        losses: Takes in the pictures without a mask.
        progress: Show progress.

    Raises:
        ExistsError: If an output is there already.
        ImageError: If there is no such folder or no picture in it.
        NothingLeft: If no picture got a mask; then nothing is written.
    """
    lost = Losses() if losses is None else losses
    with resumable_notes(out, resume, overwrite=overwrite) as notes, Journal.open(notes.path) as journal:
        overwrite = overwrite or notes.appearing
        refuse_existing(preview, report, overwrite=overwrite)
        paths = list(find_pictures(folder, losses=lost, leave_out=png_masks))
        if not paths and not lost:
            raise ImageError(f"{folder}: there is no picture in it; known are {', '.join(sorted(PICTURE_SUFFIXES))}")
        numbers = Categories(folder, folders_are_categories, lost)
        paths = numbers.named(paths)
        asked = partial(annotate_transparent, annotator=annotator, repair=repair, own_alpha=own_alpha)
        work = _Work(folder, asked, numbers if folders_are_categories else None, journal, lost)
        work.do(paths, batch_size, max_pixels, progress)
        done = FolderReport(failed=list(lost))
        if not any(journal.has(work.name(path), stamp_of(path)) for path in paths if path.exists()):
            raise NothingLeft(f"{folder}: none of its {len(lost)} pictures got a mask, so nothing is written")
        with ExitStack() as stack:
            outputs = _Outputs(stack, out, annotator, numbers, (png_masks, preview, report), overwrite)
            for path in paths:
                noted = journal.get(work.name(path))
                if noted is not None:
                    outputs.add(done, work.name(path), path, noted[1][0])
            for name, reason in lost:
                outputs.failed(name, reason)
            notes.appear()
    return done


class _Work:
    """Makes the masks that the journal lacks."""

    def __init__(
        self,
        folder: Path,
        annotate: Callable[..., Sequence[Annotation | DivergenError]],
        names: Categories | None,
        journal: Journal,
        losses: Losses,
    ) -> None:
        self.folder, self.annotate, self.names = folder, annotate, names
        self.journal, self.losses = journal, losses

    def name(self, path: Path) -> str:
        """A picture's path inside the folder."""
        return path.relative_to(self.folder).as_posix()

    def do(self, paths: Sequence[Path], batch_size: int, max_pixels: int, progress: bool) -> None:
        pending = [path for path in paths if not self.journal.has(self.name(path), stamp_of(path))]
        with Progress("annotate", len(pending), unit="pictures") if progress else nullcontext() as bar:
            for batch, pictures in _batches(pending, batch_size, max_pixels):
                self._annotate(batch, pictures)
                self.journal.flush()
                if isinstance(bar, Progress):
                    bar.update(len(batch), f"{len(self.losses)} failed" if self.losses else None)

    def _annotate(self, paths: Sequence[Path], pictures: Sequence[Transparent | ImageError]) -> None:
        good = [number for number, picture in enumerate(pictures) if not isinstance(picture, DivergenError)]
        images: list[Any] = [pictures[number] for number in good]
        texts = None if self.names is None else [self._label(paths[number]) for number in good]
        annotations = iter(self.annotate(images, texts=texts))
        for path, picture in zip(paths, pictures, strict=True):
            result = picture if isinstance(picture, DivergenError) else next(annotations)
            if isinstance(result, DivergenError):
                self.losses.add(self.name(path), str(result))
            else:
                height, width = result.mask.shape
                self.journal.add(self.name(path), stamp_of(path), (height, width), [result])

    def _label(self, path: Path) -> str:
        assert self.names is not None
        return category_label(self.names.name_of(self.name(path)))


class _Outputs:
    """All that is written for a folder; the COCO file, which says that it is complete, appears last."""

    def __init__(
        self,
        stack: ExitStack,
        out: Path,
        annotator: Annotator,
        numbers: Categories,
        paths: tuple[Path | None, Path | None, Path | None],
        overwrite: bool,
    ) -> None:
        png_masks, preview, report = paths
        self._numbers, self._name = numbers, annotator.name
        info = {"description": f"masks by divergen-annotate, {annotator.name}"}
        self._writer = stack.enter_context(DatasetWriter(out, [], style="coco", info=info, overwrite=overwrite))
        self._lines = None if report is None else stack.enter_context(JsonlWriter(report, overwrite=overwrite))
        self._page = None if preview is None else stack.enter_context(PreviewWriter(preview, overwrite=overwrite))
        self._pngs = (
            None if png_masks is None else _PngMasks(stack.enter_context(new_folder(png_masks, overwrite=overwrite)))
        )

    def add(self, done: FolderReport, name: str, path: Path, annotation: Annotation) -> None:
        done.done += 1
        done.own_alpha += bool(annotation.by)
        category = self._numbers.of(name)
        self._writer.add_category(category)
        _write(self._writer, done.done, name, category.id, annotation)
        if self._pngs is not None:
            self._pngs.write(name, annotation)
        if self._page is not None:
            self._page.add(
                name, lambda: read_image(path, max_pixels=sys.maxsize), [annotation.mask], _measures(annotation)
            )
        if self._lines is not None:
            self._lines.add(
                file_name=name,
                annotator=f"{annotation.by or self._name} {annotation.note}".rstrip(),
                score=annotation.score,
                area_fraction=annotation.area_fraction,
                components=annotation.components,
                border_contact=annotation.border_contact,
                solidity=annotation.solidity,
                thin_share=annotation.thin_share,
            )

    def failed(self, name: str, reason: str) -> None:
        if self._lines is not None:
            self._lines.add(file_name=name, error=reason)


def _batches(
    paths: Iterable[Path], size: int, max_pixels: int
) -> Iterator[tuple[list[Path], list[Transparent | ImageError]]]:
    """Batches of files and pictures; one that cannot be read is its error. Threads read two batches ahead."""

    def read(path: Path) -> tuple[Path, Transparent | ImageError]:
        try:
            return path, read_transparent(path, max_pixels=max_pixels)
        except ImageError as error:
            return path, error

    with ThreadPoolExecutor(min(8, usable_cores())) as pool:
        rest = ahead(pool, read, paths, 2 * size)
        while chunk := list(islice(rest, size)):
            yield [path for path, _ in chunk], [picture for _, picture in chunk]


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
    """Writes masks as PNG: ``a.png`` for ``a.jpg``, or ``a.jpg.png`` (``a.jpg-1.png``) where that name is taken."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._written = folder, Written()

    def write(self, name: str, annotation: Annotation) -> None:
        names = chain([str(Path(name).with_suffix("")), name], (f"{name}-{number}" for number in count(1)))
        paths = (self._folder / fit_path(one, ".png") for one in names)
        path = next(path for path in paths if path not in self._written)
        self._written.write(path, encode_image(annotation.mask.astype("uint8") * 255, "png"))


def _measures(annotation: Annotation) -> str:
    parts = [f"area {annotation.area_fraction:.0%}", f"score {annotation.score:.2f}"]
    if annotation.components > 1:
        parts.append(f"{annotation.components} components")
    if annotation.border_contact > 0:
        parts.append(f"touches {annotation.border_contact:.0%} of the border")
    return ", ".join(parts)
