"""A page to look at: pictures with the outline of their masks, in one HTML file without links."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import cv2
import numpy as np
from divergen_records.files import writing_text
from divergen_records.images import encode_image
from divergen_records.pages import data_uri, page_end, page_start, template
from divergen_records.text import shown

from .annotator import Image, Mask

__all__ = ["PreviewWriter", "draw_outline", "draw_outlines"]

_STYLE = """
body{font:14px system-ui,sans-serif;margin:2em;color:#222;background:#fff}
main{display:grid;grid-template-columns:repeat(auto-fill,minmax(200px,1fr));gap:1em}
figure{margin:0;break-inside:avoid}img{width:100%;border:1px solid #ddd}
figcaption{color:#555;overflow-wrap:anywhere}
"""

_FIGURE = """<figure><img src="{{ picture }}" alt=""><figcaption>{{ name }}<br>{{ measures }}</figcaption></figure>
"""


_COLOURS = [(230, 0, 120), (0, 120, 230), (240, 130, 0), (0, 150, 70), (130, 60, 200)]


class PreviewWriter:
    """Writes the page picture by picture; use it as a context manager. The file appears when the block ends well.

    Args:
        path: The HTML file.
        limit: Pictures shown, the first ones.
        side: Longest side of a shown picture, pixels.
        overwrite: Replace a file that is there.
    """

    def __init__(self, path: Path, *, limit: int = 200, side: int = 320, overwrite: bool = False) -> None:
        self._making = writing_text(path, overwrite=overwrite)
        self.limit, self.side = limit, side
        self.shown = self.total = 0

    def __enter__(self) -> Self:
        self._file = self._making.__enter__()
        self._file.write(f"{page_start('Masks', _STYLE)}<h1>Masks</h1><main>\n")
        return self

    def add(self, name: str, read: Callable[[], Image], masks: Sequence[Mask], text: str) -> None:
        """Show one more picture with its masks and a text, as long as there is room; else it is not even read."""
        self.total += 1
        if self.shown >= self.limit:
            return
        self.shown += 1
        outlined = encode_image(draw_outlines(read(), masks, side=self.side), quality=85)
        picture = data_uri(outlined, "jpeg")
        self._file.write(template(_FIGURE).render(picture=picture, name=shown(name), measures=text))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._file.write(f"</main><p>{self.shown} of {self.total} pictures.</p>\n{page_end()}")
        self._making.__exit__(kind, error, trace)


def draw_outline(image: Image, mask: Mask, *, side: int = 320) -> Image:
    """The picture (H, W, 3) uint8 RGB, scaled to a longest side, with the mask's outline and a paler rest."""
    return draw_outlines(image, [mask], side=side)


def draw_outlines(image: Image, masks: Sequence[Mask], *, side: int = 320) -> Image:
    """Like `draw_outline`, with the outlines of several masks in different colours; without a mask all is pale."""
    height, width = image.shape[:2]
    scale = min(1.0, side / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    shown = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    insides = [cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_AREA) for mask in masks]
    objects = np.any([inside > 0 for inside in insides], axis=0) if insides else np.zeros(shown.shape[:2], bool)
    result = np.ascontiguousarray(np.where(objects[..., None], shown, (shown // 2 + 127).astype(np.uint8)))
    for number, inside in enumerate(insides):
        outlines, _ = cv2.findContours(inside, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(result, outlines, -1, _COLOURS[number % len(_COLOURS)], 1)
    return result
