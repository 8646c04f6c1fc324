"""What a filter costs: the diversity of the kept instances, and how much of the real ones they cover."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from divergen_records import ConfigError, InstanceTable
from numpy.typing import NDArray

from .embedder import Embeddings
from .references import References
from .similarity import bad_vectors

__all__ = [
    "CategoryDiversity",
    "Measures",
    "density_coverage",
    "diversity_text",
    "measure_diversity",
    "price",
    "vendi_score",
]

_BLOCK = 1024


@dataclass(frozen=True, slots=True)
class Measures:
    """Of a set of generated instances of one category.

    Attributes:
        count: How many there are.
        vendi: Vendi score: the effective number of different ones, 1 to ``count``.
        density: How densely they lie where real ones are; 1 where generated and real ones are distributed alike.
        coverage: Share of the real ones that have one of them near, 0 to 1.
    """

    count: int
    vendi: float
    density: float
    coverage: float


@dataclass(frozen=True, slots=True)
class CategoryDiversity:
    """A category before and after the filter.

    Attributes:
        category_id: Category id in the dataset.
        category: Its name.
        real: Number of its real crops.
        generated: Of all its generated instances with an embedding.
        kept: Of those that are kept.
    """

    category_id: int
    category: str
    real: int
    generated: Measures
    kept: Measures


def vendi_score(embeddings: Embeddings) -> float:
    """Exp of the entropy of the eigenvalues of K / N, K the cosines (Friedman and Dieng, TMLR 2023); 0 for none.

    Args:
        embeddings: (N, D), unit rows. The smaller one of (N, N) and (D, D) is decomposed: their eigenvalues agree.
    """
    count, dim = embeddings.shape
    if not count:
        return 0.0
    vectors = embeddings.astype(np.float64)
    gram = vectors @ vectors.T if count <= dim else vectors.T @ vectors
    values = np.linalg.eigvalsh(gram / count)
    values = values[values > 1e-12]
    return float(np.exp(-(values * np.log(values)).sum()))


def density_coverage(real: Embeddings, generated: Embeddings, *, neighbours: int = 5) -> tuple[float, float]:
    """Density and coverage (Naeem et al., ICML 2020) of generated instances with respect to real ones.

    Args:
        real: (N, D), unit rows.
        generated: (M, D), unit rows.
        neighbours: A real one's ball reaches to its so-many-th nearest real one; fewer where N is small.

    Returns:
        Density and coverage; NaN where N < 2, as balls then have no radius, and density NaN where M is 0.
    """
    if len(real) < 2:
        return float("nan"), float("nan")
    near = min(neighbours, len(real) - 1)
    limits = np.empty(len(real), dtype=np.float32)  # the least cosine inside each ball
    for start in range(0, len(real), _BLOCK):
        cosines = real[start : start + _BLOCK] @ real.T
        cosines[np.arange(len(cosines)), np.arange(start, start + len(cosines))] = -np.inf  # itself
        limits[start : start + _BLOCK] = np.partition(cosines, -near, axis=1)[:, -near]
    inside, covered = 0, np.zeros(len(real), dtype=bool)
    for start in range(0, len(generated), _BLOCK):
        balls = generated[start : start + _BLOCK] @ real.T >= limits
        inside += int(balls.sum())
        covered |= balls.any(axis=0)
    density = inside / (near * len(generated)) if len(generated) else float("nan")
    return density, float(covered.mean())


def measure_diversity(table: InstanceTable, references: References, *, neighbours: int = 5) -> list[CategoryDiversity]:
    """Measure every category of a table, before and after the filter.

    Raises:
        ConfigError: If the table has no embeddings, or they are of another model.
    """
    result = []
    for category_id, name, vectors, kept, _ in _categories(table, references):
        real = references.of(category_id)
        found = [_measure(real, some, neighbours) for some in (vectors, vectors[kept])]
        result.append(CategoryDiversity(category_id, name, len(real), *found))
    return result


def price(
    table: InstanceTable, references: References, *, shares: Sequence[float] = (1, 0.9, 0.75, 0.5, 0.25, 0.1)
) -> list[tuple[float, Measures]]:
    """What a stricter threshold of inter-similarity costs: the best share of each category, means over categories.

    Categories with fewer than two real crops are left out.

    Args:
        table: Its rows have embeddings and inter-similarities.
        references: Of the same model.
        shares: Shares of each category to keep, 0 to 1.

    Raises:
        ConfigError: If the table has no embeddings, or they are of another model.
    """
    found: dict[float, list[Measures]] = {share: [] for share in shares}
    for category_id, _, vectors, _, similarity in _categories(table, references):
        real = references.of(category_id)
        if len(real) < 2:
            continue
        order = np.argsort(-similarity, kind="stable")  # NaN last
        for share in shares:
            best = vectors[order[: max(1, round(share * len(order)))]]
            found[share].append(_measure(real, best, 5))
    if not any(found.values()):
        raise ConfigError(f"{table.path}: no category has generated instances and two real crops")
    return [
        (
            share,
            Measures(
                sum(each.count for each in some),
                *(float(np.mean([getattr(each, name) for each in some])) for name in ("vendi", "density", "coverage")),
            ),
        )
        for share, some in found.items()
    ]


def _measure(real: Embeddings, generated: Embeddings, neighbours: int) -> Measures:
    return Measures(len(generated), vendi_score(generated), *density_coverage(real, generated, neighbours=neighbours))


def _categories(
    table: InstanceTable, references: References
) -> Iterator[tuple[int, str, Embeddings, NDArray[np.bool_], NDArray[np.float64]]]:
    """Category by category: id, name, embeddings (n, D), kept (n,), inter-similarities (n,)."""
    if "embedding" not in table.columns:
        raise ConfigError(f"{table.path} has no embeddings; divergen-filter score makes them")
    for group in sorted(table.group_counts(["category_id", "category"]), key=lambda row: row["category_id"]):
        where = f"category_id = {group['category_id']} AND embedder IS NOT NULL"
        rows = table.select(["embedding", "embedder", "kept", "inter_similarity"], where)
        if not len(rows):
            continue
        if other := set(rows["embedder"].to_pylist()) - {references.embedder}:
            raise ConfigError(
                f"the table's embeddings are of {min(other)}, the references of {references.embedder}: two models' "
                "vectors cannot be compared"
            )
        flat = rows["embedding"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
        vectors = np.asarray(flat, dtype=np.float32).reshape(len(rows), -1)
        good = ~bad_vectors(vectors)
        kept = np.asarray(rows["kept"].fill_null(False).to_numpy(), dtype=bool)
        similarity = np.asarray(rows["inter_similarity"].to_numpy(), dtype=np.float64)
        yield group["category_id"], group["category"], vectors[good], kept[good], similarity[good]


def diversity_text(table: InstanceTable, references: References) -> str:
    """`measure_diversity` and `price` as text."""
    lines = [
        f"{'':<24} {'instances':^20} {'Vendi score':^13} {'density':^13} {'coverage':^13}",
        f"{'category':<24} {'real':>6} {'all':>6} {'kept':>6} " + f"{'all':>6} {'kept':>6} " * 3,
    ]
    for row in measure_diversity(table, references):
        pairs = [(getattr(row.generated, name), getattr(row.kept, name)) for name in ("vendi", "density", "coverage")]
        numbers = " ".join(f"{before:>6.2f} {after:>6.2f}" for before, after in pairs)
        lines.append(f"{row.category:<24.24} {row.real:>6} {row.generated.count:>6} {row.kept.count:>6} {numbers}")
    lines += ["", "the price of a stricter threshold of inter-similarity (means over categories)"]
    lines.append(f"{'best':<6} {'instances':>9} {'Vendi':>7} {'density':>8} {'coverage':>9}")
    for share, found in price(table, references):
        lines.append(f"{share:<6.0%} {found.count:>9} {found.vendi:>7.2f} {found.density:>8.2f} {found.coverage:>9.2f}")
    return "\n".join(lines)
