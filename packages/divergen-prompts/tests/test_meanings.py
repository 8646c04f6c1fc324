from __future__ import annotations

import pytest
from divergen_prompts.meanings import ambiguous_ids, definition_clause, gloss, meaning_of
from divergen_records import Category


@pytest.mark.parametrize(
    ("definition", "expected"),
    [
        ("a tool having two blades; for cutting", "a tool having two blades"),
        ("any of various fishes", "fishes"),
        ("(Middle Ages) flexible armor", "flexible armor"),
        ("a toy replica of a HUMAN (NOT AN ANIMAL)", "a toy replica of a human"),
        ("a tool used by carpenters, and by nearly everybody else on a Sunday", "a tool used by carpenters"),
        ("a clause without any comma that goes on and on and on and on", ""),
    ],
)
def test_gloss__is_the_first_clause(definition: str, expected: str) -> None:
    assert gloss(definition, words=10) == expected


def test_ambiguous_ids__by_hint_homonym_shared_label_and_later_sense() -> None:
    categories = [
        Category(id=1, name="bow_(weapon)"),
        Category(id=2, name="mouse"),
        Category(id=3, name="widget"),
        Category(id=4, name="widget"),
        Category(id=5, name="coaster", synset="coaster.n.03"),
        Category(id=6, name="chair", synset="chair.n.01"),
        Category(id=7, name="spray_can", synset="aerosol.n.02"),
    ]
    assert ambiguous_ids(categories) == {1, 2, 3, 4, 5}


def test_meaning_of__singular_clause_else_kind() -> None:
    assert meaning_of(Category(id=1, name="bow", definition="a weapon for arrows")) == "a weapon for arrows"
    assert meaning_of(Category(id=1, name="eagle", definition="large birds of prey")) == "a bird"
    assert meaning_of(Category(id=1, name="zorblax_(thing)")) == "thing"


def test_meaning_of__colours_would_fight_the_prompts_own() -> None:
    apple = Category(id=1, name="gadget", definition="a red or yellow or green thing")
    assert meaning_of(apple) == "a thing"


def test_definition_clause__is_whole_and_one_line() -> None:
    assert definition_clause(Category(id=1, name="x", definition=" a tool;\n for cutting. ")) == "a tool, for cutting"
    assert definition_clause(Category(id=1, name="x")) == ""
