"""What to generate: prompts x generators x counts, as content ids, before any model is loaded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from divergen_records import (
    Category,
    ConfigError,
    Frequency,
    InstanceRecord,
    PromptRecord,
    derive_seed,
    instance_id,
    short_hash,
)

from .counts import CountsConfig, count_per_category, share
from .protocol import Identity

__all__ = ["CategoryPlan", "Plan", "Portion", "plan"]

K = TypeVar("K")


@dataclass(frozen=True)
class Portion:
    """Prompts of one source, and how many of a category's pictures are made of them.

    Attributes:
        prompts: The prompts, of any categories.
        share: Of the pictures of each of their categories, above 0 and at most 1; where the shares of a category add up
            to more than 1, or to less with nothing left to fill it, they count as weights.
        count: Pictures of each of their categories instead, as far as there are so many.
    """

    prompts: Sequence[PromptRecord]
    share: float | None = None
    count: int | None = None


@dataclass(frozen=True)
class CategoryPlan:
    """The pictures of one category by one generator, and where prompts have portions, by one of these.

    Attributes:
        category: The category.
        prompts: Its prompts in the order of this generator; picture ``i`` uses prompt ``i % len(prompts)``.
        generator: Name of the generator.
        revision: Its revision.
        count: How many pictures.
        seed: Seed of the run.
    """

    category: Category
    prompts: tuple[PromptRecord, ...]
    generator: str
    revision: str
    count: int
    seed: int

    def __iter__(self) -> Iterator[InstanceRecord]:
        for index in range(self.count):
            turn, position = divmod(index, len(self.prompts))
            yield self._record(self.prompts[position], turn)

    def _record(self, prompt: PromptRecord, turn: int) -> InstanceRecord:
        # The seed counts pictures per prompt, not per category: prompts added later leave the others' pictures alone.
        name = self.category.name
        seed = derive_seed(self.seed, name, prompt.text, self.generator, turn)
        return InstanceRecord(
            id=instance_id(
                category=name,
                prompt=prompt.text,
                generator=self.generator,
                generator_revision=self.revision,
                seed=seed,
            ),
            category_id=self.category.id,
            category=name,
            frequency=self.category.frequency,
            prompt=prompt.text,
            prompt_source=prompt.source,
            generator=self.generator,
            generator_revision=self.revision,
            seed=seed,
        )


@dataclass(frozen=True)
class Plan:
    """All pictures of a run, as identity-only records made while iterating; a plan of millions takes no memory.

    Iterating again gives the same records in the same order: generator by generator, category by category.
    """

    parts: tuple[CategoryPlan, ...]

    def __iter__(self) -> Iterator[InstanceRecord]:
        for part in self.parts:
            yield from part

    def __len__(self) -> int:
        return sum(part.count for part in self.parts)

    def only(self, *, generator: str | None = None, categories: Iterable[str] | None = None) -> Plan:
        """The part of this plan that belongs to a generator, or to some categories (by name)."""
        wanted = None if categories is None else set(categories)
        return Plan(
            tuple(
                part
                for part in self.parts
                if (generator is None or part.generator == generator)
                and (wanted is None or part.category.name in wanted)
            )
        )

    def limit(self, per_part: int) -> Plan:
        """At most so many pictures per category and generator, the first ones; for previews."""
        return Plan(tuple(replace(part, count=min(part.count, per_part)) for part in self.parts))

    def per_category(self) -> dict[str, int]:
        """Pictures per category name."""
        return _sum((part.category.name, part.count) for part in self.parts)

    def per_generator(self) -> dict[str, int]:
        """Pictures per generator name."""
        return _sum((part.generator, part.count) for part in self.parts)

    def per_frequency(self) -> dict[Frequency | None, int]:
        """Pictures per frequency group; None for categories without one."""
        return _sum((part.category.frequency, part.count) for part in self.parts)

    def unique_prompts(self) -> int:
        """Different (category, prompt) pairs that are used: what a text encoder has to encode."""
        used = ((part.category.name, p.text) for part in self.parts for p in part.prompts[: part.count])
        return len(set(used))


def plan(
    prompts: Iterable[PromptRecord],
    generators: Sequence[Identity],
    *,
    categories: Sequence[Category] | None = None,
    counts: CountsConfig | int = 1,
    seed: int = 0,
    portions: Sequence[Portion] = (),
) -> Plan:
    """Plan what to generate.

    A category's picture count is fixed by ``counts`` and does not grow with its prompts; they take turns (DiverGen,
    section 3.3). Each generator goes through them in an order of its own, so that few pictures still see many prompts.
    Ids stay: after a raised count or an added prompt or generator, every picture that is still planned has the id that
    it had; a raised count keeps all of them.

    Args:
        prompts: Prompts of the categories; a text that a category has twice counts once.
        generators: Generators or their configs, anything with ``name`` and ``revision``.
        categories: Categories to generate for; None for those of the prompts. Prompts of others are not used.
        counts: How many pictures; a number means so many per category.
        seed: Seed of the run.
        portions: Prompts with a share or a count of their own; ``prompts`` take what these leave.

    Raises:
        ConfigError: Two generators share a name, a category has no prompt, or ``counts`` does not fit.
    """
    policy = CountsConfig(per_category=counts) if isinstance(counts, int) else counts
    names = [generator.name for generator in generators]
    _check_names(names, policy)
    groups = _groups([Portion(tuple(prompts)), *portions])
    if categories is None:
        categories = [Category(id=found[0].prompts[0].category_id, name=name) for name, found in groups.items()]
    counted = count_per_category(categories, policy)
    wanted = {category: n for category, n in counted.items() if n or category.name in policy.extra}
    _check_prompts([category.name for category in wanted], groups)
    weights = tuple(policy.weights.get(name, 1.0) for name in names)
    seeds = _seeds(wanted, seed)
    parts = (
        CategoryPlan(
            category,
            _order(own.prompts, seed, generator.name),
            generator.name,
            generator.revision,
            n,
            seeds[category],
        )
        for position, generator in enumerate(generators)
        for category, total in wanted.items()
        for own, n in _divided(
            groups[category.name],
            share(total, weights)[position] + policy.extra.get(category.name, {}).get(generator.name, 0),
            weights,
            position,
        )
    )
    return Plan(tuple(parts))


def _seeds(categories: Collection[Category], seed: int) -> dict[Category, int]:
    """The run's seed; a second category of the same name takes its id in, or its pictures would be the first one's."""
    first: dict[str, int] = {}
    for category in categories:
        first[category.name] = min(category.id, first.get(category.name, category.id))
    return {one: seed if one.id == first[one.name] else derive_seed(seed, one.id) for one in categories}


def _groups(portions: Iterable[Portion]) -> dict[str, list[Portion]]:
    """Category name -> its portions; a text counts in the first that has it."""
    groups: dict[str, list[Portion]] = {}
    seen: set[tuple[str, str]] = set()
    for portion in portions:
        own: dict[str, list[PromptRecord]] = {}
        for prompt in portion.prompts:
            if (prompt.category, prompt.text) not in seen:
                seen.add((prompt.category, prompt.text))
                own.setdefault(prompt.category, []).append(prompt)
        for name, prompts in own.items():
            groups.setdefault(name, []).append(replace(portion, prompts=tuple(prompts)))
    return groups


def _divided(
    portions: Sequence[Portion], left: int, weights: tuple[float, ...], position: int
) -> Iterator[tuple[Portion, int]]:
    """What is ``left`` to a generator of a category, divided among the portions; those that get none are left out."""
    counted = [portion for portion in portions if portion.count is not None]
    others = [portion for portion in portions if portion.count is None]
    for portion in counted if others else ():
        n = min(share(portion.count or 0, weights)[position], left)
        left -= n
        if n:
            yield portion, n
    shared = others or counted
    rest = max(0.0, 1 - sum(portion.share or 0 for portion in shared))
    sizes = [portion.share or portion.count or rest for portion in shared]
    chosen = [(portion, size) for portion, size in zip(shared, sizes, strict=True) if size > 0]
    for (portion, _), n in zip(chosen, share(left, tuple(size for _, size in chosen)), strict=True):
        if n:
            yield portion, n


def _order(prompts: Sequence[PromptRecord], seed: int, generator: str) -> tuple[PromptRecord, ...]:
    return tuple(sorted(prompts, key=lambda prompt: short_hash("order/1", seed, generator, prompt.text, size=8)))


def _check_names(names: Sequence[str], policy: CountsConfig) -> None:
    if not names:
        raise ConfigError("generators: at least one is needed")
    double = sorted(name for name, n in Counter(names).items() if n > 1)
    if double:
        raise ConfigError(
            f"generators: two are called {double[0]!r}; give each its own name, it is part of the pictures' ids"
        )
    for key, named in (("weights", policy.weights), ("extra", {name for own in policy.extra.values() for name in own})):
        if unknown := sorted(set(named) - set(names)):
            raise ConfigError(f"counts.{key}: no generator is called {unknown[0]!r}; there are {', '.join(names)}")


def _check_prompts(names: Sequence[str], groups: Mapping[str, object]) -> None:
    missing = [name for name in names if name not in groups]
    if missing:
        shown = ", ".join(repr(name) for name in missing[:5]) + (", …" if len(missing) > 5 else "")
        raise ConfigError(
            f"prompts: {len(missing)} of {len(names)} categories have none ({shown}); "
            "write prompts for them or leave these categories out"
        )


def _sum(pairs: Iterable[tuple[K, int]]) -> dict[K, int]:
    total: dict[K, int] = {}
    for key, n in pairs:
        total[key] = total.get(key, 0) + n
    return total
