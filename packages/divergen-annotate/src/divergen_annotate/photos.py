"""A folder of photos -> a first annotation of all objects of some categories, for people to correct."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from divergen_records import Category, DivergenError, ImageError, NothingLeft, Progress
from divergen_records.coco import Annotation as CocoAnnotation
from divergen_records.coco import DatasetWriter, ImageInfo
from divergen_records.cores import usable_cores
from divergen_records.files import refuse_existing
from divergen_records.folders import Notes, resumable_notes
from divergen_records.images import MAX_PIXELS, read_image
from divergen_records.losses import Losses
from divergen_records.masks import encode_rle, mask_to_bbox
from divergen_records.picture_files import PICTURE_SUFFIXES, find_pictures

from .annotator import Image, Prediction
from .batching import Batcher, ahead
from .cleanup import repair as default_repair
from .finding import Finder, drop_doubles
from .journal import Journal, stamp_of
from .preview import PreviewWriter
from .quality import border_contact, count_components
from .stage import Annotation, Repair

__all__ = ["PhotosReport", "annotate_photos"]


@dataclass
class PhotosReport:
    """What became of a folder of photos.

    Attributes:
        done: Photos that were looked at.
        blank: Those among them that show none of the categories; they are in the file without an object.
        found: Category -> objects, all categories that were asked for.
    """

    done: int = 0
    blank: int = 0
    found: Counter[str] = field(default_factory=Counter)


def annotate_photos(
    folder: Path,
    finder: Finder,
    categories: Sequence[Category],
    out: Path,
    *,
    repair: Repair | None = default_repair,
    doubles: float = 0.8,
    preview: Path | None = None,
    overwrite: bool = False,
    max_pixels: int = MAX_PIXELS,
    resume: str | None = None,
    losses: Losses | None = None,
    progress: bool = True,
) -> PhotosReport:
    """Find all objects of some categories in every photo below a folder; photos that fail are reported.

    The file's annotations carry the ``score`` of their mask. One photo at a time is in memory with its
    masks, a few more are read ahead.

    Args:
        folder: Searched with the folders in it.
        finder: Finds the objects, for example `Sam3` or `GroundedSam`.
        categories: What is looked for, by their labels; the file has them with their ids.
        out: The COCO file; it appears last.
        repair: Mends each mask.
        doubles: Masks with a larger IoU are of one object, whatever their names; the higher score stays.
        preview: HTML page of the first photos with the outlines.
        overwrite: Replace files that are there.
        max_pixels: Larger photos are refused.
        resume: What decides the masks: a killed call is carried on by the next with the same. None begins anew.
        losses: Takes in the photos that could not be looked at.
        progress: Show progress.

    Raises:
        ExistsError: If an output is there already.
        ImageError: If there is no such folder or no picture in it.
        NothingLeft: If no photo could be looked at; then nothing is written.
    """
    lost = Losses() if losses is None else losses
    with resumable_notes(out, resume, overwrite=overwrite) as notes, Journal.open(notes.path) as journal:
        overwrite = overwrite or notes.appearing
        refuse_existing(preview, overwrite=overwrite)
        paths = list(find_pictures(folder, losses=lost))
        if not paths and not lost:
            raise ImageError(f"{folder}: there is no picture in it; known are {', '.join(sorted(PICTURE_SUFFIXES))}")
        search = _Search(finder, categories, repair, doubles)
        pending = [path for path in paths if not journal.has(_name(folder, path), stamp_of(path))]
        with Progress("annotate", len(pending), unit="photos") if progress else nullcontext() as bar:
            for path, picture in _photos(pending, max_pixels):
                objects = _look(picture, search)
                if isinstance(objects, DivergenError) or isinstance(picture, ImageError):
                    lost.add(_name(folder, path), str(objects))
                else:
                    height, width = picture.shape[:2]
                    journal.add(_name(folder, path), stamp_of(path), (height, width), objects)
                    journal.flush()
                if isinstance(bar, Progress):
                    bar.update(1, f"{len(lost)} failed" if lost else None)
        names = {_name(folder, path): path for path in paths}
        seen = {name: path for name, path in names.items() if path.exists() and journal.has(name, stamp_of(path))}
        if not seen:
            raise NothingLeft(f"{folder}: none of its {len(lost)} photos could be looked at, so nothing is written")
        return _write(seen, journal, categories, finder.name, (out, preview), notes, overwrite)


@dataclass(frozen=True)
class _Search:
    """What is looked for in a photo, and how."""

    finder: Finder
    categories: Sequence[Category]
    repair: Repair | None
    doubles: float

    def objects(self, image: Image) -> list[Annotation]:
        """All objects of a photo (H, W, 3) uint8 RGB, category by category."""
        found = drop_doubles(self.finder.find(image, [one.label for one in self.categories]), self.doubles)
        return [
            annotation
            for category, objects in zip(self.categories, found, strict=True)
            for one in objects
            if (annotation := self._finish(image, one, category.name)) is not None
        ]

    def _finish(self, image: Image, one: Prediction, text: str) -> Annotation | None:
        """The object, unless not a pixel of it is left. One that fills the photo is none the worse for that."""
        mask = one.mask if self.repair is None or not one.mask.any() else self.repair(one.mask, image)
        if not mask.any():
            return None
        return Annotation(mask, one.score, count_components(one.mask), border_contact(mask), one.note, text=text)


def _name(folder: Path, path: Path) -> str:
    return path.relative_to(folder).as_posix()


def _photos(paths: Sequence[Path], max_pixels: int) -> Iterator[tuple[Path, Image | ImageError]]:
    """Photos, or why one cannot be read; threads read a few ahead of the model."""

    def read(path: Path) -> tuple[Path, Image | ImageError]:
        try:
            return path, read_image(path, max_pixels=max_pixels)
        except ImageError as error:
            return path, error

    workers = min(8, usable_cores())
    with ThreadPoolExecutor(workers) as pool:
        yield from ahead(pool, read, paths, 2 * workers)


def _look(picture: Image | ImageError, search: _Search) -> list[Annotation] | DivergenError:
    """What is on one photo, or why it cannot be said."""
    if isinstance(picture, ImageError):
        return picture
    try:
        return next(Batcher(1).run([picture], lambda images: [search.objects(images[0])]))
    except DivergenError as error:
        return error


def _write(
    seen: dict[str, Path],
    journal: Journal,
    categories: Sequence[Category],
    by: str,
    outputs: tuple[Path, Path | None],
    notes: Notes,
    overwrite: bool,
) -> PhotosReport:
    out, preview = outputs
    report = PhotosReport(found=Counter({category.name: 0 for category in categories}))
    ids = {category.name: category.id for category in categories}
    info = {"description": f"first annotation by divergen-annotate, {by}, to be corrected"}
    with ExitStack() as stack:
        writer = stack.enter_context(DatasetWriter(out, categories, style="coco", info=info, overwrite=overwrite))
        page = None if preview is None else stack.enter_context(PreviewWriter(preview, overwrite=overwrite))
        for name, path in seen.items():
            (height, width), objects = journal.get(name) or ((0, 0), [])
            report.done += 1
            report.blank += not objects
            writer.add_image(ImageInfo(id=report.done, width=width, height=height, file_name=name))
            for one in objects:
                number = report.found.total() + 1
                writer.add_annotation(_as_coco(number, report.done, ids[one.text], one))
                report.found[one.text] += 1
            if page is not None:
                _show(page, name, path, objects)
        notes.appear()
    return report


def _as_coco(number: int, image_id: int, category_id: int, one: Annotation) -> CocoAnnotation:
    area, rle = int(one.mask.sum()), encode_rle(one.mask)
    extra = {"score": round(one.score, 4)}
    return CocoAnnotation(number, image_id, category_id, mask_to_bbox(one.mask), area, rle, extra=extra)


def _show(page: PreviewWriter, name: str, path: Path, objects: Sequence[Annotation]) -> None:
    text = ", ".join(f"{one.text} {one.score:.2f}" for one in objects) or "nothing found"
    page.add(name, lambda: read_image(path, max_pixels=sys.maxsize), [one.mask for one in objects], text)
