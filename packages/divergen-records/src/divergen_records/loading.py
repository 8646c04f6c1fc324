"""From a data set's picture to a training sample."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext

from .dataset import Annotation, Dataset, ImageInfo
from .errors import DatasetError, ImageError, MaskError
from .images import read_image
from .masks import crop_segmentation
from .progress import Progress
from .sample import Instance, Sample

__all__ = ["check_samples", "load_sample"]


def load_sample(dataset: Dataset, image: ImageInfo, epoch: int = 0) -> Sample:
    """Read a picture and the masks of its objects, in the file's order. Objects that cover no pixel are left out.

    Args:
        dataset: The data set.
        image: One of its pictures; its size decides about EXIF rotation.
        epoch: The epoch that the sample is drawn in.

    Raises:
        ImageError: If the picture is missing, unreadable, or has another size than the data set says.
        MaskError: If a segmentation does not fit.
        DatasetError: If the picture's path leaves the folder of images.
    """
    try:
        pixels = read_image(dataset.image_path(image), size=(image.height, image.width))
    except ImageError as error:
        raise ImageError(f"image {image.id} of {dataset.path}: {error}") from error
    found = (_instance(dataset, annotation, image) for annotation in dataset.annotations_of(image.id))
    return Sample(pixels, tuple(instance for instance in found if instance is not None), image.id, epoch)


def _instance(dataset: Dataset, annotation: Annotation, image: ImageInfo) -> Instance | None:
    try:
        mask, x, y = crop_segmentation(annotation.segmentation, image.height, image.width)
    except MaskError as error:
        raise MaskError(f"annotation {annotation.id} of {dataset.path}: {error}") from error
    if not mask.size:
        return None
    return Instance(annotation.category_id, mask, x, y, bool(annotation.iscrowd), annotation.id)


def check_samples(dataset: Dataset, *, progress: bool = False) -> Iterator[str]:
    """Read every picture and draw every mask of a data set; yields what fails, one sentence each.

    An object that has a box alone is none that fails.
    """
    dataset = dataset.replace(annotations=[one for one in dataset.annotations if one.has_mask])
    bar = Progress("check", len(dataset.images), unit="images") if progress else None
    with bar or nullcontext():
        for image in dataset.images:
            try:
                load_sample(dataset, image)
            except (DatasetError, ImageError, MaskError) as error:
                yield str(error)
            if bar is not None:
                bar.update()
