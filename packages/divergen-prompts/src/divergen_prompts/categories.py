"""Categories from files: LVIS or COCO JSON, a list of categories as JSON, YAML or CSV, and plain lists of names."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from io import StringIO
from pathlib import Path
from typing import Any

from divergen_records import Category, DatasetError
from divergen_records.command import echo, note
from divergen_records.files import parse_json, read_text
from divergen_records.roots import root_ids
from divergen_records.yaml_files import parse_yaml
from pydantic import ValidationError

__all__ = ["check_categories", "read_categories"]

_KEYS = {
    "def": "definition", "definition": "definition", "gloss": "definition", "description": "definition",
    "name": "name", "category": "name", "label": "name", "class": "name",
    "id": "id", "category_id": "id",
    "synonyms": "synonyms", "synset": "synset", "frequency": "frequency",
    "image_count": "image_count", "instance_count": "instance_count",
}  # fmt: skip
"""Key in a file -> field of `Category`; other keys (``supercategory``, ``isthing``) say nothing about prompts."""

_NAMES = {key for key, field in _KEYS.items() if field == "name"}


def read_categories(source: Path | str) -> list[Category]:
    """Read categories.

    Args:
        source: A file, by its suffix: ``.json`` (an LVIS or COCO dataset, or a list of categories or names), ``.jsonl``
            (one a line), ``.yaml`` or ``.yml`` (a list of categories or names, or a mapping of names to definitions, or
            of ids to names), ``.csv`` or ``.tsv`` (with a header that has ``name``), else plain text (a name a line,
            ``name: definition`` or ``name<tab>definition``, ``#`` opens a comment), or text that is one of these or
            TensorFlow's label map. YOLO's ``data.yaml`` has ``names``. Or the word ``imagenet``: ImageNet-1K, shipped
            with timm.

    Raises:
        DatasetError: If the file cannot be read, holds no categories, or two share an id; names the file and key.
        MissingExtra: If YAML or timm is not installed.
    """
    if str(source) == "imagenet":
        from .imagenet import imagenet_categories

        return imagenet_categories()
    path = Path(source)
    try:
        text = read_text(path)
    except OSError as error:
        raise DatasetError(
            f"{path}: cannot be read as categories ({error.strerror}); give a file of them, or imagenet"
        ) from error
    rows = _READERS.get(path.suffix.lower(), _read_text)(path, text)
    categories = [_category(path, position, row) for position, row in enumerate(rows)]
    check_categories(categories, where=str(path))
    return categories


def check_categories(categories: Sequence[Category], *, where: str = "categories") -> None:
    """Refuse what cannot be prompted: no categories, duplicate ids, names that are none.

    Told are names without a letter or digit, and those that several categories have.

    Raises:
        DatasetError: Names the category.
    """
    if not categories:
        raise DatasetError(f"{where}: holds no categories")
    seen: dict[int, str] = {}
    for category in categories:
        if not category.label.strip():
            raise DatasetError(f"{where}: category {category.id} has no name to prompt for: {category.name!r}")
        if not any(letter.isalnum() for letter in category.label):
            _tell_wordless(category.id, category.name)
        if not category.name.isprintable():
            raise DatasetError(
                f"{where}: category {category.id} is called {category.name!r}, which holds letters that no text has; "
                "save the file as UTF-8 text"
            )
        if category.id in seen:
            raise DatasetError(
                f"{where}: categories {seen[category.id]!r} and {category.name!r} share the id {category.id}; "
                "give each its own"
            )
        seen[category.id] = category.name
    for name, count in Counter(seen.values()).items():
        if count > 1:
            _tell_alike(name, count)


@cache
def _tell_wordless(number: int, name: str) -> None:
    """Once, for it is looked at when categories are read, and when they are prompted."""
    note(f"category {number}, {name!r}: a name without a letter or digit says nothing to a generator; rename it")


@cache
def _tell_alike(name: str, count: int) -> None:
    note(
        f"{count} categories are called {name!r}; each gets prompts of its own, so leave out those that you do not mean"
    )


def _category(path: Path, position: int, row: Any) -> Category:
    values: dict[str, Any] = {"name": row} if isinstance(row, str) else _fields(path, position, row)
    values.setdefault("id", position + 1)
    if isinstance(values.get("synonyms"), str):
        values["synonyms"] = [part.strip() for part in values["synonyms"].replace(";", ",").split(",") if part.strip()]
    try:
        return Category.model_validate({key: value for key, value in values.items() if value not in (None, "", [])})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        what = "has no name" if key == "name" else f"{key}: {first['msg']}"
        raise DatasetError(
            f"{path}: category {values.get('id')} (number {position + 1} of the file): {what}"
        ) from error


def _fields(path: Path, position: int, row: Any) -> dict[str, Any]:
    if not isinstance(row, Mapping):
        raise DatasetError(f"{path}: entry {position + 1} is neither a category nor a name: {row!r:.60}")
    return {_KEYS[key]: value for key, value in row.items() if key in _KEYS and value is not None}


def _read_json(path: Path, text: str) -> Iterable[Any]:
    return _listed(path, parse_json(text, str(path)))


def _read_yaml(path: Path, text: str) -> Iterable[Any]:
    return _listed(path, parse_yaml(text, str(path), error=DatasetError))


def _listed(path: Path, content: Any) -> Iterable[Any]:
    if isinstance(content, Mapping) and isinstance(names := content.get("names"), list | Mapping):
        return _classes(path, names)
    if isinstance(content, Mapping) and "categories" in content:
        content = _without_roots(path, content["categories"], content.get("annotations"))
    elif isinstance(content, Mapping) and all(isinstance(value, str | None) for value in content.values()):
        return _numbered([{"name": str(name), "definition": definition} for name, definition in content.items()])
    elif isinstance(content, Mapping) and all(type(value) is int for value in content.values()):
        return [{"name": str(name), "id": id_} for name, id_ in content.items()]
    if not isinstance(content, list):
        raise DatasetError(f"{path}: holds no list of categories, neither itself nor under the key 'categories'")
    return content


def _classes(path: Path, names: Any) -> list[dict[str, Any]]:
    """Class names of YOLO, by number or in its order; the ids are those of the data set as it is read: from 1."""
    numbered = list(names.items() if isinstance(names, Mapping) else enumerate(names))
    if not all(str(number).isdecimal() for number, _ in numbered):
        raise DatasetError(f"{path}: names is a list, or {{class: name}}, not {names!r:.80}")
    return [{"id": int(number) + 1, "name": name} for number, name in numbered]


def _without_roots(path: Path, categories: Any, annotations: Any) -> Any:
    """The categories of a data set without one that only heads the others, which is said."""
    if not isinstance(categories, list) or not isinstance(annotations, list):
        return categories
    sound = (row for row in categories if isinstance(row, Mapping) and isinstance(row.get("name"), str))
    rows = {row["id"]: row for row in sound if isinstance(row.get("id"), int)}
    named = (row.get("category_id") for row in annotations if isinstance(row, Mapping))
    heads = [rows[id_] for id_ in sorted(root_ids(rows, {id_ for id_ in named if isinstance(id_, int)}))]
    for row in heads:
        echo(f"{path}: category {row['name']!r} only heads the others; there are no prompts for it", err=True)
    return [row for row in categories if row not in heads]


def _read_table(path: Path, text: str) -> Iterable[Any]:
    lines = list(StringIO(text, newline=None))  # str.splitlines would take the line breaks out of quoted cells
    head = lines[0].lower() if lines else ""
    rows = list(csv.DictReader([head, *lines[1:]], delimiter=max(",;\t", key=head.count)))
    if rows and not _NAMES & rows[0].keys():
        raise DatasetError(f"{path}: its header has no column 'name': {', '.join(map(str, rows[0]))}")
    return [{key: value for key, value in row.items() if isinstance(key, str)} for row in rows]


def _read_text(path: Path, text: str) -> Iterable[Any]:
    """A name a line, or what the text is, whatever the file's name says."""
    lines = [line for line in (line.partition("#")[0].strip() for line in text.splitlines()) if line]
    head = lines[0] if lines else ""
    cells = [cell.strip() for cell in re.split(r"[,;\t]", head.lower())]
    if len(lines) > 1 and all(line[0] + line[-1] == "{}" for line in lines):
        return _read_lines(path, text)
    if head[:1] in ("{", "["):
        return _read_json(path, text)
    if re.match(r"item\s*\{", "\n".join(lines)):
        return _read_label_map(path, text)
    if head == "names:" or (lines and all(line.startswith("- ") for line in lines)):
        return _read_yaml(path, text)
    if len(lines) > 1 and len(cells) > 1 and _NAMES & {*cells}:
        return _read_table(path, text)
    if odd := next((line for line in lines if re.search(r"[{}<>]| = ", line)), None):
        raise DatasetError(f"{path}: is no list of names, a name a line: {odd!r:.60}")
    if len(lines) == 1 and head.count(",") > 1:
        raise DatasetError(f"{path}: is one line with commas; write a name a line")
    counted = [re.match(r"(\d+)[.)]?\s+(.*)", line) for line in lines]
    if len(lines) > 1 and len({match[1] for match in counted if match}) == len(lines):
        note(f"the numbers of its lines, as in {head!r:.60}, are read as ids")
        return [{"id": int(match[1]), **_split(match[2])} for match in counted if match]
    return _numbered([_split(line) for line in lines])


def _read_label_map(path: Path, text: str) -> list[dict[str, Any]]:
    """TensorFlow's ``label_map.pbtxt``: items with an id, and a name or what is displayed for it."""
    rows = []
    for item in re.findall(r"item\s*\{([^{}]*)\}", text):
        found = dict(re.findall(r"(\w+)\s*:\s*(\d+|'[^']*'|\"[^\"]*\")", item))
        name = (found.get("display_name") or found.get("name") or "")[1:-1]
        rows.append({"name": name, **({"id": int(found["id"])} if "id" in found else {})})
    if len(rows) != len(re.findall(r"^\s*item\b", text, re.MULTILINE)):
        raise DatasetError(f"{path}: is a label map of TensorFlow that cannot be read; give its names, one a line")
    return rows


def _numbered(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Where the names are all numbers, they are the ids of what stands behind them, as in ``0: cup``."""
    if not rows or not all(row["name"].isdecimal() and row.get("definition") for row in rows):
        return rows
    note(f"{rows[0]['name']!r} and the like are read as ids, and what stands behind them as names")
    return [{"id": int(row["name"]), "name": row["definition"]} for row in rows]


def _read_lines(path: Path, text: str) -> Iterable[Any]:
    lines = enumerate(text.split("\n"), 1)
    return [parse_json(line, f"{path}, line {number}") for number, line in lines if line.strip()]


def _split(line: str) -> dict[str, str]:
    for mark in ("\t", ": "):
        name, found, definition = line.partition(mark)
        if found:
            return {"name": name.strip(), "definition": definition.strip()}
    return {"name": line}


_READERS: dict[str, Callable[[Path, str], Iterable[Any]]] = {
    ".json": _read_json,
    ".jsonl": _read_lines,
    ".yaml": _read_yaml,
    ".yml": _read_yaml,
    ".csv": _read_table,
    ".tsv": _read_table,
}
