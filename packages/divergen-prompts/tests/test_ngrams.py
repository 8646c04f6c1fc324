from __future__ import annotations

import numpy as np
import pytest
from divergen_prompts.ngrams import Corpus, best_clipped, phrase_code, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A Red, close-up photo!", ["a", "red", "close-up", "photo"]),
        ("the cat's 2 toys", ["the", "cat's", "2", "toys"]),
        ("snake_case -- dash", ["snake", "case", "dash"]),
        ("", []),
    ],
)
def test_words__lower_case_without_punctuation(text: str, expected: list[str]) -> None:
    assert words(text) == expected


def test_ngrams__never_cross_texts() -> None:
    corpus = Corpus(["a b c", "", "d", "a b"])
    pairs = corpus.ngrams(2)
    assert pairs.documents.tolist() == [0, 0, 3]
    assert pairs.codes[0] == pairs.codes[2] != pairs.codes[1]
    assert corpus.lengths.tolist() == [3, 0, 1, 2]


def test_phrase_code__finds_the_phrase() -> None:
    n, code = phrase_code("Lying on its side")
    assert n == 4
    assert code in Corpus(["a cup, lying on its side, alone"]).ngrams(4).codes.tolist()


def test_corpus__keys_tell_order_and_set() -> None:
    corpus = Corpus(["a red cup", "A red cup.", "cup red a", "a red red cup"])
    sequence, sets = corpus.sequence_keys.tolist(), corpus.set_keys.tolist()
    assert sequence[0] == sequence[1] != sequence[2]
    assert sets[0] == sets[1] == sets[2] == sets[3]


def test_best_clipped__largest_count_in_one_other_text_of_the_group() -> None:
    corpus = Corpus(["x x x y", "x x z", "y", "x"])
    groups = np.array([0, 0, 0, 1])
    assert best_clipped(corpus.ngrams(1), groups, 4).tolist() == [3, 2, 1, 0]
