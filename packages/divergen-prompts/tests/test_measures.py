from __future__ import annotations

import numpy as np
import pytest
from divergen_prompts import measures
from divergen_prompts.embedders import HashedWords
from divergen_prompts.files import write_prompts
from divergen_prompts.measures import diversity
from divergen_prompts.reports import measure_files
from divergen_records import ConfigError, DatasetError, PromptRecord
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from threadpoolctl import threadpool_info, threadpool_limits


def records(texts: list[str], category_id: int = 1, category: str = "chair") -> list[PromptRecord]:
    return [PromptRecord(text=text, category_id=category_id, category=category, source="test") for text in texts]


def test_diversity__distinct_counts() -> None:
    figures = diversity(records(["a red chair", "a red stool"])).overall
    assert figures.distinct_1 == pytest.approx(4 / 6)
    assert figures.distinct_2 == pytest.approx(3 / 4)
    assert figures.distinct_3 == pytest.approx(1.0)


def test_diversity__the_same_prompt_again_is_no_diversity() -> None:
    figures = diversity(records(["a photo of a red chair"] * 4)).overall
    assert figures.self_bleu == pytest.approx(1)
    assert figures.embedding_distance == pytest.approx(0, abs=1e-6)
    assert figures.vendi_score == pytest.approx(1, abs=1e-6)
    assert figures.duplicate_rate == figures.near_duplicate_rate == 0.75


def test_diversity__prompts_without_a_common_word() -> None:
    class OneHot:
        identity = "one-hot"

        def __call__(self, texts: list[str]) -> np.ndarray:
            return np.eye(len(texts), dtype=np.float32)

    figures = diversity(records(["a b c d", "e f g h", "i j k l"]), embedder=OneHot()).overall  # type: ignore[arg-type]
    assert figures.vendi_score == pytest.approx(3)
    assert figures.embedding_distance == pytest.approx(1)
    assert figures.self_bleu < 0.1
    assert figures.duplicate_rate == 0


def test_diversity__self_bleu_equals_nltk() -> None:
    bleu = pytest.importorskip("nltk.translate.bleu_score")
    texts = [
        "a photo of one red chair in a room",
        "a photo of one blue chair",
        "one red chair in the room",
        "a cat sat",
    ]
    split = [text.split() for text in texts]
    smoothing = bleu.SmoothingFunction().method1
    expected = [
        bleu.sentence_bleu(split[:n] + split[n + 1 :], split[n], smoothing_function=smoothing)
        for n in range(len(split))
    ]
    assert diversity(records(texts)).overall.self_bleu == pytest.approx(np.mean(expected))


def test_diversity__near_duplicates_are_the_same_words_in_another_order() -> None:
    figures = diversity(records(["a red old chair", "An old red chair", "a old, red chair"])).overall
    assert figures.duplicate_rate == 0
    assert figures.near_duplicate_rate == pytest.approx(1 / 3)


def test_diversity__attribute_coverage_is_the_share_of_fitting_words() -> None:
    none = diversity(records(["one thing"])).mean.attribute_coverage
    some = diversity(records(["a photo of a tiny old red plain wooden chair, upright, front view"])).mean
    assert none == 0
    assert 0.05 < some.attribute_coverage < 0.2


def test_diversity__per_category_mean_and_overall() -> None:
    report = diversity(records(["a red chair", "a red chair"]) + records(["a dog", "the cat"], 2, "dog"))
    assert report.categories[1].duplicate_rate == 0.5
    assert report.categories[2].duplicate_rate == 0
    assert report.mean.duplicate_rate == 0.25
    assert report.overall.duplicate_rate == 0.25
    assert report.names == {1: "chair", 2: "dog"}
    assert report.overall.prompts == 4


def test_diversity__prompts_in_turn_until_there_are_enough_pictures() -> None:
    report = diversity(records(["a red chair", "a blue chair"]), pictures_per_category=6)
    assert report.overall.prompts == 6
    assert report.overall.duplicate_rate == pytest.approx(4 / 6)


@pytest.mark.parametrize("dim", [3, 64])
def test_diversity__spread_is_that_of_the_repeated_prompts(dim: int) -> None:
    texts = ["a red chair", "a blue chair", "one sofa", "two old lamps", "a lamp"]
    embed = HashedWords(dim)
    figures = diversity(records(texts), pictures_per_category=8, embedder=embed).mean
    vectors = embed([*texts, *texts[:3]]).astype(float)
    cosines = vectors @ vectors.T
    assert figures.embedding_distance == pytest.approx(np.mean(1 - cosines[~np.eye(8, dtype=bool)]))
    values = np.linalg.eigvalsh(cosines / 8).clip(1e-12)
    assert figures.vendi_score == pytest.approx(np.exp(-np.sum(values * np.log(values))))


@given(st.lists(st.text("abc ", min_size=1, max_size=12).filter(str.strip), min_size=1, max_size=8))
@settings(max_examples=40, deadline=None)
def test_diversity__figures_stay_in_range_and_order_does_not_matter(texts: list[str]) -> None:
    figures = diversity(records(texts)).overall
    for name in ("distinct_1", "distinct_2", "self_bleu", "duplicate_rate", "near_duplicate_rate"):
        assert -1e-9 <= getattr(figures, name) <= 1 + 1e-9, name
    assert 1 - 1e-6 <= figures.vendi_score <= len(texts) + 1e-6
    turned = diversity(records(texts[::-1])).overall
    assert turned.self_bleu == pytest.approx(figures.self_bleu)
    assert turned.vendi_score == pytest.approx(figures.vendi_score)


def test_diversity__nothing_to_measure() -> None:
    with pytest.raises(DatasetError, match="no prompts"):
        diversity([])
    with pytest.raises(ConfigError, match="at least 1"):
        diversity(records(["a"]), pictures_per_category=0)


def test_diversity__small_matrices_take_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    vendi, threads = measures._vendi, []

    def watched(gram: NDArray[np.float64], count: int | None = None) -> float:
        threads.append({library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"})
        return vendi(gram, count)

    monkeypatch.setattr(measures, "_vendi", watched)
    with threadpool_limits(2, user_api="blas"):
        diversity(records(["a red cup", "a blue cup"]))
    assert threads[0] == {1}


def test_hashed_words__unit_rows_and_no_words_at_all() -> None:
    vectors = HashedWords(64)(["a red chair", "", "a red chair"])
    assert vectors.shape == (3, 64)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 0, 1])
    assert (vectors[0] == vectors[2]).all()


def test_measure_files__compares_at_an_equal_number_of_pictures(tmp_path) -> None:  # type: ignore[no-untyped-def]
    write_prompts(tmp_path / "few.jsonl", records(["a chair"]))
    write_prompts(tmp_path / "many.jsonl", records(["a red chair", "one blue chair", "an old chair"]))
    reports = measure_files([tmp_path / "few.jsonl", tmp_path / "many.jsonl"])
    assert {report.overall.prompts for report in reports.values()} == {3}
    assert measure_files([tmp_path / "few.jsonl"])["few"].pictures_per_category is None
