from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
from divergen_prompts.attributes import PROFILES
from divergen_prompts.categories import read_categories
from divergen_prompts.checks import check_prompts
from divergen_prompts.grammar import grammar_prompts
from divergen_prompts.kinds import kind_of
from divergen_records import Category, ConfigError
from hypothesis import given, settings
from hypothesis import strategies as st


def by_category(categories: list[Category], **options: object) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for prompt in grammar_prompts(categories, **options):  # type: ignore[arg-type]
        found.setdefault(prompt.category_id, []).append(prompt.text)
    return found


def test_grammar_prompts__as_many_as_wanted_and_all_different(categories: list[Category]) -> None:
    found = by_category(categories, per_category=128)
    assert [len(texts) for texts in found.values()] == [128] * 6
    assert all(len(set(texts)) == 128 for texts in found.values())


def test_grammar_prompts__own_styles_open_the_sentences(categories: list[Category]) -> None:
    found = list(grammar_prompts(categories, per_category=16, styles=["a softly lit photo", " a photo with flash "]))
    assert {prompt.attributes["style"] for prompt in found} == {"a softly lit photo", "a photo with flash"}
    assert all(prompt.attributes["style"] in prompt.text for prompt in found)


@pytest.mark.parametrize(
    ("options", "words"),
    [({"styles": []}, "at least one"), ({"styles": ["a photo", " "]}, "empty"),
     ({"styles": ["a photo"], "attributes": ["colour"]}, "style is not among")],
)  # fmt: skip
def test_grammar_prompts__styles_that_cannot_be(
    categories: list[Category], options: dict[str, object], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        grammar_prompts(categories, **options)  # type: ignore[arg-type]


def test_grammar_prompts__end_in_the_background(categories: list[Category]) -> None:
    assert all(prompt.text.endswith(", in a white background") for prompt in grammar_prompts(categories))
    on_grass = list(grammar_prompts(categories, background=", on grass", per_category=4))
    assert all(prompt.text.endswith(", on grass") for prompt in on_grass)
    assert all(prompt.attributes["background"] == "on grass" for prompt in on_grass)
    plain = list(grammar_prompts(categories, background="", per_category=4))
    assert not any("background" in prompt.text or "background" in prompt.attributes for prompt in plain)


def test_grammar_prompts__pass_their_own_checks(categories: list[Category]) -> None:
    assert [found for _, found in check_prompts(grammar_prompts(categories), categories) if found] == []


def test_grammar_prompts__every_attribute_is_said(categories: list[Category]) -> None:
    for prompt in grammar_prompts(categories, per_category=32):
        assert all(word in prompt.text for word in prompt.attributes.values()), prompt


def test_grammar_prompts__attributes_fit_the_kind(categories: list[Category]) -> None:
    kinds = {category.id: kind_of(category) for category in categories}
    for prompt in grammar_prompts(categories, per_category=64):
        profile = PROFILES[kinds[prompt.category_id]]
        for key, word in prompt.attributes.items():
            assert key == "background" or word in profile[key]


def test_grammar_prompts__few_prompts_cover_the_words(categories: list[Category]) -> None:
    chair = categories[4]
    said = {prompt.attributes.get("style") for prompt in grammar_prompts([chair], per_category=20)}
    assert said == set(PROFILES["furniture"]["style"])


@given(st.permutations(range(6)), st.integers(0, 2**31))
@settings(max_examples=15, deadline=None)
def test_grammar_prompts__depend_neither_on_order_nor_neighbours(order: list[int], seed: int) -> None:
    categories = [Category(id=n, name=name) for n, name in enumerate(["dog", "cup", "car", "hat", "pen", "fork"])]
    expected = by_category(categories, per_category=6, seed=seed)
    assert by_category([categories[n] for n in order], per_category=6, seed=seed) == expected
    alone = Random(seed).choice(categories)
    assert by_category([alone], per_category=6, seed=seed)[alone.id] == expected[alone.id]


def test_grammar_prompts__fewer_are_a_prefix_of_more(categories: list[Category]) -> None:
    more = by_category(categories, per_category=64)
    for key, texts in by_category(categories, per_category=16).items():
        assert texts == more[key][:16]


def test_grammar_prompts__another_seed_gives_others(categories: list[Category]) -> None:
    assert by_category(categories, per_category=8, seed=0) != by_category(categories, per_category=8, seed=1)


def test_grammar_prompts__same_in_every_process() -> None:
    code = (
        "from divergen_records import Category; from divergen_prompts import grammar_prompts\n"
        "print([p.text for p in grammar_prompts([Category(id=1, name='dog')], per_category=5)])"
    )
    outputs = {subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout for _ in range(2)}
    assert len(outputs) == 1


def test_grammar_prompts__an_exhausted_category_ends_early() -> None:
    prompts = list(grammar_prompts([Category(id=1, name="dog")], per_category=5000, attributes=["view"], background=""))
    assert 10 <= len(prompts) < 200


def test_grammar_prompts__only_chosen_attributes(categories: list[Category]) -> None:
    for prompt in grammar_prompts(categories, per_category=8, attributes=["colour"]):
        assert prompt.attributes.keys() <= {"colour", "background"}


@pytest.mark.parametrize("options", [{"per_category": 0}, {"attributes": ["color"]}])
def test_grammar_prompts__bad_options_are_refused_at_once(
    categories: list[Category], options: dict[str, object]
) -> None:
    with pytest.raises(ConfigError):
        grammar_prompts(categories, **options)  # type: ignore[arg-type]


@pytest.mark.slow
def test_grammar_prompts__lvis_passes_every_check(lvis_file: Path) -> None:
    categories = read_categories(lvis_file)
    prompts = grammar_prompts(categories, per_category=6)
    faulty = [(prompt.text, found) for prompt, found in check_prompts(prompts, categories) if found]
    assert faulty == []
