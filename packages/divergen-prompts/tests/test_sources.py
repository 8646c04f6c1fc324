from __future__ import annotations

from pathlib import Path

import pytest
from divergen_prompts.config import PromptsConfig, PromptSourceConfig, TemplatePrompts
from divergen_prompts.files import read_prompts, write_prompts
from divergen_prompts.grammar import grammar_prompts
from divergen_prompts.testing import FakeEndpoint
from divergen_records import Category, ConfigError
from pydantic import TypeAdapter, ValidationError

CATEGORIES = [
    Category(id=1, name="cup", frequency="r"),
    Category(id=2, name="chair", frequency="f"),
    Category(id=3, name="dog", frequency="r"),
]


def config(**values: object) -> PromptSourceConfig:
    found: PromptSourceConfig = TypeAdapter(PromptsConfig).validate_python(values)
    return found


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        ({}, ["cup", "chair", "dog"]),
        ({"categories": ["chair", "dog"]}, ["chair", "dog"]),
        ({"frequencies": ["r"]}, ["cup", "dog"]),
        ({"frequencies": ["r"], "categories": ["chair", "dog"]}, ["dog"]),
    ],
)
def test_chosen__by_names_and_groups(filters: dict[str, list[str]], names: list[str]) -> None:
    assert [category.name for category in config(kind="template", **filters).chosen(CATEGORIES)] == names


def test_chosen__unknown_name() -> None:
    with pytest.raises(ConfigError, match="'mug'"):
        config(kind="template", categories=["mug"]).chosen(CATEGORIES)


def test_chosen__of_data_with_a_part_of_the_categories() -> None:
    part = config(kind="template", categories=["mug", "dog"])
    assert [category.name for category in part.chosen(CATEGORIES)] == ["dog"]
    assert part.absent(CATEGORIES) == ["mug"]


def test_config__share_or_count() -> None:
    with pytest.raises(ValidationError, match="not both"):
        config(kind="template", share=0.5, count=3)


def test_file_name__stays_where_only_limits_change() -> None:
    def name(**more: object) -> str:
        return config(kind="llm", model="m", **more).file_name()

    assert name() == name(per_category=99, max_cost=2, price_in=1, share=0.5, frequencies=["r"], concurrency=1)
    assert len({name(), name(base_url="http://127.0.0.1:1/v1"), name(background="on a beach")}) == 3
    assert config(kind="grammar").file_name() != config(kind="grammar", per_category=8).file_name()


@pytest.mark.parametrize("kind", ["template", "grammar", "file"])
def test_write__the_same_each_time(kind: str, tmp_path: Path) -> None:
    given = tmp_path / "given.jsonl"
    write_prompts(given, grammar_prompts([*CATEGORIES, Category(id=9, name="hat")], per_category=2))
    source = config(kind=kind, **({"path": given} if kind == "file" else {})).build()
    for name in ("a", "b", "a"):
        assert source.write(CATEGORIES, tmp_path / name, seed=3, say=print) == {}
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    found = read_prompts(tmp_path / "a")
    assert found == list(source.sketch(CATEGORIES, seed=3))
    assert {prompt.category for prompt in found} == {"cup", "chair", "dog"}
    assert source.estimate(CATEGORIES, tmp_path / "a") is None


def test_write__a_language_model_is_asked_for_what_the_file_lacks(tmp_path: Path) -> None:
    pytest.importorskip("openai")
    said: list[str] = []
    with FakeEndpoint() as endpoint:
        fixed = {"kind": "llm", "model": "m", "base_url": endpoint.url, "price_out": 1}
        few, many = (config(**fixed, per_category=n).build() for n in (4, 6))
        assert "12 prompts of m for 3 categories: at least 3 requests" in str(few.estimate(CATEGORIES, tmp_path / "p"))
        assert few.write(CATEGORIES, tmp_path / "p", seed=0, say=said.append) == {}
        assert many.write(CATEGORIES, tmp_path / "p", seed=0, say=said.append) == {}
    assert endpoint.asked == {"cup": 6, "chair": 6, "dog": 6}
    assert len(list(many.sketch(CATEGORIES, seed=0))) == many.per_category * 3 == len(read_prompts(tmp_path / "p"))
    assert any("estimated" in text for text in said)


@pytest.mark.parametrize("template", ["a {nam}", "a {name", "a cup", ["plain", "a cup"]])
def test_templates__are_refused_with_the_configuration(template):
    with pytest.raises(ValidationError, match="template"):
        TemplatePrompts(template=template)
