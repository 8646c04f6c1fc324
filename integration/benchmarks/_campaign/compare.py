"""What a command left: the same as undisturbed, or what differs."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from divergen_records import InstanceTable

__all__ = ["Reference", "contents"]

_TIME = re.compile(rb"\d{1,2} [A-Z][a-z]+ 20\d\d, \d\d:\d\d")
"""As pages say when they were made; two made in one minute agree in it, and a third does not."""


def contents(folder: Path) -> dict[str, str]:
    """Path below the folder -> hash of the content; an instance table is one entry, by its rows in the order of ids."""
    found: dict[str, str] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        inside = next((parent for parent in path.parents if parent.suffix == ".lance" and parent != folder), None)
        if inside is not None and inside.is_relative_to(folder):
            continue
        if path.suffix == ".lance" and path.is_dir():
            rows = InstanceTable.open(path).select().sort_by("id")
            found[name] = hashlib.sha256(repr(rows.select(sorted(rows.column_names)).to_pylist()).encode()).hexdigest()
        elif path.is_file():
            found[name] = hashlib.sha256(_TIME.sub(b"", path.read_bytes())).hexdigest()
    return found


class Reference:
    """Two undisturbed outcomes; what differs between them (times, logs) is compared by name alone."""

    def __init__(self, first: dict[str, str], second: dict[str, str]) -> None:
        self.two = (first, second)
        self.names = set(first) | set(second)
        self.equal = {name: value for name, value in first.items() if second.get(name) == value}

    def differs(self, found: dict[str, str]) -> list[str]:
        """What is lost, other, or left over."""
        lost = [f"lost {name}" for name in sorted(self.names - set(found))]
        other = [f"other {name}" for name, value in sorted(self.equal.items()) if found.get(name, value) != value]
        return lost + other + [f"debris {name}" for name in sorted(set(found) - self.names)]
