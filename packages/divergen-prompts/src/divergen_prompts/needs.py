"""What prompts and extra categories need before they can be made."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from divergen_records import ConfigError
from divergen_records.requirements import Finding

from .categories import read_categories
from .similarity import check_wordnet

__all__ = ["Candidates"]


@dataclass(frozen=True)
class Candidates:
    """Extra categories to choose from, and what they are compared by.

    Attributes:
        source: As `read_categories` takes it.
        similarity: As `build_similarity` takes it.
        wordnet: A folder with WordNet's files.
    """

    source: str
    similarity: str
    wordnet: Path | None = None

    def look(self) -> Finding | None:
        """Whether the candidates can be read, and WordNet where it is what compares; other models are not loaded."""
        found = read_categories(self.source)
        if not found:
            raise ConfigError(f"{self.source} holds no category to choose from; name another file, or imagenet")
        if self.similarity == "wordnet":
            check_wordnet(self.wordnet)
        return Finding(f"{len(found):,} candidates of {self.source}")
