"""Lists beside pictures that say of what each is, as `datasets` has them: ``metadata.jsonl``, ``.csv`` or ``.parquet``.

https://huggingface.co/docs/datasets/image_dataset#imagefolder: a row for each picture, with its name in ``file_name``.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from .errors import DatasetError, require_extra
from .losses import Losses
from .reading import parse_json, read_text

__all__ = ["find_list", "read_list", "tell_unlisted"]

_NAME = ("file_name", "filename", "file", "image_path", "path", "image")
_CATEGORY = ("category", "category_name", "label", "class", "class_name", "category_id")
"""Names of columns, the first that is there."""


def find_list(folder: Path) -> Path | None:
    """The list in a folder of pictures; None where it has none.

    Raises:
        DatasetError: If it has several.
    """
    found = [path for suffix in _READERS if (path := folder / f"metadata{suffix}").is_file()]
    if len(found) > 1:
        raise DatasetError(f"{folder} holds {found[0].name} and {found[1].name}; leave one of them there")
    return found[0] if found else None


def read_list(path: Path, losses: Losses) -> dict[str, str]:
    """Name of each picture inside the list's folder -> its category, as the list calls it.

    Args:
        path: The list.
        losses: Takes in rows that name no picture or no category, and a picture that stands twice.

    Raises:
        DatasetError: If it cannot be read, or has no column of the names or of the categories.
    """
    rows = _READERS[path.suffix](path)
    columns = list(dict.fromkeys(key for row in rows for key in row))
    name_key, category_key = _column(columns, _NAME, path, "pictures"), _column(columns, _CATEGORY, path, "categories")
    found: dict[str, str] = {}
    for number, row in enumerate(rows, 1):
        name, category = (str(value) if (value := row.get(key)) is not None else "" for key in (name_key, category_key))
        name = name.removeprefix("./").replace("\\", "/")
        if not name or not category:
            losses.add(
                name or f"{path.name}, row {number}", f"{path.name} names no {'category' if name else 'picture'}"
            )
        elif found.setdefault(name, category) != category:
            losses.add(name, f"{path.name} lists it as {found[name]!r} and {category!r}; the first is taken")
    return found


def tell_unlisted(path: Path, listed: Collection[str], there: Collection[str], losses: Losses) -> None:
    """Note pictures that a list lacks, and those that it alone knows, as losses."""
    for name in sorted({*listed} ^ {*there}):
        losses.add(
            name, f"{path.name} does not list it" if name in there else f"is in {path.name}, and not in the folder"
        )


def _column(columns: Iterable[str], wanted: Iterable[str], path: Path, what: str) -> str:
    """The column of the names or of the categories."""
    known = {str(column).strip().lower(): column for column in columns}
    column = next((known[name] for name in wanted if name in known), None)
    if column is None:
        there = ", ".join(map(repr, known)) or "none"
        raise DatasetError(
            f"{path} has no column for the {what} ({', '.join(wanted)}), but {there}; add one, or rename it"
        )
    return column


def _lines(path: Path) -> list[Mapping[str, Any]]:
    lines = [(number, line) for number, line in enumerate(read_text(path).split("\n"), 1) if line.strip()]
    rows = [(number, parse_json(line, f"{path}, line {number}")) for number, line in lines]
    for number, row in rows:
        if not isinstance(row, dict):
            raise DatasetError(f"{path}, line {number}: expected an object, this is a {type(row).__name__}")
    return [row for _, row in rows]


def _sheet(path: Path) -> list[Mapping[str, Any]]:
    text = read_text(path)
    head = text.partition("\n")[0]
    try:
        return list(csv.DictReader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=head.count)))
    except csv.Error as error:
        raise DatasetError(f"{path} is no CSV: {error}") from error


def _parquet(path: Path) -> list[Mapping[str, Any]]:
    with require_extra("divergen-records", "table"):
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile
    try:
        with ParquetFile(path) as file:
            names = [name for name in file.schema_arrow.names if name.lower() in (*_NAME, *_CATEGORY)]
            rows: list[Mapping[str, Any]] = file.read(names or None).to_pylist()
    except (ArrowException, OSError) as error:
        raise DatasetError(f"{path} is no Parquet file, or damaged: {error}") from error
    return rows


_READERS: dict[str, Callable[[Path], list[Mapping[str, Any]]]] = {
    ".jsonl": _lines,
    ".csv": _sheet,
    ".parquet": _parquet,
}
