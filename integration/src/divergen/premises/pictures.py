"""Premises about generators: each draws other looks, they add up, and prompts reach what one prompt does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from divergen_records import derive_seed
from divergen_records.command import echo

from ..config import LvisData, RunConfig, SplitConfig
from ..data import Splits
from ..run import Run
from .appearance import Looks
from .report import Premise, at_least, unmeasured

if TYPE_CHECKING:
    from divergen_filter import References
    from divergen_filter.embedder import Embeddings

__all__ = ["draw_pictures", "picture_premises"]

EACH = 16
"""Pictures of a rare category by each generator."""

SIGMAS = 2.0
"""Standard errors, over the rare categories, from which a difference counts."""

DRAWS = 20
"""Mixtures of the generators' pictures that are looked at in each category."""

FROM_REAL = "each generator draws other looks than the real ones (distance in rare categories)"
FROM_OTHERS = "generators differ from each other (distance in rare categories)"
ADD_UP = "generators together reach more real looks than one, at equal numbers (coverage)"
REACH = "many prompts reach more real looks than one, by the same generator, at equal numbers (coverage)"
WHY = {
    FROM_REAL: "Generated objects that are distributed as the real ones are more real ones, which no generator gives.",
    FROM_OTHERS: "DiverGen, section 3.3: several models, because each has a distribution of its own.",
    ADD_UP: "The same: where one generator knows all that the others know, several cannot pay.",
    REACH: "DiverGen, section 3.3: diverse prompts, because one prompt shows one way to look.",
}
"""The distances are 0 where two sets are distributed alike, and unbiased; the needed standard errors are the rule of
thumb for a difference that is no chance."""

Found = Mapping[int, Mapping[str, "Embeddings"]]
"""Category id -> generator -> embeddings of its pictures."""


def draw_pictures(run: Run, splits: Splits, rare: Sequence[str], looks: References, out: Path, **changes: Any) -> Run:
    """Some pictures of the rare categories by each generator, with masks and embeddings, as the run would make them.

    Args:
        run: The run.
        splits: Its real data.
        rare: Names of the rare categories.
        looks: Embeddings of its training objects.
        out: Folder of a run of its own.
        changes: Other settings than the run's.
    """
    from divergen_gen.counts import CountsConfig

    from ..runner import run_pipeline

    generators = run.config.drawing_generators
    here = {
        name: SplitConfig(annotations=split.path.absolute(), images=split.image_dir.absolute())
        for name, split in (("train", splits.train), ("val", splits.val))
    }
    settings = {
        "name": out.name,
        "data": LvisData(**here),
        "categories": tuple(rare),
        "extra_categories": None,
        "generators": generators,
        "counts": CountsConfig(per_category=EACH * len(generators)),
        "train": None,
        **changes,
    }
    drawn = Run(out, RunConfig.model_validate({**dict(run.config), **settings}))
    drawn.prepare()
    drawn.save_config()
    if not drawn.references.exists():
        looks.save(drawn.references)
    run_pipeline(drawn, until="embed")
    return drawn


def picture_premises(looks: Looks, many: Run, one: Run) -> list[Premise]:
    """The premises.

    Args:
        looks: Of the real objects.
        many: A run with pictures of many prompts.
        one: The same with one prompt for each category.
    """
    found, alike = _embeddings(many), _embeddings(one)
    if not found:
        return [unmeasured(name, "no picture could be drawn and masked", why) for name, why in WHY.items()]
    names = sorted({name for by_generator in found.values() for name in by_generator})
    reached = _reached(looks, found, alike)
    return [
        _nearest(FROM_REAL, names, {name: _from_real(looks, found, name) for name in names}),
        _nearest(FROM_OTHERS, names, {f"{a}-{b}": _apart(found, a, b) for a, b in combinations(names, 2)}),
        _gain(ADD_UP, reached["one generator"], reached["all"], ("one", "together")),
        _gain(REACH, reached["one prompt"], reached["all prompts"], ("one prompt", "many")),
    ]


