"""Where tables are printed: their cells are foreign text, which rich takes for markup, and a terminal for commands."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.text import Text

from .text import shown

__all__ = ["TextConsole"]


class TextConsole(Console):
    """A console of rich on which text is text: ``[red]`` no colour, ``:cup:`` no picture; see `shown`.

    >>> TextConsole(width=20).print("a [red]cup\\x1b[2J")
    a [red]cup\\x1b[2J
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        """The text in rich's terms."""
        return super().render_str(shown(text), **options)
