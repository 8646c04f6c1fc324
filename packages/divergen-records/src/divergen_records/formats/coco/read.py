"""Read COCO and LVIS files: strict about what is computed with, indifferent to the rest, all problems told at once."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

from ...dataset import Dataset
from ...progress import Progress
from ..places import place_pictures
from ..problems import Problems
from ..protocol import OnProblem
from .annotations import Reader
from .categories import read_categories
from .frame import read_frame
from .images import names_of, read_images, with_sizes
from .nested import lift_annotations
from .values import Ids

__all__ = ["read_dataset"]


def read_dataset(
    path: Path | str,
    *,
    image_dir: Path | str | None = None,
    on_problem: OnProblem = "stop",
    boxes: bool = False,
    need_pictures: bool | None = None,
    progress: bool = False,
) -> Dataset:
    """Read a COCO or LVIS instance file; compressed with gzip, too.

    Other keys, and keys that nothing computes with, may hold anything and are kept. Segmentations stay as text until
    asked for: what stays in memory is the file and about 300 bytes for each annotation; while it is read, about twice
    the file.

    Args:
        path: The JSON file.
        image_dir: The folder of images. Where it is not given, the layouts of the known tools are tried, ``images``
            beside the file first.
        on_problem: ``"stop"``: any problem is an error. ``"skip"``: images, annotations and categories with a problem
            are left out, and told in `Dataset.problems`. ``"repair"``: what can be mended is, and told in
            `Dataset.repairs`; the rest is left out.
        boxes: Boxes are enough: objects without a segmentation are kept.
        need_pictures: A picture that is not there is a problem; by default where ``image_dir`` is given. Else it counts
            when it is read.
        progress: Show the progress.

    Raises:
        DatasetError: If the file cannot be read, is not such a file, or (unless they are left out) has problems: the
            message names the first ten and counts all.
    """
    path = Path(path)
    problems = Problems(path, on_problem)
    parts = read_frame(path, problems.notes)
    lift_annotations(parts, problems)
    ids = {what: Ids(what) for what in ("category", "image", "annotation")}
    categories, rows = read_categories(parts.pop("categories"), problems, ids["category"])
    images = read_images(parts.pop("images"), problems, ids["image"])
    place = None if image_dir is None else Path(image_dir)
    folder, images = place_pictures(images, path, place, problems, needed=need_pictures)
    images = with_sizes(images, folder, problems)
    ids["image"].call_all(lambda: names_of(images.values()))
    reader = Reader(images, categories, ids, problems, boxes=boxes)
    with Progress(f"read {path.name}", unit="annotations") if progress else nullcontext() as bar:
        annotations = reader.read(parts.pop("annotations"), bar)
    problems.raise_all()
    licenses, info = parts.pop("licenses", None), parts.pop("info", None)
    kept = {**({"licenses": licenses} if licenses and not isinstance(licenses, list) else {}), **parts}
    dataset = Dataset(
        path,
        folder,
        list(images.values()),
        annotations,
        list(categories.values()),
        licenses=licenses if isinstance(licenses, list) else [],
        info=info if isinstance(info, dict) else {"description": info} if info else None,
        extra=kept,
        category_rows=rows,
        **problems.told,
    ).counted()
    return _with_root_told(dataset)


def _with_root_told(dataset: Dataset) -> Dataset:
    roots = dataset.root_categories
    if not roots:
        return dataset
    names = ", ".join(f"{one.name!r} (id {one.id})" for one in roots)
    note = f"{dataset.path.name}: {names} only heads the other categories; it is no class, and nothing is made for it"
    return dataset.replace(notes=[*dataset.notes, note])
