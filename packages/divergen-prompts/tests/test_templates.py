from __future__ import annotations

import pytest
from divergen_prompts.templates import template_prompts
from divergen_records import Category, ConfigError, DatasetError

BOW = Category(id=2, name="bow_(weapon)", synonyms=("bow_(weapon)", "long_bow"), definition="a weapon; for arrows")
BARE = Category(id=3, name="apple_pie")


def texts(template: str, category: Category, **options: bool) -> list[str]:
    return [prompt.text for prompt in template_prompts([category], template=template, **options)]


@pytest.mark.parametrize(
    ("template", "category", "expected"),
    [
        ("xpaste", BOW, "a photo of a single bow"),
        ("divergen", BOW, "a photo of a single bow, a weapon, for arrows, in a white background"),
        ("divergen", BARE, "a photo of a single apple pie, in a white background"),
        ("{a_name}", BARE, "an apple pie"),
        ("many {names}", BARE, "many apple pies"),
        ("{name} ({gloss})", BOW, "bow (a weapon)"),
        ("{name}, {synset}, {definition}", BARE, "apple pie"),
        ("{{{name}}}", BARE, "{apple pie}"),
    ],
)
def test_template_prompts__fills_and_leaves_out(template: str, category: Category, expected: str) -> None:
    assert texts(template, category) == [expected]


def test_template_prompts__synonyms_and_several_templates() -> None:
    prompts = list(template_prompts([BOW], template=["xpaste", "{a_name}"], synonyms=True))
    assert [prompt.text for prompt in prompts] == [
        "a photo of a single bow",
        "a bow",
        "a photo of a single long bow",
        "a long bow",
    ]
    assert {prompt.model for prompt in prompts} == {"xpaste", "{a_name}"}
    assert {prompt.source for prompt in prompts} == {"template"}


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("a {nmae}", "unknown field 'nmae'. Known fields: name"),
        ("a {name:d}", "fields are texts, {name} and no more: Unknown format code 'd'"),
        ("a {name:{width}}", "fields are texts, {name} and no more: 'width'"),
        ("a photo", "names no category"),
        ("nonsense", "is to be one of xpaste, divergen"),
        ("a {name", "expected '}'"),
    ],
)
def test_template_prompts__bad_template_is_refused_before_the_first_prompt(template: str, said: str) -> None:
    with pytest.raises(ConfigError) as raised:
        template_prompts([BOW], template=template)
    assert said in str(raised.value)


def test_template_prompts__duplicate_ids() -> None:
    with pytest.raises(DatasetError, match="share the id 2"):
        template_prompts([BOW, BOW])
