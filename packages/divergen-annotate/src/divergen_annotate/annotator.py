"""What an annotator is: pictures of one object in, one mask each out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
from divergen_records import DivergenError, ImageError
from numpy.typing import NDArray
from PIL import Image as PillowImage
from PIL import ImageOps

__all__ = ["Annotator", "Image", "Mask", "Picture", "Prediction", "Result", "as_arrays", "run_annotator"]

Image = NDArray[np.uint8]
"""A picture, (H, W, 3) uint8 RGB."""

Mask = NDArray[np.bool_]
"""A mask, (H, W) bool, true on the object."""

Picture: TypeAlias = "Image | PillowImage.Image | Path | str"
"""What annotators take: an array (H, W, 3) uint8 RGB, a Pillow image of any mode, or a file."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """What an annotator says about one picture. ``np.asarray(prediction)`` is its mask.

    Attributes:
        mask: (H, W) bool, true on the object, as the annotator made it (not yet repaired).
        score: The annotator's own confidence, 0 to 1.
        note: How this mask came about, where there was a choice; it follows the name in the row's ``annotator``.
        others: The picture's further objects, the highest score first, where the annotator was asked for all.
    """

    mask: Mask
    score: float
    note: str = ""
    others: tuple[Prediction, ...] = ()

    def __post_init__(self) -> None:
        mask: Any = self.mask
        if mask.ndim != 2 or mask.dtype != np.bool_:
            raise ValueError(f"a mask is (H, W) bool, not {mask.shape} {mask.dtype}")
        if not 0.0 <= self.score <= 1.0:
            raise ValueError(f"a score is between 0 and 1, not {self.score!r}")
        object.__setattr__(self, "score", float(self.score))  # numpy's numbers go into no JSON

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.array(self.mask, dtype=dtype, copy=copy) if copy else np.asarray(self.mask, dtype=dtype)


Result: TypeAlias = "Prediction | DivergenError"
"""A prediction, or why this one picture has none."""


@runtime_checkable
class Annotator(Protocol):
    """Finds the one object of each picture.

    The answer for a picture depends on that picture alone: not on the batch, its order, or the process.

    Three attributes are optional. An annotator that looks at another picture of the row than ``image`` says which in
    ``column`` (`TrueAlpha` reads ``alpha``). One that asks for the object by name says so by ``takes_texts = True``;
    it is then called with ``texts``, one name per picture, where names are known. One that gives all objects of a
    picture (`Prediction.others`) says so by ``instances = "all"``; their rows are made by `divergen_annotate.objects`.

    Attributes:
        name: Goes into the row's ``annotator``.
    """

    name: str

    def __call__(self, images: Sequence[Image]) -> Sequence[Result]:
        """One result per picture (H, W, 3) uint8 RGB, in the same order; pictures may differ in size."""


def run_annotator(annotator: Any, images: Sequence[Image], texts: Sequence[str] | None = None) -> Sequence[Result]:
    """Call an annotator, with the objects' names if it takes them and they are known."""
    if texts is not None and getattr(annotator, "takes_texts", False):
        results: Sequence[Result] = annotator(images, texts=texts)
    else:
        results = annotator(images)
    return results


def as_arrays(pictures: Sequence[Picture]) -> list[Image]:
    """Pictures in any form as arrays (H, W, 3) uint8 RGB.

    Raises:
        ImageError: If one is no picture; it names the first such.
    """
    return [_as_array(picture) for picture in pictures]


def _as_array(picture: Any) -> Image:
    from divergen_records.images import read_image

    if isinstance(picture, np.ndarray):
        if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or not picture.size:
            raise ImageError(f"a picture is an array (H, W, 3) uint8 RGB, this one is {picture.shape} {picture.dtype}")
        return picture
    if not isinstance(picture, PillowImage.Image):
        return read_image(picture)
    if picture.mode == "RGB":
        return np.array(ImageOps.exif_transpose(picture))  # a copy: torch wants it writable
    buffer = BytesIO()
    picture.save(buffer, "TIFF")  # holds every mode, so that all kinds of picture are converted in one place
    return read_image(buffer.getvalue())
