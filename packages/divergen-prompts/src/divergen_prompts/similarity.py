"""How alike categories are: by their place in WordNet, or by sentence embeddings."""

from __future__ import annotations

import os
import re
import sys
import warnings
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from divergen_records import Category, ConfigError, require_extra
from divergen_records.file_names import from_home
from numpy.typing import NDArray

from .embedders import Embedder, build_embedder
from .meanings import definition_clause
from .naming import names
from .ngrams import words

__all__ = ["EmbeddingSimilarity", "Similarity", "WordNetSimilarity", "build_similarity", "check_wordnet"]

Matrix = NDArray[np.float32]


class Similarity(Protocol):
    """Compares categories.

    Attributes:
        name: For the report.
    """

    name: str

    def __call__(self, candidates: Sequence[Category], base: Sequence[Category]) -> Matrix:
        """(N, M) float32, 1 for the same thing; a row of NaN for a candidate that cannot be placed."""


class EmbeddingSimilarity:
    """Cosine of the embeddings of "name: definition".

    Args:
        embedder: The embedder.
    """

    def __init__(self, embedder: Embedder) -> None:
        self.embedder = embedder
        self.name = embedder.identity

    def __call__(self, candidates: Sequence[Category], base: Sequence[Category]) -> Matrix:
        """(N, M) float32."""
        return self.embedder([_described(c) for c in candidates]) @ self.embedder([_described(c) for c in base]).T


def _described(category: Category) -> str:
    clause = definition_clause(category)
    return f"{category.label}: {clause}" if clause else category.label


class WordNetSimilarity:
    """WordNet path similarity: 1 / (1 + edges between two synsets over their nearest common hypernym).

    A category is placed by its synset: ``bow.n.04``, or an ImageNet id such as ``n02012849``, an offset of WordNet 3.0.
    Where this WordNet lacks it, by its names: of their senses the one whose definition shares most words with the
    category's; for a base category at last by its name's last word.

    Args:
        folder: A folder with WordNet's files (``data.noun``, …), or an nltk_data folder; None for nltk's own.

    Raises:
        MissingExtra: If nltk is not installed.
        ConfigError: If WordNet is not there; says how to get it.
    """

    name = "WordNet path"

    def __init__(self, folder: Path | str | None = None) -> None:
        Path.home()  # a sentence where there is none: nltk cannot be imported then
        with require_extra("divergen-prompts", "wordnet"):
            import nltk  # type: ignore[import-not-found, import-untyped, unused-ignore]
            from nltk.corpus import wordnet  # type: ignore[import-not-found, import-untyped, unused-ignore]
            from nltk.corpus.reader.wordnet import WordNetError  # type: ignore[import-not-found, import-untyped, unused-ignore]
        self._unknown = (WordNetError, ValueError, LookupError)
        self._wordnet: Any
        if folder is None:
            self._wordnet = wordnet
            try:
                self._wordnet.ensure_loaded()
            except LookupError as error:
                raise ConfigError(_NO_WORDNET) from error
            return
        root = _corpus_folder(Path(folder).resolve())
        if str(root) not in nltk.data.path:
            nltk.data.path.append(str(root))  # nltk reads from nowhere else
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # on the multilingual part, which is not used here
                self._wordnet = _reader(str(root))
        except (OSError, LookupError, WordNetError) as error:
            raise ConfigError(f"{root}: cannot be read as WordNet: {' '.join(str(error).split())}") from error

    def __call__(self, candidates: Sequence[Category], base: Sequence[Category]) -> Matrix:
        """(N, M) float32; a row of NaN for candidates without a synset, a column of 0 for such base categories."""
        known: dict[Any, int] = {}
        places = [self._ancestors(self._place(category, loosely=True), known) for category in base]
        distance = np.full((len(base), len(known)), np.inf, dtype=np.float32)
        for row, place in zip(distance, places, strict=True):
            row[list(place)] = list(place.values())
        result = np.full((len(candidates), len(base)), np.nan, dtype=np.float32)
        for row, category in zip(result, candidates, strict=True):
            synset = self._place(category, loosely=False)
            if synset is not None:
                place = self._ancestors(synset, {}, only=known)
                edges = distance[:, list(place)] + np.array(list(place.values()), dtype=np.float32)
                row[:] = 1 / (1 + edges.min(axis=1, initial=np.inf))
        return result

    def _ancestors(self, synset: Any, known: dict[Any, int], only: dict[Any, int] | None = None) -> dict[int, int]:
        """Column -> edges, for the synset itself and all above it."""
        edges: dict[int, int] = {}
        for ancestor, distance in synset.hypernym_distances() if synset is not None else ():
            if only is not None:
                column = only.get(ancestor)
                if column is None:
                    continue
            else:
                column = known.setdefault(ancestor, len(known))
            edges[column] = min(distance, edges.get(column, distance))
        return edges

    def _place(self, category: Category, *, loosely: bool) -> Any:
        """The category's synset, or None."""
        synset = self._by_synset(category)
        if synset is not None:
            return synset
        senses = [sense for name in names(category) for sense in self._senses(name)]
        if not senses and loosely:
            senses = self._senses(names(category)[0].split()[-1])
        told = frozenset(words(category.definition or ""))
        return max(senses, key=lambda sense: len(told & frozenset(words(sense.definition()))), default=None)

    def _by_synset(self, category: Category) -> Any:
        text = category.synset or ""
        try:
            if re.fullmatch(r"n\d{8}", text):
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # an offset of another WordNet's: the names will tell
                    synset = self._wordnet.synset_from_pos_and_offset("n", int(text[1:]))
                return synset if synset is not None and self._is_named(synset, category) else None
            return self._wordnet.synset(text) if text else None
        except self._unknown:
            return None

    def _is_named(self, synset: Any, category: Category) -> bool:
        """Offsets move from one WordNet to the next: the synset found must bear one of the category's names."""
        own = {name.lower().replace(" ", "_") for name in names(category)}
        return any(lemma.lower() in own for lemma in synset.lemma_names())

    def _senses(self, name: str) -> list[Any]:
        return list(self._wordnet.synsets(name.replace(" ", "_"), "n"))


