from __future__ import annotations

import pytest
from divergen_prompts.naming import counted, hint, names, plural, with_article
from divergen_records import Category


@pytest.mark.parametrize(
    ("phrase", "expected"),
    [
        ("apple", "an apple"),
        ("banana", "a banana"),
        ("hourglass", "an hourglass"),
        ("unicycle", "a unicycle"),
        ("umbrella", "an umbrella"),
        ("urn", "an urn"),
        ("ukulele", "a ukulele"),
        ("eucalyptus", "a eucalyptus"),
        ("igloo", "an igloo"),
    ],
)
def test_with_article__goes_by_sound(phrase: str, expected: str) -> None:
    assert with_article(phrase) == expected


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("apple", "apples"),
        ("box", "boxes"),
        ("berry", "berries"),
        ("toy", "toys"),
        ("wine glass", "wine glasses"),
        ("mouse", "mice"),
        ("knife", "knives"),
        ("scissors", "pairs of scissors"),
        ("olive oil", "olive oil"),
        ("cactus", "cacti"),
        ("sweet potato", "sweet potatoes"),
        ("zoom lens", "zoom lenses"),
        ("pocketknife", "pocketknives"),
        ("brussels sprouts", "brussels sprouts"),
    ],
)
def test_plural__of_every_sort(label: str, expected: str) -> None:
    assert plural(label) == expected


@pytest.mark.parametrize(
    ("label", "kind", "expected"),
    [
        ("scissors", "tool", "pair of scissors"),
        ("jean", "clothing", "pair of jeans"),
        ("rice", "food", "portion of rice"),
        ("milk", "drink", "serving of milk"),
        ("leather", "textile", "piece of leather"),
        ("chair", "furniture", "chair"),
    ],
)
def test_counted__makes_one_of_it(label: str, kind: str, expected: str) -> None:
    assert counted(label, kind) == expected


def test_names__drops_underscores_parentheses_and_repeats() -> None:
    category = Category(id=1, name="bow_(weapon)", synonyms=("bow_(weapon)", "long_bow", "bow (arms)"))
    assert names(category) == ("bow", "long bow")


def test_hint__is_what_stands_in_parentheses() -> None:
    assert hint(Category(id=1, name="bow_(decorative_ribbons)")) == "decorative ribbons"
    assert hint(Category(id=1, name="bow")) is None
