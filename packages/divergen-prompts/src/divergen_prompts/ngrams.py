"""Word n-grams of many texts at once, as arrays; what the diversity figures count."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Corpus", "NGrams", "best_clipped", "changes", "normalized", "phrase_code", "words"]

_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")

Codes = NDArray[np.uint64]
Indices = NDArray[np.int64]


def words(text: str) -> list[str]:
    """Lower-case words; inner hyphens and apostrophes belong to the word, punctuation to nothing."""
    return _WORD.findall(text.lower())


def normalized(text: str) -> str:
    """A text without case, punctuation and spacing: equal for exact duplicates."""
    return " ".join(words(text))


def _mix(codes: Codes) -> Codes:
    """The finalizer of splitmix64: spreads similar codes over 64 bits."""
    codes = (codes ^ (codes >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    codes = (codes ^ (codes >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return codes ^ (codes >> np.uint64(31))


@dataclass(frozen=True)
class NGrams:
    """All n-grams of a corpus.

    Attributes:
        n: Words per n-gram.
        codes: (M,) uint64, equal for equal n-grams.
        documents: (M,) int64, the text that each stands in, ascending.
    """

    n: int
    codes: Codes
    documents: Indices


class Corpus:
    """Texts as arrays of word numbers.

    Args:
        texts: The texts.

    Attributes:
        size: Number of texts.
        lengths: (size,) int64, words per text.
        word_ids: (W,) int64, all words one after the other.
        documents: (W,) int64, the text of each word.
        sequence_keys: (size,) int64, equal for texts of the same words in the same order.
        set_keys: (size,) int64, equal for texts of the same set of words.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        vocabulary: dict[str, int] = {}
        ids: list[int] = []
        lengths, sequence_keys, set_keys = np.zeros((3, len(texts)), dtype=np.int64)
        for number, text in enumerate(texts):
            found = [vocabulary.setdefault(word, len(vocabulary)) for word in words(text)]
            lengths[number] = len(found)
            sequence_keys[number], set_keys[number] = hash(tuple(found)), hash(frozenset(found))
            ids += found
        self.size = len(texts)
        self.lengths, self.sequence_keys, self.set_keys = lengths, sequence_keys, set_keys
        self.word_ids = np.array(ids, dtype=np.int64)
        self.documents = np.repeat(np.arange(len(texts)), lengths)
        hashes = np.array([_word_hash(word) for word in vocabulary], dtype=np.uint64)
        self._hashes = hashes[self.word_ids] if len(hashes) else np.zeros(0, dtype=np.uint64)

    def ngrams(self, n: int) -> NGrams:
        """The n-grams; texts shorter than ``n`` words have none."""
        count = max(len(self._hashes) - n + 1, 0)
        codes = np.zeros(count, dtype=np.uint64)
        for offset in range(n):
            codes = _mix(codes + self._hashes[offset : offset + count])
        whole = self.documents[:count] == self.documents[n - 1 : n - 1 + count]
        return NGrams(n, codes[whole], self.documents[:count][whole])


def _word_hash(word: str) -> int:
    code = 0xCBF29CE484222325  # FNV-1a: Python's own hash of a text changes from process to process
    for byte in word.encode():
        code = ((code ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return code


def phrase_code(phrase: str) -> tuple[int, int]:
    """(n, code) of a phrase, equal to that of its occurrences in `Corpus.ngrams`."""
    found = words(phrase)
    code = np.zeros(1, dtype=np.uint64)
    for word in found:
        code = _mix(code + np.uint64(_word_hash(word)))
    return len(found), int(code[0])


def best_clipped(ngrams: NGrams, groups: Indices, size: int) -> NDArray[np.float64]:
    """Per text, how many of its n-grams also occur in another text of its group, clipped as BLEU does.

    Args:
        ngrams: The n-grams.
        groups: (size,) int64, the group of each text.
        size: Number of texts.

    Returns:
        (size,) float64: the sum over the text's n-grams of min(count here, largest count in one other text).
    """
    if not len(ngrams.codes):
        return np.zeros(size)
    order = np.lexsort((ngrams.documents, ngrams.codes, groups[ngrams.documents]))
    codes, documents = ngrams.codes[order], ngrams.documents[order]
    group = groups[documents]
    new_pair = changes(codes, documents, group)
    starts = np.flatnonzero(new_pair)
    counts = np.diff(np.append(starts, len(codes)))
    codes, documents, group = codes[starts], documents[starts], group[starts]

    new_gram = changes(codes, group)
    gram = np.cumsum(new_gram) - 1
    first = np.flatnonzero(new_gram)
    largest = np.maximum.reduceat(counts, first)
    is_largest = counts == largest[gram]
    holders = np.add.reduceat(is_largest.astype(np.int64), first)
    second = np.maximum.reduceat(np.where(is_largest, 0, counts), first)
    alone = is_largest & (holders[gram] == 1)
    reference = np.where(alone, second[gram], largest[gram])
    return np.bincount(documents, weights=np.minimum(counts, reference), minlength=size).astype(np.float64)


def changes(*columns: NDArray[np.generic]) -> NDArray[np.bool_]:
    """(M,) bool: where a row differs from the one before."""
    changed = np.ones(len(columns[0]), dtype=bool)
    changed[1:] = np.logical_or.reduce([column[1:] != column[:-1] for column in columns])
    return changed
