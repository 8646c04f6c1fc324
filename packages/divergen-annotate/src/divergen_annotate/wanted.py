"""What to look for in photos, and who can: categories and annotators as a command line names them."""

from __future__ import annotations

from pathlib import Path

from divergen_records import Category, ConfigError
from divergen_records.files import read_text

from .choosing import build_one
from .finding import Finder

__all__ = ["build_finder", "wanted_categories"]


def wanted_categories(source: str) -> list[Category]:
    """Categories by names separated by commas, from a text file (a name a line), or from a COCO or LVIS file.

    Raises:
        ConfigError: If there is none, or one stands there twice.
        DatasetError: If the COCO or LVIS file is malformed.
    """
    path = Path(source)
    if path.suffix == ".json":
        from divergen_records.coco import read_dataset

        return list(read_dataset(path).categories)
    names = read_text(path).splitlines() if path.is_file() else source.split(",")
    names = [name.strip() for name in names if name.strip()]
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
