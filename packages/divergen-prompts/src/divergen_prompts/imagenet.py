"""The 1,000 categories of ImageNet-1K, as shipped with timm."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from divergen_records import Category, DatasetError, MissingExtra
from divergen_records.errors import install_line, lacking

__all__ = ["imagenet_categories"]


def imagenet_categories() -> list[Category]:
    """ImageNet-1K: id = class index, names, WordNet ids as ``synset`` (``n01440764``), definitions.

    Reads timm's files without importing timm, which would import torch.

    Raises:
        MissingExtra: If timm is not installed.
        DatasetError: If this timm has no such files.
    """
    spec = find_spec("timm")
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtra(lacking("timm", install_line("divergen-prompts", "imagenet")))
    folder = Path(next(iter(spec.submodule_search_locations))) / "data" / "_info"
    try:
        synsets = (folder / "imagenet_synsets.txt").read_text(encoding="utf-8").split()
        names = _table(folder / "imagenet_synset_to_lemma.txt")
        definitions = _table(folder / "imagenet_synset_to_definition.txt")
    except OSError as error:
        raise DatasetError(f"{folder}: timm's ImageNet files cannot be read: {error}") from error
    return [_category(index, synset, names[synset], definitions.get(synset)) for index, synset in enumerate(synsets)]


def _table(path: Path) -> dict[str, str]:
    rows = (line.partition("\t") for line in path.read_text(encoding="utf-8").splitlines())
    return {synset: text for synset, _, text in rows}


def _category(index: int, synset: str, described: str, definition: str | None) -> Category:
    names = [name.strip() for name in described.split(",")]
    return Category(
        id=index, name=names[0].replace(" ", "_"), synonyms=tuple(names), synset=synset, definition=definition or None
    )
