"""What to look for in photos, and who can: categories and annotators as a command line names them."""

from __future__ import annotations

import re
from pathlib import Path

from divergen_records import Category, ConfigError
from divergen_records.files import read_text

from .choosing import build_one
from .finding import Finder

__all__ = ["build_finder", "wanted_categories"]


_DATA = (".json", ".gz", ".yaml", ".yml")
"""Endings of files that are data sets."""

_LISTS = (".txt", ".names", ".csv", ".tsv", ".jsonl", ".pbtxt")
"""Endings of files that no category is called by."""

_NO_NAME = re.compile(r".*[{}<>\[\]:;,=\t]|- ")
"""A line of a list in another form."""


def wanted_categories(source: str) -> list[Category]:
    """Categories by names separated by commas, from a text file (a name a line), or from a data set.

    Raises:
        ConfigError: If there is none, one stands there twice, or a file is something else.
        DatasetError: If the data set's categories cannot be read.
    """
    path = Path(source)
    if path.is_dir() or path.suffix.lower() in _DATA:
        from divergen_records.data_options import open_categories

        return list(open_categories(path))
    if not path.is_file() and path.suffix.lower() in _LISTS and "," not in source:
        raise ConfigError(f"--categories {source}: there is no such file")
    names = read_text(path).splitlines() if path.is_file() else source.split(",")
    names = [name.strip() for name in names if name.strip()]
    numbered = len(names) > 1 and all(re.match(r"\d+[.)]?\s", name) for name in names)
    odd = names[0] if numbered else next(filter(_NO_NAME.match, names), None)
    if path.is_file() and odd is not None:
        raise ConfigError(f"--categories {source}: is no list of names, a name a line: {odd!r:.60}")
    twice = next((name for name in names if names.count(name) > 1), None)
    if not names or twice is not None:
        what = f"{twice!r} stands there twice" if twice is not None else "there is no name"
        raise ConfigError(f"--categories {source}: {what}; give for example cup,dog, or a file with a name a line")
    return [Category(id=number, name=name) for number, name in enumerate(names, 1)]


def build_finder(names: tuple[str, ...], settings: tuple[str, ...], checkpoint: str | None) -> Finder:
    """The annotator that is named, if it can find all objects of a name.

    Raises:
        ConfigError: If none is named, or it cannot.
    """
    if not names:
        raise ConfigError(f"photos needs an annotator that finds objects by name: {_FINDERS}")
    annotator = build_one(names, settings, checkpoint)
    if not isinstance(annotator, Finder):
        raise ConfigError(f"{annotator.name} makes one mask per picture and does not find objects by name; {_FINDERS}")
    return annotator


_FINDERS = "--annotator sam3 or --annotator grounded-sam, each with its weights (see --help)"
