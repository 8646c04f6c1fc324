"""Formats by name: ours, and those of installed packages."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError, DatasetError
from ..stores import refuse_store
from ..stores.copies import local
from ..text import did_you_mean
from .builtin import BUILTIN, CocoFormat
from .foreign import tell_foreign
from .protocol import Format, HoldsSplits, ReadsData, Source, WritesData

if TYPE_CHECKING:
    from ..dataset import Dataset

__all__ = ["GROUP", "add_format", "find_format", "get_format", "locate", "read_any", "readers", "writers"]

GROUP = "divergen.formats"
"""The entry point group by which a package adds a format."""


def readers() -> dict[str, ReadsData]:
    """The formats that read, by name."""
    return {name: found for name, found in _formats().items() if isinstance(found, ReadsData)}


def writers() -> dict[str, WritesData]:
    """The formats that write, by name."""
    return {name: found for name, found in _formats().items() if isinstance(found, WritesData)}


def get_format(name: str) -> Format:
    """The format of a name; raises `ConfigError` if there is none."""
    known = _formats()
    if name not in known:
        hint = did_you_mean(name, known)
        raise ConfigError(f"format {name!r} is not known{hint} Known are {', '.join(known)}.")
    return known[name]


def find_format(path: Path) -> ReadsData:
    """The first format that recognises a file or folder; raises `DatasetError` if none does."""
    refuse_store(path)
    if not path.exists():
        raise DatasetError(f"{path}: there is no such file or folder")
    found = _recognised(path)
    if found is not None:
        return found
    foreign = tell_foreign(path)
    if foreign is not None:
        raise DatasetError(f"{path}: {foreign}")
    raise DatasetError(
        f"{path}: no format recognises it (known: {', '.join(readers())}; YOLO needs a data.yaml or classes.txt "
        "with the names); give the data set's JSON file, or the folder that holds it and its pictures"
    )


@dataclass(frozen=True)
class Located:
    """A data set that was found.

    Attributes:
        format: Whose it is.
        source: What the format reads.
        note: What a person should know of the choice.
    """

    format: ReadsData
    source: Source
    note: str | None = None

    def read(self, *, image_dir: Path | None = None, **options: Any) -> Dataset:
        """Read it; `ReadsData.read` tells the options."""
        images = image_dir or self.source.images
        dataset = self.format.read(self.source.path, image_dir=images, **options)
        return dataset if self.note is None else dataset.replace(notes=[self.note, *dataset.notes])


def locate(path: Path, split: str | None = None) -> Located:
    """A data set's format and what it reads: the path, or the folder in it that holds the data; as `find_format`.

    Args:
        path: A file or folder.
        split: ``"train"``, ``"val"`` or ``"test"``: of a path that holds several, this one alone.

    Raises:
        DatasetError: If no format recognises it, or it holds several splits and not this one.
    """
    refuse_store(path)
    if not _recognised(path):
        from .layouts import unwrapped

        path = unwrapped(path)
    found = find_format(path)
    splits = found.splits(path) if split is not None and isinstance(found, HoldsSplits) else {}
    if split is None or len(splits) < 2:
        return Located(found, Source(path))
    if split not in splits:
        raise DatasetError(f"{path}: holds {', '.join(splits)}, no {split}; give the file or folder of what you mean")
    chosen = splits[split]
    others = ", ".join(name for name in splits if name != split)
    return Located(found, chosen, f"{path}: {split} is read, {chosen.images or chosen.path}; not {others}")


def _recognised(path: Path) -> ReadsData | None:
    return next((found for found in readers().values() if found.recognises(path)), None)


def read_any(path: Path | str, *, split: str | None = None, **options: Any) -> Dataset:
    """Read a data set of whatever format, brought here from an object store.

    Args:
        path: A file or folder.
        split: As in `locate`.
        options: See `ReadsData.read`.
    """
    return locate(local(path), split).read(**options)


def add_format(name: str, folder: Path, *, overwrite: bool = False, progress: bool = False) -> Path:
    """Give a baked folder (``images/`` and ``annotations.json``) another format too.

    Args:
        name: A format that writes. Labels that lie beside the pictures are written there, others into ``FOLDER/NAME``.
        folder: The folder.
        overwrite: Replace what was written there before.
        progress: Show the progress.

    Returns:
        The file to begin with.

    Raises:
        ConfigError: If there is no such format.
        DatasetError: As the format's `WritesData.write`.
    """
    from .coco.read import read_dataset

    writer = get_format(name)
    if not isinstance(writer, WritesData):
        raise ConfigError(f"format {name!r} cannot be written; these can: {', '.join(writers())}")
    file = folder / "annotations.json"
    if isinstance(writer, CocoFormat):
        return file  # what a baked folder is anyway; one file reads as both
    dataset = read_dataset(file, image_dir=folder / "images")
    return writer.write(dataset, folder if writer.beside else folder / name, overwrite=overwrite, progress=progress)


@cache
def _formats() -> dict[str, Format]:
    """Ours first, in their order; a package cannot take the name of one of ours."""
    found: dict[str, Format] = {one.name: one for one in BUILTIN}
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        made = point.load()
        one = made() if callable(made) else made
        if not isinstance(one, ReadsData | WritesData):
            raise ConfigError(
                f"{point.value}: is no format; it has neither what `ReadsData` nor what `WritesData` asks for"
            )
        if one.name in found:
            raise ConfigError(f"{point.value}: a format of the name {one.name!r} is there already")
        found[one.name] = one
    return found
