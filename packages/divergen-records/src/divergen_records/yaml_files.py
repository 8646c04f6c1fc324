"""YAML in one place: UTF-8, bounded before it is built, and read by OmegaConf's rules.

``1e-4`` is a number (YAML 1.2; to PyYAML alone it is a text), a date a text, and a key that stands twice refused. It is
not OmegaConf's own loader, which is private, and in 2.3, which hydra-core asks for, reads other texts than in 2.4.
What aliases expand to is counted before anything is built. `dump_yaml` quotes what would be taken for a number.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from .errors import ConfigError, DivergenError

__all__ = ["dump_yaml", "parse_yaml", "read_yaml"]

_MOST_BYTES = 16_000_000
"""Of a file; all categories of LVIS with their definitions are 0.3 MB."""

_MOST_NODES = 1_000_000
"""Values, once every alias is replaced by what it stands for."""

_FLOAT = re.compile(
    r"""[-+]?[0-9]+(?:_[0-9]+)*(?:\.[0-9_]*(?:[eE][-+]?[0-9]+)?|[eE][-+]?[0-9]+)$
    |[-+]?\.[0-9]+(?:_[0-9]+)*(?:[eE][-+]?[0-9]+)?$
    |[-+]?\.(?:inf|Inf|INF)$|\.(?:nan|NaN|NAN)$""",
    re.VERBOSE,
)

_DEEPEST = 100
"""Lists and mappings inside each other; the parser works by recursion."""


def read_yaml(path: Path, *, error: type[DivergenError] = ConfigError) -> Any:
    """What a YAML file holds.

    Args:
        path: The file.
        error: What is raised where it cannot be read.

    Raises:
        DivergenError: Of the type ``error``: no such file, not UTF-8, not YAML, too large, too deep, an alias bomb.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise error(f"{path}: larger than {_MOST_BYTES // 1_000_000} MB, which no YAML file of ours is")
        if not path.is_file():
            raise error(f"{path}: not a file")
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as problem:
        raise error(f"{path}: there is no such file") from problem
    except OSError as problem:
        raise error(f"{path}: cannot be read: {problem.strerror}") from problem
    except UnicodeDecodeError as problem:
        raise error(f"{path}: not UTF-8 text (byte {problem.start}); save it as UTF-8") from problem
    return parse_yaml(text, str(path), error=error)


def parse_yaml(text: str, where: str, *, error: type[DivergenError] = ConfigError) -> Any:
    """What a YAML text says.

    Args:
        text: The text.
        where: What a message calls it, for example its file.
        error: What is raised where it cannot be read.

    Raises:
        DivergenError: Of the type ``error``: not YAML, too deep, an alias bomb.
    """
    import yaml

    try:
        _refuse_bombs(text)
        return yaml.load(text, Loader=_loader())  # noqa: S506 - a SafeLoader
    except (yaml.YAMLError, ValueError) as problem:
        raise error(f"{where}: not valid YAML: {_sentence(problem)}") from problem


def dump_yaml(values: Any) -> str:
    """YAML that `parse_yaml` reads back as the same values; mappings keep their order."""
    import yaml

    return str(yaml.dump(values, Dumper=_dumper(), sort_keys=False, allow_unicode=True))


@cache
def _loader() -> Any:
    import yaml

    class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
        """Refuses a key that stands twice."""

        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            seen = set()
            for key, _ in node.value:
                if key.tag == yaml.resolver.BaseResolver.DEFAULT_SCALAR_TAG:
                    if key.value in seen:
                        twice = f"found duplicate key {key.value}"
                        raise yaml.constructor.ConstructorError(None, node.start_mark, twice, key.start_mark)
                    seen.add(key.value)
            return super().construct_mapping(node, deep=deep)

    return _with_yaml_1_2(Loader)


@cache
def _dumper() -> Any:
    import yaml

    class Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
        """Writes tuples as lists."""

    Dumper.add_representer(tuple, yaml.representer.SafeRepresenter.represent_list)
    return _with_yaml_1_2(Dumper)


def _with_yaml_1_2(kind: Any) -> Any:
    """A loader or dumper with numbers of YAML 1.2 and without dates, which would become Python's."""
    kind.yaml_implicit_resolvers = {
        letter: [one for one in known if one[0] != "tag:yaml.org,2002:timestamp"]
        for letter, known in kind.yaml_implicit_resolvers.items()
    }
    kind.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+0123456789."))
    return kind


@dataclass
class _Open:
    """A list or mapping whose end has not come: its anchor, the values before it, and how deep it goes so far."""

    anchor: str | None
    before: int
    height: int = 0


def _refuse_bombs(text: str) -> None:
    """Raise `ValueError` for what would not fit the parser's recursion or the memory; events come without either."""
    import yaml

    inside: list[_Open] = []
    anchored: dict[str | None, tuple[int, int]] = {}  # anchor -> values in it, and how deep they go
    values = 0
    for event in yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        height = 0
        if isinstance(event, yaml.CollectionStartEvent):
            anchored.pop(event.anchor, None)
            inside.append(_Open(event.anchor, values))
        elif isinstance(event, yaml.CollectionEndEvent):
            closed = inside.pop()
            height, values = closed.height + 1, values + 1
            anchored[closed.anchor] = values - closed.before, height
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor not in anchored and any(event.anchor == one.anchor for one in inside):
                raise ValueError(f"*{event.anchor} stands inside of what it stands for")
            more, height = anchored.get(event.anchor, (1, 0))
            values += more
        elif isinstance(event, yaml.ScalarEvent):
            anchored[event.anchor] = 1, 0
            values += 1
        if inside:
            inside[-1].height = max(inside[-1].height, height)
        if len(inside) + height > _DEEPEST:
            raise ValueError(f"lists and mappings are nested deeper than {_DEEPEST}")
        if values > _MOST_NODES:
            raise ValueError(f"more than {_MOST_NODES:,} values, once aliases are replaced by what they stand for")


def _sentence(problem: Exception) -> str:
    """A YAML error in one line: what, and where in the text."""
    what = getattr(problem, "problem", None)
    if what is None:
        return " ".join(str(problem).split())
    mark, context = getattr(problem, "problem_mark", None), getattr(problem, "context", None)
    what = f"{context}: {what}" if str(context).startswith("found duplicate anchor") else what
    what = str(what).split(" See http")[0].rstrip(".")
    return what if mark is None else f"{what} (line {mark.line + 1}, column {mark.column + 1})"
