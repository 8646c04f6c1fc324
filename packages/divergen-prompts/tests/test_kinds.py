from __future__ import annotations

from pathlib import Path

import pytest
from divergen_prompts.attributes import KEYS, PROFILES
from divergen_prompts.categories import read_categories
from divergen_prompts.kinds import kind_of
from divergen_records import Category


@pytest.mark.parametrize(
    ("name", "definition", "expected"),
    [
        ("banana", None, "produce"),
        ("hot_dog", None, "food"),
        ("dog", None, "mammal"),
        ("bat_(animal)", None, "mammal"),
        ("baseball_bat", None, "sport"),
        ("chicken_(animal)", None, "bird"),
        ("crab_(animal)", None, "fish"),
        ("mouse_(computer_equipment)", None, "electronics"),
        ("yoke_(animal_equipment)", None, "tool"),
        ("cooler_(for_food)", None, "vessel"),
        ("iron_(for_clothing)", None, "appliance"),
        ("dog_collar", "a collar for a dog", "textile"),
        ("zorblax", "a small sailing vessel", "boat"),
        ("zorblax", "a carnivorous mammal of the north", "mammal"),
        ("zorblax", "a wheeled vehicle drawn by a horse", "vehicle"),
        ("zorblax", None, "object"),
    ],
)
def test_kind_of__by_name_hint_and_definition(name: str, definition: str | None, expected: str) -> None:
    assert kind_of(Category(id=1, name=name, definition=definition)) == expected


def test_kind_of__every_lvis_category_has_a_profile_and_few_are_unknown(lvis_file: Path) -> None:
    kinds = [kind_of(category) for category in read_categories(lvis_file)]
    assert set(kinds) <= PROFILES.keys()
    assert kinds.count("object") <= 12


def test_profiles__every_kind_has_words_enough_and_no_word_twice() -> None:
    for kind, profile in PROFILES.items():
        assert {"style", "colour", "size", "condition", "pose", "view"} <= profile.keys() <= set(KEYS), kind
        for key, found in profile.items():
            assert len(found) == len(set(found)) >= 5, (kind, key)
            assert all(word == word.strip() and word for word in found), (kind, key)


@pytest.mark.parametrize("kind", ["produce", "food", "drink", "mammal", "bird", "fish", "reptile", "insect", "person"])
def test_profiles__what_lives_or_is_eaten_has_no_material(kind: str) -> None:
    assert "material" not in PROFILES[kind]
