"""A page to look at: pictures with the outline of their masks, in one HTML file without links."""

from __future__ import annotations

from collections.abc import Callable
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
from .stage import Annotation

__all__ = ["PreviewWriter", "draw_outline"]

_STYLE = """
body{font:14px system-ui,sans-serif;margin:2em;color:#222;background:#fff}
main{display:grid;grid-template-columns:repeat(auto-fill,minmax(200px,1fr));gap:1em}
figure{margin:0;break-inside:avoid}img{width:100%;border:1px solid #ddd}
figcaption{color:#555;overflow-wrap:anywhere}
"""

_FIGURE = """<figure><img src="{{ picture }}" alt=""><figcaption>{{ name }}<br>{{ measures }}</figcaption></figure>
"""


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

    def add(self, name: str, read: Callable[[], Image], annotation: Annotation) -> None:
        """Show one more picture, as long as there is room; else it is not even read."""
        self.total += 1
        if self.shown >= self.limit:
            return
        self.shown += 1
        image = read()
        outlined = encode_image(draw_outline(image, annotation.mask, side=self.side), quality=85)
        picture = data_uri(outlined, "jpeg")
        self._file.write(template(_FIGURE).render(picture=picture, name=shown(name), measures=_measures(annotation)))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._file.write(f"</main><p>{self.shown} of {self.total} pictures.</p>\n{page_end()}")
        self._making.__exit__(kind, error, trace)


def _measures(annotation: Annotation) -> str:
    parts = [f"area {annotation.area_fraction:.0%}", f"score {annotation.score:.2f}"]
    if annotation.components > 1:
        parts.append(f"{annotation.components} components")
    if annotation.border_contact > 0:
        parts.append(f"touches {annotation.border_contact:.0%} of the border")
    return ", ".join(parts)


def draw_outline(image: Image, mask: Mask, *, side: int = 320) -> Image:
    """The picture (H, W, 3) uint8 RGB, scaled to a longest side, with the mask's outline and a paler rest."""
    height, width = mask.shape
    scale = min(1.0, side / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    shown = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    inside = cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_AREA)
    result = np.where(inside[..., None] > 0, shown, (shown // 2 + 127).astype(np.uint8))
    outlines, _ = cv2.findContours(inside, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    return np.asarray(cv2.drawContours(np.ascontiguousarray(result), outlines, -1, (230, 0, 120), 1), dtype=np.uint8)
