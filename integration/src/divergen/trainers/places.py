"""What stands in braces in a command line, and what it needs."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from shutil import which

from divergen_records.requirements import Finding

__all__ = ["PLACES", "Program", "fill_in"]

PLACES = ("data", "images", "val", "val_images", "out", "results", "seed", "iterations")
"""What a command line may name in braces."""


def fill_in(line: str, places: Mapping[str, str]) -> list[str]:
    """A command line's words with the places filled in; what a value holds stays one word.

    Raises:
        KeyError: If the line names another place.
    """
    return [word.format_map(dict(places)) for word in shlex.split(line)]


@dataclass(frozen=True)
class Program:
    """A command line that has to be there: its program, and the script behind an interpreter's name.

    Attributes:
        line: As `fill_in` takes it.
    """

    line: str

    def look(self) -> Finding | None:
        """Nothing where both are there; nothing is run."""
        program, *rest = fill_in(self.line, dict.fromkeys(PLACES, "{}"))
        if which(program) is None:
            return Finding(f"{program} is not a program here; install it, or give its path in command", problem=True)
        script = rest[0] if rest else ""
        if Path(script).suffix in _SCRIPTS and "{}" not in script and not Path(script).is_file():
            return Finding(
                f"{script} is not there ({Path.cwd()} is where it is looked for); give its path", problem=True
            )
        return None


_SCRIPTS = (".py", ".sh")
