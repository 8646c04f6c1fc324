"""YAML in one place: UTF-8, bounded before it is built, and read as OmegaConf reads it.

OmegaConf's loader takes ``1e-4`` for a number (YAML 1.2; PyYAML's own makes it a text) and refuses a key that stands
twice. What aliases expand to is counted before anything is built. `dump_yaml` quotes what it would take for a number.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from .errors import ConfigError, DivergenError

__all__ = ["dump_yaml", "parse_yaml", "read_yaml"]

_MOST_BYTES = 16_000_000
"""Of a file; all categories of LVIS with their definitions are 0.3 MB."""

_MOST_NODES = 1_000_000
"""Values, once every alias is replaced by what it stands for."""

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
    from omegaconf._utils import get_omega_conf_dumper

    class Dumper(get_omega_conf_dumper()):  # type: ignore[misc]
        """With tuples as lists, which OmegaConf 2.3 writes as Python's own."""

    Dumper.add_representer(tuple, yaml.representer.SafeRepresenter.represent_list)
    return str(yaml.dump(values, Dumper=Dumper, sort_keys=False, allow_unicode=True))


def _loader() -> Any:
    """OmegaConf's loader; `OmegaConf.load` would also interpolate ``${…}``. Hence the pin below 2.5."""
    try:
        loaders: Any = import_module("omegaconf._yaml")
    except ModuleNotFoundError:  # 2.3, the newest that hydra-core allows, and so detectron2
        return import_module("omegaconf._utils").get_yaml_loader()
    return loaders.get_yaml_loader(max_yaml_expanded_nodes=_MOST_NODES)


def _refuse_bombs(text: str) -> None:
    """Raise `ValueError` for what would not fit the parser's recursion or the memory; events come without either."""
    import yaml

    inside: list[tuple[str | None, int]] = []  # of each open collection its anchor and the values so far
    anchored: dict[str | None, int] = {}
    values = 0
    for event in yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        if isinstance(event, yaml.CollectionStartEvent):
            inside.append((event.anchor, values))
            if len(inside) > _DEEPEST:
                raise ValueError(f"lists and mappings are nested deeper than {_DEEPEST}")
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = inside.pop()
            anchored[anchor] = values - before + 1
            values += 1
        elif isinstance(event, yaml.AliasEvent):
            if any(event.anchor == anchor for anchor, _ in inside):
                raise ValueError(f"*{event.anchor} stands inside of what it stands for")
            values += anchored.get(event.anchor, 1)
        elif isinstance(event, yaml.ScalarEvent):
            anchored[event.anchor] = 1
            values += 1
        if values > _MOST_NODES:
            raise ValueError(f"more than {_MOST_NODES:,} values, once aliases are replaced by what they stand for")


def _sentence(problem: Exception) -> str:
    """A YAML error in one line: what, and where in the text."""
    what = getattr(problem, "problem", None)
    if what is None:
        return " ".join(str(problem).split())
    mark = getattr(problem, "problem_mark", None)
    what = str(what).split(" See http")[0].rstrip(".")
    return what if mark is None else f"{what} (line {mark.line + 1}, column {mark.column + 1})"
