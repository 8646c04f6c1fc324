"""Pictures that bring their own mask: transparency goes before any annotator's opinion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from divergen_records import DivergenError, MaskError
from divergen_records.images import MAX_PIXELS, read_cutout
from numpy.typing import NDArray

from .annotator import Annotator, Image
from .simple import TrueAlpha
from .stage import Annotation, Repair, annotate

__all__ = ["Transparent", "annotate_transparent", "read_transparent"]


@dataclass(frozen=True, slots=True)
class Transparent:
    """A picture as it is seen, and its own alpha.

    Attributes:
        image: (H, W, 3) uint8 RGB, laid over white.
        alpha: (H, W) uint8; None where the picture is opaque throughout.
    """

    image: Image
    alpha: NDArray[np.uint8] | None = None


def read_transparent(source: Path | str | bytes, *, max_pixels: int = MAX_PIXELS) -> Transparent:
    """Read a picture with its transparency.

    Raises:
        ImageError: See `divergen_records.images.read_cutout`.
    """
    image, alpha = read_cutout(source, max_pixels=max_pixels)
    if alpha is None or alpha.min() == 255:
        return Transparent(image)
    share = alpha[..., None].astype(np.float32) / 255
    over_white = np.rint(image * share + 255 * (1 - share)).astype(np.uint8)
    return Transparent(over_white, alpha)


def annotate_transparent(
    pictures: Sequence[Transparent],
    annotator: Annotator,
    *,
    own_alpha: bool = True,
    repair: Repair | None,
    texts: Sequence[str] | None = None,
) -> list[Annotation | DivergenError]:
    """Like `annotate`; a picture's own alpha is its mask, unrepaired, if that is wished or the annotator reads alpha.

    Alpha that hides next to nothing (rounded corners, one transparent colour of a palette) cuts nothing out: where the
    annotator reads pictures, it is asked instead.

    Args:
        pictures: Of any sizes.
        annotator: Asked about pictures that have no alpha.
        own_alpha: Whether a picture's alpha goes before the annotator.
        repair: Mends the annotator's masks.
        texts: The objects' names.

    Returns:
        For each picture the annotation or why there is none; ``by`` says where it is the alpha.
    """
    only_alpha = getattr(annotator, "column", "image") == "alpha"
    truth = annotator if only_alpha else TrueAlpha()
    taken = [only_alpha or (own_alpha and _cuts_out(picture)) for picture in pictures]
    rest = [n for n, picture in enumerate(pictures) if picture.alpha is None or not taken[n]]
    asked: list[Annotation | DivergenError]
    if only_alpha:
        asked = [MaskError("the picture has no transparency to take for its mask; choose an annotator") for _ in rest]
    else:
        names = None if texts is None else [texts[n] for n in rest]
        asked = annotate([pictures[n].image for n in rest], annotator, repair=repair, texts=names)
    found = dict(zip(rest, asked, strict=True))
    return [found[n] if n in found else _of_alpha(picture, truth) for n, picture in enumerate(pictures)]


def _cuts_out(picture: Transparent) -> bool:
    return picture.alpha is not None and float(np.mean(picture.alpha < 128)) >= _HIDDEN


_HIDDEN = 0.01
"""Share of a picture that its alpha hides, if it was made to cut out an object."""


def _of_alpha(picture: Transparent, truth: Annotator) -> Annotation | DivergenError:
    assert picture.alpha is not None
    alpha = np.repeat(picture.alpha[..., None], 3, axis=2)
    annotation = annotate([alpha], truth, repair=None)[0]
    return annotation if isinstance(annotation, DivergenError) else replace(annotation, by=truth.name)
