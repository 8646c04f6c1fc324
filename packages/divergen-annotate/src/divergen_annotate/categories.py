"""The categories of the pictures in a folder: one for all, that of the folder they lie in, or what a list says."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from divergen_records import Category
from divergen_records.losses import Losses
from divergen_records.picture_lists import find_list, read_list, tell_unlisted

__all__ = ["Categories"]


class Categories:
    """Numbers categories in the order in which they come up.

    Args:
        folder: Of the pictures.
        by_folder: Whether they have categories: by a list in ``folder``, or without one by the folder they lie in.
        losses: Takes in what is wrong with the list.
    """

    def __init__(self, folder: Path, by_folder: bool, losses: Losses) -> None:
        self._folder, self._by_folder, self._losses = folder, by_folder, losses
        self._top = folder.resolve().name or "object"
        self._found: dict[str, Category] = {}
        self._list = find_list(folder) if by_folder else None
        self._listed = {} if self._list is None else read_list(self._list, losses)

    def named(self, paths: Sequence[Path]) -> list[Path]:
        """The pictures whose category is known; where there is a list, those that it lacks are losses."""
        if self._list is None:
            return list(paths)
        names = {path.relative_to(self._folder).as_posix(): path for path in paths}
        tell_unlisted(self._list, self._listed, names, self._losses)
        return [path for name, path in names.items() if name in self._listed]

    def name_of(self, name: str) -> str:
        """The category of a picture."""
        if self._list is not None:
            return self._listed[name]
        return (Path(name).parent.name or self._top) if self._by_folder else "object"

    def of(self, name: str) -> Category:
        """The category of a picture, with its number."""
        category = self.name_of(name)
        return self._found.setdefault(category, Category(id=len(self._found) + 1, name=category))
