"""How different prompts are from each other, measured.

Every figure is computed within each category and over all prompts together. A file with fewer prompts is not more
diverse because its few prompts do not repeat: a category gets the same number of pictures either way (DiverGen, section
3.3). So files are compared at an equal number of pictures per category, each file's prompts used in turn.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import cycle, islice, pairwise
from typing import Any

import numpy as np
from divergen_records import Category, ConfigError, DatasetError, PromptRecord
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from .attributes import KEYS, PROFILES
from .embedders import Embedder, HashedWords
from .kinds import kind_of
from .ngrams import Corpus, best_clipped, changes, phrase_code

__all__ = ["DiversityReport", "Figures", "diversity"]

_BLEU_ORDER = 4
_PHRASE_ORDER = 5
_SMOOTHING = 0.1
"""Chen and Cherry (2014), method 1: what counts for an n-gram order without a match."""

Groups = NDArray[np.int64]


@dataclass(frozen=True)
class Figures:
    """The figures of one set of prompts.

    Attributes:
        prompts: Number of prompts.
        distinct_1: Different words / words (Li et al., 2016).
        distinct_2: Different word pairs / word pairs.
        distinct_3: Different word triples / word triples.
        self_bleu: Mean BLEU-4 of each prompt against all others (Zhu et al., 2018); 1: all the same.
        embedding_distance: Mean of 1 - cosine over all pairs.
        vendi_score: Effective number of different prompts (Friedman and Dieng, 2023): exp of the entropy of the
            eigenvalues of the similarity matrix / n.
        attribute_coverage: Share of the attribute words fitting the category that occur, mean over the keys.
        duplicate_rate: Share of prompts that repeat an earlier one, but for case and punctuation.
        near_duplicate_rate: Share of prompts with the same set of words as an earlier one.
    """

    prompts: float
    distinct_1: float
    distinct_2: float
    distinct_3: float
    self_bleu: float
    embedding_distance: float
    vendi_score: float
    attribute_coverage: float
    duplicate_rate: float
    near_duplicate_rate: float


LOWER_IS_BETTER = frozenset({"self_bleu", "duplicate_rate", "near_duplicate_rate"})


@dataclass(frozen=True)
class DiversityReport:
    """What `diversity` measured.

    Attributes:
        overall: All prompts together.
        mean: Mean over the categories of their own figures.
        categories: Category id -> its figures.
        names: Category id -> name.
        pictures_per_category: To which each category's prompts were repeated; None: each prompt once.
        embedder: Identity of the embedder behind ``embedding_distance`` and ``vendi_score``.
    """

    overall: Figures
    mean: Figures
    categories: dict[int, Figures]
    names: dict[int, str]
    pictures_per_category: int | None
    embedder: str


def diversity(
    prompts: Sequence[PromptRecord], *, pictures_per_category: int | None = None, embedder: Embedder | None = None
) -> DiversityReport:
    """Measure prompts.

    Args:
        prompts: The prompts.
        pictures_per_category: Use each category's prompts in turn until there are this many, and no more; None uses
            each once.
        embedder: For the embedding distance and Vendi score; None for `HashedWords`.

    Raises:
        DatasetError: If there are no prompts.
        ConfigError: If ``pictures_per_category`` is below 1.
    """
    if not prompts:
        raise DatasetError("there are no prompts to measure")
    if pictures_per_category is not None and pictures_per_category < 1:
        raise ConfigError(f"pictures_per_category is {pictures_per_category}; it must be at least 1")
    embed = embedder or HashedWords()
    names, texts, groups = _grouped(prompts, pictures_per_category)
    ids = list(names)
    corpus = Corpus(texts)
    per_group, pooled = _Measures(corpus, groups, len(ids)), _Measures(corpus, np.zeros_like(groups), 1)
    spread = _Spread(embed, texts, groups, len(ids))
    coverage = per_group.coverage(list(names.values()))
    by_category = per_group.figures(spread.per_group, coverage)
    (overall,) = pooled.figures([spread.overall], [float(np.mean(coverage))])
    return DiversityReport(
        overall=overall,
        mean=_mean(by_category),
        categories=dict(zip(ids, by_category, strict=True)),
        names=names,
        pictures_per_category=pictures_per_category,
        embedder=embed.identity,
    )


def _mean(rows: Sequence[Figures]) -> Figures:
    return Figures(*(float(np.mean([getattr(row, field.name) for row in rows])) for field in fields(Figures)))


def _grouped(prompts: Sequence[PromptRecord], pictures: int | None) -> tuple[dict[int, str], list[str], Groups]:
    """Names by category id, the texts category by category, and each text's position of its category."""
    texts_of: dict[int, list[str]] = {}
    names: dict[int, str] = {}
    for prompt in prompts:
        texts_of.setdefault(prompt.category_id, []).append(prompt.text)
        names.setdefault(prompt.category_id, prompt.category)
    if pictures is not None:
        texts_of = {key: list(islice(cycle(texts), pictures)) for key, texts in texts_of.items()}
    texts = [text for group in texts_of.values() for text in group]
    groups = np.repeat(np.arange(len(texts_of)), [len(group) for group in texts_of.values()])
    return names, texts, groups