def _reader(root: str) -> Any:
    """Nltk's reader, for English alone."""
    from nltk.corpus.reader.wordnet import WordNetCorpusReader  # type: ignore[import-not-found, import-untyped, unused-ignore]

    opened: list[Any] = []  # nltk closes none of its files

    class EnglishReader(WordNetCorpusReader):  # type: ignore[misc, unused-ignore]
        def open(self, file: str) -> Any:
            opened.append(super().open(file))
            return opened[-1]

        def map_wn(self, version: str = "wordnet") -> None:
            """The map to WordNet 3.0 is for other languages; it would need a second WordNet beside this one."""

    reader = EnglishReader(root, None)
    weakref.finalize(reader, _close, opened)
    return reader


def _close(files: Sequence[Any]) -> None:
    for file in files:
        file.close()


_NO_WORDNET = (
    "WordNet is not installed. Get it once by: python -m nltk.downloader wordnet; or name a folder that holds its "
    "files (extra_categories.wordnet=FOLDER in a run, --wordnet FOLDER at a command)"
)


def check_wordnet(folder: Path | None = None) -> None:
    """Refuse a WordNet that is not there, in a moment: to import nltk takes many seconds.

    Args:
        folder: As `WordNetSimilarity` takes it.

    Raises:
        ConfigError: Says how to get it.
    """
    if folder is not None:
        _corpus_folder(folder.resolve())
    elif not any((root / "corpora" / name).exists() for root in _nltk_folders() for name in ("wordnet", "wordnet.zip")):
        raise ConfigError(_NO_WORDNET)


def _nltk_folders() -> list[Path]:
    """Where nltk looks for its data, as ``nltk.data.path`` has it."""
    named = [from_home(one) for one in os.environ.get("NLTK_DATA", "").split(os.pathsep) if one]
    tops = [Path(top, part) for top in (sys.prefix, "/usr", "/usr/local") for part in ("share", "lib")]
    windows = [Path(os.environ.get("APPDATA", "C:/")), *(Path(f"{drive}:/") for drive in "CDE")]
    return [*named, *(top / "nltk_data" for top in (Path.home(), Path(sys.prefix), *tops, *windows))]


def _corpus_folder(folder: Path) -> Path:
    for root in (folder, folder / "wordnet", folder / "corpora" / "wordnet", folder / "dict"):
        if (root / "data.noun").is_file():
            return root
    raise ConfigError(f"{folder}: holds no WordNet: no file data.noun there, nor in corpora/wordnet")


def build_similarity(name: str, wordnet: Path | str | None = None) -> Similarity:
    """A similarity by name: ``wordnet``, or an embedder's name (`divergen_prompts.embedders.build_embedder`)."""
    return WordNetSimilarity(wordnet) if name == "wordnet" else EmbeddingSimilarity(build_embedder(name))
