"""A data set known by a summary, and read only when more of it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from .dataset import Dataset
from .record import Category

__all__ = ["DeferredDataset", "summarize"]


def summarize(dataset: Dataset) -> dict[str, Any]:
    """What `DeferredDataset` knows of a data set: its categories, where it lies, and what reading told; for JSON."""
    return {
        "path": str(dataset.path),
        "image_dir": str(dataset.image_dir),
        "categories": [category.model_dump(mode="json") for category in dataset.categories],
        "root_categories": [category.id for category in dataset.root_categories],
        "unused_categories": [category.id for category in dataset.unused_categories],
        "problems": list(dataset.problems),
        "repairs": list(dataset.repairs),
        "notes": list(dataset.notes),
    }


class DeferredDataset(Dataset):
    """A data set whose pictures and annotations are read when they are first asked for.

    Args:
        summary: What `summarize` gave.
        read: Reads the data set that was summarized.
    """

    def __init__(self, summary: Mapping[str, Any], read: Callable[[], Dataset]) -> None:
        self._read = read
        self.path, self.image_dir = Path(summary["path"]), Path(summary["image_dir"])
        self.categories = tuple(Category.model_validate(row) for row in summary["categories"])
        self.problems, self.repairs = tuple(summary["problems"]), tuple(summary["repairs"])
        self.notes = tuple(summary["notes"])
        self._categories = {category.id: category for category in self.categories}
        roots, unused = set(summary["root_categories"]), set(summary["unused_categories"])
        self.__dict__.update(  # what the cached properties would count in the annotations
            root_categories=tuple(one for one in self.categories if one.id in roots),
            class_categories=tuple(one for one in self.categories if one.id not in roots),
            unused_categories=tuple(one for one in self.categories if one.id in unused),
        )

    def __getattr__(self, name: str) -> Any:
        """Whatever is not here yet."""
        if name.startswith("__") or "_read" not in self.__dict__:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        whole = self._read()
        del self._read
        self.__dict__.update(vars(whole))
        return getattr(self, name)

    def __getstate__(self) -> dict[str, Any]:
        """Whole, for another process."""
        _ = self.images
        return self.__dict__