class _Measures:
    """Counts over groups of texts."""

    def __init__(self, corpus: Corpus, groups: Groups, count: int) -> None:
        self.corpus, self.groups, self.count = corpus, groups, count
        self.sizes = np.bincount(groups, minlength=count)

    def figures(self, spread: Sequence[tuple[float, float]], coverage: Sequence[float]) -> list[Figures]:
        """The figures of each group."""
        distinct = [self._distinct(n) for n in (1, 2, 3)]
        bleu = self._self_bleu()
        exact, near = self._repeats(self.corpus.sequence_keys), self._repeats(self.corpus.set_keys)
        return [
            Figures(
                prompts=float(self.sizes[group]),
                distinct_1=float(distinct[0][group]),
                distinct_2=float(distinct[1][group]),
                distinct_3=float(distinct[2][group]),
                self_bleu=float(bleu[group]),
                embedding_distance=spread[group][0],
                vendi_score=spread[group][1],
                attribute_coverage=coverage[group],
                duplicate_rate=float(exact[group]),
                near_duplicate_rate=float(near[group]),
            )
            for group in range(self.count)
        ]

    def _distinct(self, n: int) -> NDArray[np.float64]:
        ngrams = self.corpus.ngrams(n)
        group = self.groups[ngrams.documents]
        total = np.bincount(group, minlength=self.count)
        return self._different(group, ngrams.codes) / np.maximum(total, 1)

    def _different(self, group: Groups, keys: NDArray[Any]) -> NDArray[np.int64]:
        """Different keys of each group (G,)."""
        order = np.lexsort((keys, group))
        group = group[order]
        return np.bincount(group[changes(keys[order], group)], minlength=self.count)

    def _self_bleu(self) -> NDArray[np.float64]:
        lengths = self.corpus.lengths
        log_precision = np.zeros(self.corpus.size)
        for n in range(1, _BLEU_ORDER + 1):
            matches = best_clipped(self.corpus.ngrams(n), self.groups, self.corpus.size)
            possible = np.maximum(lengths - n + 1, 1)
            log_precision += np.log(np.where(matches > 0, matches, _SMOOTHING) / possible) / _BLEU_ORDER
        bleu = np.exp(log_precision + np.minimum(0.0, 1 - self._closest_length() / np.maximum(lengths, 1)))
        bleu[self.sizes[self.groups] < 2] = 0.0
        return np.bincount(self.groups, weights=bleu, minlength=self.count) / np.maximum(self.sizes, 1)

    def _closest_length(self) -> NDArray[np.float64]:
        """Per text, the length closest to its own among the other texts of its group; the shorter of two."""
        order = np.lexsort((self.corpus.lengths, self.groups))
        length, group = self.corpus.lengths[order].astype(float), self.groups[order]
        before, after = np.full(len(order), -np.inf), np.full(len(order), np.inf)
        same = group[1:] == group[:-1]
        before[1:][same], after[:-1][same] = length[:-1][same], length[1:][same]
        closest = np.where(length - before <= after - length, before, after)
        result = np.empty(len(order))
        result[order] = np.where(np.isfinite(closest), closest, length)
        return result

    def _repeats(self, keys: NDArray[np.int64]) -> NDArray[np.float64]:
        """Share of each group's texts whose key an earlier one has."""
        return 1 - self._different(self.groups, keys) / np.maximum(self.sizes, 1)

    def coverage(self, names: Sequence[str]) -> list[float]:
        """Per group of that name, the share of its kind's words that occur in it, mean over the attribute keys."""
        present: list[set[int]] = [set() for _ in range(self.count)]
        wanted = np.array(sorted({code for codes in _PHRASES.values() for code in codes.values()}), dtype=np.uint64)
        for n in range(1, _PHRASE_ORDER + 1):
            ngrams = self.corpus.ngrams(n)
            known = np.isin(ngrams.codes, wanted)
            pairs = zip(self.groups[ngrams.documents[known]].tolist(), ngrams.codes[known].tolist(), strict=True)
            for group, code in set(pairs):
                present[group].add(code)
        return [_covered(name, codes) for name, codes in zip(names, present, strict=True)]


