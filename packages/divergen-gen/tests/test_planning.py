from collections import Counter
from types import SimpleNamespace

import pytest
from divergen_gen import CountsConfig, Portion, plan
from divergen_records import Category, ConfigError, PromptRecord, instance_id

CATEGORIES = [Category(id=1, name="cup", frequency="r"), Category(id=2, name="car", frequency="f")]


def prompts(count=3, names=("cup", "car")):
    return [
        PromptRecord(text=f"{name} {i}", category_id=1 + names.index(name), category=name, source="template")
        for name in names
        for i in range(count)
    ]


def generator(name="a", revision="1"):
    return SimpleNamespace(name=name, revision=revision)


def ids(planned):
    return [record.id for record in planned]


def test_plan__records_carry_their_identity():
    record = next(iter(plan(prompts(), [generator()], categories=CATEGORIES, counts=1, seed=7)))
    assert (record.category, record.category_id, record.frequency) == ("cup", 1, "r")
    assert (record.generator, record.generator_revision, record.prompt_source) == ("a", "1", "template")
    assert record.image is None
    assert record.id == instance_id(
        category="cup", prompt=record.prompt, generator="a", generator_revision="1", seed=record.seed
    )


def test_plan__is_repeatable_and_knows_its_length():
    planned = plan(prompts(), [generator("a"), generator("b")], counts=7)
    assert list(planned) == list(planned)
    assert len(planned) == len(set(ids(planned))) == 14
    assert planned.per_generator() == {"a": 8, "b": 6}
    assert planned.per_category() == {"cup": 7, "car": 7}


@pytest.mark.parametrize("count", [1, 3, 32])
def test_plan__picture_count_stays_fixed_while_prompts_grow(count):
    planned = plan(prompts(count), [generator()], counts=32)
    assert planned.per_category() == {"cup": 32, "car": 32}
    used = Counter(record.prompt for record in planned if record.category == "cup")
    assert len(used) == count
    assert max(used.values()) - min(used.values()) <= 1


def test_plan__generators_differ_in_prompts_and_seeds():
    planned = plan(prompts(64), [generator("a"), generator("b")], counts=16)
    chosen = {name: {record.prompt for record in planned.only(generator=name)} for name in "ab"}
    assert chosen["a"] != chosen["b"]
    assert len({record.seed for record in planned}) == 32


def test_plan__raised_count_keeps_ids():
    before = plan(prompts(5), [generator("a"), generator("b")], counts=CountsConfig(per_category=9))
    after = plan(prompts(5), [generator("a"), generator("b")], counts=CountsConfig(per_category=14))
    assert set(ids(before)) < set(ids(after))


def test_plan__another_generator_keeps_the_ids_that_remain():
    alone = plan(prompts(5), [generator("a")], counts=8)
    both = plan(prompts(5), [generator("a"), generator("b")], counts=8)
    assert set(ids(both.only(generator="a"))) < set(ids(alone))
    more = plan(prompts(5), [generator("a"), generator("b")], counts=16)
    assert set(ids(alone)) == set(ids(more.only(generator="a")))


def test_plan__more_prompts_keep_the_ids_that_remain():
    few = plan(prompts(4), [generator()], counts=24)
    many = plan(prompts(6), [generator()], counts=24)
    kept = {record.id for record in many if record.prompt in {p.text for p in prompts(4)}}
    assert kept < set(ids(few))
    assert len(kept) == 2 * 16


def test_plan__order_of_prompts_generators_and_categories_does_not_matter_to_ids():
    one = plan(prompts(5), [generator("a"), generator("b")], categories=CATEGORIES, counts=6)
    two = plan(prompts(5)[::-1], [generator("b"), generator("a")], categories=CATEGORIES[::-1], counts=6)
    assert set(ids(one)) == set(ids(two))


def test_plan__seed_and_revision_change_ids():
    base = plan(prompts(), [generator()], counts=3, seed=0)
    assert not set(ids(base)) & set(ids(plan(prompts(), [generator()], counts=3, seed=1)))
    assert not set(ids(base)) & set(ids(plan(prompts(), [generator(revision="2")], counts=3)))


def test_plan__double_prompt_counts_once():
    assert plan([*prompts(1), *prompts(1)], [generator()], counts=4).unique_prompts() == 2


def test_plan__two_categories_of_one_name_have_pictures_of_their_own():
    twins = [CATEGORIES[0], Category(id=9, name="cup")]
    planned = plan(prompts(names=("cup",)), [generator()], categories=twins, counts=4)
    assert len(set(ids(planned))) == 8
    assert Counter(record.category_id for record in planned) == {1: 4, 9: 4}
    alone = plan(prompts(names=("cup",)), [generator()], categories=twins[:1], counts=4)
    assert set(ids(alone)) < set(ids(planned))


