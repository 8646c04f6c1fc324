"""What the adapters to trainers share: whose paster it is, and what the labels of their targets mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from divergen_records import ConfigError, derive_seed

from .chain import Chain
from .paster import Paster
from .pool import Classes
from .pool.categories import as_categories

__all__ = ["Labels", "matched", "plain_id"]


def matched(paster: Any, categories: Classes) -> Paster | Chain:
    """The paster with the category ids of a data set, found by name.

    Raises:
        ConfigError: If it is something else, for example a pool, or has categories that are not among these.
    """
    if not isinstance(paster, Paster | Chain):
        raise ConfigError(
            f"expected a Paster, found {paster!r}; of a pool, Paster(pool, area_statistics(dataset)) makes one"
        )
    return paster.matched(categories)


def plain_id(image_id: Any) -> int:
    """The number to draw by of an image id: the same for 7, "7" and a tensor of 7; a name's; 0 where there is none."""
    item = image_id.item() if hasattr(image_id, "item") else image_id
    if item is None:
        return 0
    return int(item) if isinstance(item, int | float) or str(item).isdecimal() else derive_seed(str(item))


class Labels:
    """What the labels of a trainer's targets mean.

    Args:
        categories: The categories of the data set.
        paster: Its paster, with the ids of these categories.
        label_of: Category id -> label; by default labels are category ids.

    Raises:
        ConfigError: If a category that may be pasted has no label.
    """

    def __init__(self, categories: Classes, paster: Paster | Chain, label_of: Mapping[int, Any] | None) -> None:
        known = {category.id: category.id for category in as_categories(categories)}
        self.label_of: dict[int, Any] = known if label_of is None else dict(label_of)
        missing = sorted({category.id for category in paster.categories} - self.label_of.keys())
        if missing:
            raise ConfigError(f"label_of has no label for the category ids {missing[:5]}")
        self._category_of = {label: key for key, label in self.label_of.items()}

    def category(self, label: Any) -> int:
        """The category id of a label.

        Raises:
            ConfigError: If it is no category's.
        """
        found = self._category_of.get(label) if isinstance(label, int | float | str) else None
        if found is None:
            raise ConfigError(
                f"a target has the label {label!r}, which is no category's; they are "
                f"{', '.join(map(repr, list(self._category_of)[:5]))} …; label_of says others: {{category id: label}}"
            )
        return found