def _phrases(kind: str) -> dict[tuple[str, str], int]:
    return {(key, word): phrase_code(word)[1] for key, found in PROFILES[kind].items() for word in found}


_PHRASES = {kind: _phrases(kind) for kind in PROFILES}


def _covered(name: str, present: set[int]) -> float:
    codes = _PHRASES[kind_of(Category(id=0, name=name))]
    shares = []
    for key in KEYS:
        hits = [code in present for (of, _), code in codes.items() if of == key]
        if hits:
            shares.append(sum(hits) / len(hits))
    return float(np.mean(shares))


class _Spread:
    """Embedding distance and Vendi score per group and overall, one group's vectors in memory at a time."""

    def __init__(self, embed: Embedder, texts: Sequence[str], groups: Groups, count: int) -> None:
        bounds = np.searchsorted(groups, np.arange(count + 1))
        total: NDArray[np.float64] | float = 0.0
        scatter: NDArray[np.float64] | float = 0.0
        self.per_group: list[tuple[float, float]] = []
        blas = ThreadpoolController()
        for start, stop in pairwise(bounds):
            counts = Counter(texts[start:stop])  # equal texts are embedded once, and count as one longer vector
            vectors, repeats = embed(list(counts)).astype(np.float64), np.fromiter(counts.values(), np.float64)
            with blas.limit(limits=1, user_api="blas"):  # on so small matrices more threads only wait for each other
                added, longer = repeats @ vectors, vectors * np.sqrt(repeats)[:, None]
                own = longer.T @ longer
                smaller = longer @ longer.T if len(longer) < len(own) else own
                self.per_group.append((_distance(added, stop - start), _vendi(smaller, stop - start)))
                total, scatter = total + added, scatter + own
        self.overall = (_distance(np.asarray(total), len(texts)), _vendi(np.asarray(scatter), len(texts)))


def _distance(total: NDArray[np.float64], count: int) -> float:
    """Mean of 1 - cosine over pairs of unit vectors, from their sum."""
    if count < 2:
        return 0.0
    return float(np.maximum(0.0, 1 - (total @ total - count) / (count * (count - 1))))


def _vendi(matrix: NDArray[np.float64], count: int) -> float:
    """From the Gram matrix of ``count`` vectors, or from their scatter matrix, whose eigenvalues are the same."""
    values = np.linalg.eigvalsh(matrix / count)
    values = values[values > 1e-12]
    return float(np.exp(-np.sum(values * np.log(values))))