def test_plan__weights():
    planned = plan(prompts(), [generator("a"), generator("b")], counts=CountsConfig(per_category=8, weights={"a": 3}))
    assert planned.per_generator() == {"a": 12, "b": 4}


def test_plan__per_frequency_and_only():
    planned = plan(prompts(), [generator()], categories=CATEGORIES, counts=CountsConfig(per_frequency={"r": 4, "f": 2}))
    assert planned.per_frequency() == {"r": 4, "f": 2}
    assert planned.only(categories=["car"]).per_category() == {"car": 2}
    assert len(planned.limit(1)) == 2


def test_plan__a_million_is_made_lazily():
    planned = plan(prompts(), [generator()], counts=10**6)
    assert len(planned) == 2 * 10**6
    assert next(iter(planned)).category == "cup"


@pytest.mark.parametrize(
    ("generators", "counts", "message"),
    [
        ([], 1, "at least one"),
        ([generator(), generator()], 1, "two are called 'a'"),
        ([generator()], CountsConfig(per_category=1, weights={"z": 1}), "no generator is called 'z'"),
    ],
)
def test_plan__refuses_generators(generators, counts, message):
    with pytest.raises(ConfigError, match=message):
        plan(prompts(), generators, counts=counts)


def test_plan__names_categories_without_prompts():
    with pytest.raises(ConfigError, match=r"1 of 2 categories have none \('car'\)"):
        plan(prompts(names=("cup",)), [generator()], categories=CATEGORIES)


def test_plan__category_with_no_pictures_needs_no_prompt():
    counts = CountsConfig(per_frequency={"r": 2})
    assert len(plan(prompts(names=("cup",)), [generator()], categories=CATEGORIES, counts=counts)) == 2


def portion(source, number=2, names=("cup", "car"), **more):
    texts = [(name, f"{source} {name} {i}") for name in names for i in range(number)]
    ids = {"cup": 1, "car": 2}
    made = [PromptRecord(text=text, category_id=ids[name], category=name, source=source) for name, text in texts]
    return Portion(made, **more)


def sources(planned, category="cup"):
    return Counter(record.prompt_source for record in planned if record.category == category)


@pytest.mark.parametrize(
    ("portions", "rest", "expected"),
    [
        ([portion("llm", share=0.25)], 3, {"template": 6, "llm": 2}),
        ([portion("llm", share=0.5), portion("grammar", share=0.5)], 0, {"llm": 4, "grammar": 4}),
        ([portion("llm", 30, share=0.5), portion("grammar", 1, share=0.5)], 0, {"llm": 4, "grammar": 4}),
        ([portion("llm", share=0.3)], 0, {"llm": 8}),
        ([portion("llm", count=3)], 3, {"template": 5, "llm": 3}),
        ([portion("llm", count=3), portion("grammar", share=0.2)], 3, {"llm": 3, "template": 4, "grammar": 1}),
        ([portion("llm", count=99)], 3, {"llm": 8}),
        ([portion("llm", count=3), portion("grammar", count=1)], 0, {"llm": 6, "grammar": 2}),
        ([portion("llm", names=("car",), share=0.5)], 3, {"template": 8}),
    ],
)
def test_plan__portions_divide_a_category(portions, rest, expected):
    planned = plan(prompts(rest), [generator("a")], categories=CATEGORIES[:1], counts=8, portions=portions)
    assert sources(planned) == expected
    assert len(planned) == len(set(ids(planned))) == 8


def test_plan__portions_keep_ids_when_counts_grow_and_prompts_are_added():
    def planned(counts, llm):
        portions = [portion("llm", llm, share=0.5)]
        return plan(
            prompts(), [generator("a"), generator("b")], categories=CATEGORIES, counts=counts, portions=portions
        )

    few = planned(8, 4)
    assert set(ids(few)) <= set(ids(planned(20, 4)))
    assert len(planned(8, 32)) == len(few) == 16
    assert sources(planned(8, 32)) == sources(few)


def test_plan__a_text_counts_in_the_first_portion_that_has_it():
    planned = plan(prompts(), [generator()], categories=CATEGORIES, counts=6, portions=[Portion(prompts(), share=0.5)])
    assert len(set(ids(planned))) == 12


def test_plan__extra_pictures_come_on_top_by_category_and_generator() -> None:
    both = [generator("a"), generator("b")]
    before = plan(prompts(5), both, counts=CountsConfig(per_category=4))
    name = before.parts[0].category.name
    after = plan(prompts(5), both, counts=CountsConfig(per_category=4, extra={name: {"b": 3}}))
    assert after.per_generator()["b"] == before.per_generator()["b"] + 3
    assert {record.id for record in before} < {record.id for record in after}
    with pytest.raises(ConfigError, match=r"counts.extra: no generator is called 'z'"):
        plan(prompts(5), both, counts=CountsConfig(per_category=4, extra={name: {"z": 3}}))
