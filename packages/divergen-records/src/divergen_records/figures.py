"""Figures with foreign names in them: whatever a name holds, the figure is drawn, and the name is text."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .text import shown

__all__ = ["drawing", "short"]


@contextmanager
def drawing(**style: Any) -> Iterator[None]:
    """Draw with Matplotlib: two ``$`` make no formula; a letter that the font lacks is a box, and no warning.

    Args:
        style: Further settings of Matplotlib, ``_`` for ``.``, for example ``font_size=9``.
    """
    from matplotlib import rc_context

    settings: dict[Any, Any] = {"text.parse_math": False, **{key.replace("_", "."): style[key] for key in style}}
    with rc_context(settings), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)
        yield


def short(name: object, letters: int = 48) -> str:
    """A name as a label of a figure: one line, the middle of a long one left out."""
    text, half = " ".join(shown(name).split()), letters // 2
    return text if len(text) <= letters else f"{text[:half]}…{text[-half:]}"