def _embeddings(run: Run) -> Found:
    missing, drawn = run.table.count("embedder IS NULL"), run.table.count()
    if missing:
        echo(f"note: {missing} of {drawn} pictures have no mask or failed, and are not looked at", err=True)
    if missing == drawn:
        return {}
    rows = run.table.select(["category_id", "generator", "embedding"], "embedder IS NOT NULL")
    vectors = np.stack([np.asarray(row, np.float32) for row in rows["embedding"].to_pylist()])
    owners = list(zip(rows["category_id"].to_pylist(), rows["generator"].to_pylist(), strict=True))
    found: dict[int, dict[str, Embeddings]] = {}
    for category, generator in sorted(set(owners)):
        mine = [owner == (category, generator) for owner in owners]
        found.setdefault(category, {})[generator] = vectors[mine]
    return found


def _from_real(looks: Looks, found: Found, name: str) -> list[float]:
    from divergen_filter.appearance import set_distance

    return [set_distance(each[name], looks.of(category)[1]) for category, each in found.items() if name in each]


def _apart(found: Found, one: str, other: str) -> list[float]:
    from divergen_filter.appearance import set_distance

    return [set_distance(each[one], each[other]) for each in found.values() if one in each and other in each]


def _nearest(name: str, generators: Sequence[str], distances: Mapping[str, Sequence[float]]) -> Premise:
    """The premise that the smallest of some distances is one."""
    if not distances:
        return unmeasured(name, f"there is one generator alone: {', '.join(generators)}", WHY[name])
    scores = {pair: _sigmas(values) for pair, values in distances.items()}
    text = ", ".join(f"{pair} {np.nanmean(values):.2f}" for pair, values in distances.items())
    weakest = min(scores, key=lambda pair: scores[pair])
    return at_least(name, scores[weakest], SIGMAS, text, WHY[name], unit=" standard errors above 0")


def _gain(name: str, before: Sequence[float], after: Sequence[float], titles: tuple[str, str]) -> Premise:
    if not before:
        return unmeasured(name, "too few objects, or one generator", WHY[name])
    text = f"{titles[0]} {100 * np.mean(before):.0f} %, {titles[1]} {100 * np.mean(after):.0f} %"
    score = _sigmas(np.subtract(after, before).tolist())
    return at_least(name, score, SIGMAS, text, WHY[name], unit=" standard errors of the difference")


def _sigmas(values: Sequence[float]) -> float:
    """The mean in standard errors; NaN for fewer than two."""
    known = np.array([value for value in values if value == value])
    if len(known) < 2:
        return float("nan")
    error = known.std(ddof=1) / len(known) ** 0.5
    return float(known.mean() / error) if error else float("inf") * float(np.sign(known.mean()) or 1)


def _reached(looks: Looks, found: Found, alike: Found) -> dict[str, list[float]]:
    """Coverage of the validation objects of each rare category, by as many pictures each time."""
    from divergen_filter.diversity import density_coverage

    def covered(category: int, pictures: Embeddings) -> float:
        return density_coverage(looks.of(category)[1], pictures)[1]

    reached: dict[str, list[float]] = {key: [] for key in ("one generator", "all", "one prompt", "all prompts")}
    for category, each in found.items():
        if len(looks.of(category)[1]) < 2:
            continue
        every = np.concatenate(list(each.values()))
        if len(each) > 1:
            count = min(len(vectors) for vectors in each.values())
            rng = np.random.default_rng(derive_seed("premises", category))
            mixed = [covered(category, every[rng.permutation(len(every))[:count]]) for _ in range(DRAWS)]
            reached["one generator"].append(float(np.mean([covered(category, v[:count]) for v in each.values()])))
            reached["all"].append(float(np.mean(mixed)))
        # Generator by generator: what several reach between them is asked above.
        both = [(few, each[name]) for name, few in alike.get(category, {}).items() if name in each]
        if both:
            counts = [min(map(len, pair)) for pair in both]
            for key, place in (("one prompt", 0), ("all prompts", 1)):
                shares = [covered(category, pair[place][:count]) for pair, count in zip(both, counts, strict=True)]
                reached[key].append(float(np.mean(shares)))
    return reached
