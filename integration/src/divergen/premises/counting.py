"""Premises that counting settles: can the validation set tell a difference in rare categories at all?"""

from __future__ import annotations

from collections import Counter

from divergen_records.coco import Dataset

from .report import Premise, at_least, unmeasured

__all__ = ["count_premises", "rare_categories"]

IMAGES, OBJECTS, CATEGORIES = 600, 15, 10

OF_RARE = "validation objects of every rare category"


def rare_categories(train: Dataset) -> list[str]:
    """Names of the categories with 1 to 10 training images."""
    return [category.name for category in train.categories if category.frequency == "r" and category.image_count]


def count_premises(train: Dataset, val: Dataset) -> list[Premise]:
    """Validation images, rare categories, and validation objects of each."""
    rare = set(rare_categories(train))
    objects = Counter(val.category(note.category_id).name for note in val.annotations if not note.iscrowd)
    images = at_least(
        "validation images",
        len(val.images),
        IMAGES,
        f"{len(val.images):,}",
        "On 120 images the interval of an AP difference was 1 to 3 points (issue 16); an interval falls with the root.",
    )
    number = at_least(
        "rare categories",
        len(rare),
        CATEGORIES,
        f"{len(rare)}",
        "APr is a mean over them: with 10, one category's luck of 5 points moves it by half a point.",
    )
    why = "AP of a category steps by 1/n of its objects: with 15, by 7 points, and the mean over 20 categories by 0.3."
    if not rare:
        return [images, number, unmeasured(OF_RARE, "no category is rare", why)]
    fewest = min(rare, key=lambda name: (objects[name], name))
    text = f"{objects[fewest]} ({fewest} has the fewest)"
    return [
        images,
        number,
        at_least(OF_RARE, objects[fewest], OBJECTS, text, why),
    ]
