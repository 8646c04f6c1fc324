from __future__ import annotations

import gc
from pathlib import Path

import numpy as np
import pytest
from divergen_prompts.embedders import HashedWords
from divergen_prompts.similarity import (
    EmbeddingSimilarity,
    WordNetSimilarity,
    _nltk_folders,
    build_similarity,
    check_wordnet,
)
from divergen_records import Category, ConfigError

pytest.importorskip("nltk")
pytestmark = pytest.mark.usefixtures("nltk_leaves_files_open")


def category(number: int, name: str, synset: str | None = None, definition: str | None = None) -> Category:
    return Category(id=number, name=name, synset=synset, definition=definition)


BASE = [category(1, "dog", "dog.n.01"), category(2, "chair", "chair.n.01")]


@pytest.mark.parametrize("below", ["", "corpora", "corpora/wordnet"])
def test_wordnet_similarity__path_lengths(wordnet: Path, below: str) -> None:
    folder = wordnet / below if below != "corpora" else wordnet
    bird_crane = category(3, "crane", "crane.n.01")
    machine_crane = category(4, "crane", "crane.n.02")
    found = WordNetSimilarity(folder)([bird_crane, machine_crane, BASE[0]], BASE)
    # crane > bird > animal < dog: 3 edges; … > entity < artifact < chair: 5 edges
    assert found == pytest.approx(np.array([[1 / 4, 1 / 6], [1 / 6, 1 / 4], [1, 1 / 5]]))


def test_wordnet_similarity__equals_nltk(wordnet: Path) -> None:
    similarity = WordNetSimilarity(wordnet)
    reader = similarity._wordnet
    synsets = list(reader.all_synsets("n"))
    categories = [category(n, synset.name().split(".")[0], synset.name()) for n, synset in enumerate(synsets)]
    expected = [[one.path_similarity(other) for other in synsets] for one in synsets]
    assert similarity(categories, categories) == pytest.approx(np.array(expected))


def test_wordnet_similarity__senses_by_definition(wordnet: Path) -> None:
    lifting = category(3, "crane", None, "a machine that lifts heavy objects")
    wading = category(4, "crane", "n99999999", "a wading bird")
    found = WordNetSimilarity(wordnet)([lifting, wading], BASE)
    assert found[:, 1] == pytest.approx([1 / 4, 1 / 6])


def test_wordnet_similarity__unknown_candidates_and_base(wordnet: Path) -> None:
    base = [category(1, "zorblax"), category(2, "office_chair")]
    found = WordNetSimilarity(wordnet)([category(3, "zorblax"), category(4, "chair", "chair.n.01")], base)
    assert np.isnan(found[0]).all()
    assert found[1].tolist() == [0, 1]


def test_wordnet_similarity__missing_corpus_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import nltk

    with pytest.raises(ConfigError, match="holds no WordNet"):
        WordNetSimilarity(tmp_path)
    monkeypatch.setattr(nltk.data, "path", [])
    with pytest.raises(ConfigError, match=r"python -m nltk\.downloader wordnet"):
        build_similarity("wordnet")


def test_check_wordnet__looks_where_nltk_does(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, wordnet: Path) -> None:
    import nltk

    monkeypatch.delenv("NLTK_DATA", raising=False)
    ours = {str(folder) for folder in _nltk_folders()}
    assert {folder for folder in nltk.data.path if not folder.startswith(str(tmp_path.parent.parent))} <= ours
    monkeypatch.setattr("divergen_prompts.similarity._nltk_folders", lambda: [wordnet])
    check_wordnet()
    check_wordnet(wordnet)
    for folder, said in ((None, "python -m nltk.downloader wordnet"), (tmp_path, "holds no WordNet")):
        monkeypatch.setattr("divergen_prompts.similarity._nltk_folders", lambda: [tmp_path])
        with pytest.raises(ConfigError, match=said):
            check_wordnet(folder)


def test_wordnet_similarity__damaged_corpus(tmp_path: Path) -> None:
    (tmp_path / "data.noun").write_text("nonsense\n")
    with pytest.raises(ConfigError, match="cannot be read as WordNet"):
        WordNetSimilarity(tmp_path)


def test_embedding_similarity__cosine_of_name_and_definition() -> None:
    found = EmbeddingSimilarity(HashedWords())([BASE[0], category(3, "chair")], BASE)
    assert found.shape == (2, 2)
    assert found[0, 0] == pytest.approx(1)
    assert found[1, 1] == pytest.approx(1)
    assert abs(found[0, 1]) < 0.3


def test_wordnet_similarity__closes_the_files_that_nltk_leaves_open(wordnet: Path) -> None:
    pytest.importorskip("nltk")
    similarity = WordNetSimilarity(wordnet)
    assert similarity([Category(id=1, name="dog")], [Category(id=2, name="chair")]).shape == (1, 1)
    del similarity
    gc.collect()  # pytest makes an error of a ResourceWarning
