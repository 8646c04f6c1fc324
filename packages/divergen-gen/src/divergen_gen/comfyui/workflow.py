"""A workflow of ComfyUI as a template: where the prompt, the category and the seed of a picture go."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from divergen_records import ConfigError, InstanceRecord
from divergen_records.file_names import from_home
from divergen_records.reading import parse_json, read_text

__all__ = ["Seed", "Workflow", "WorkflowFile", "read_workflow"]

_PROMPT, _CATEGORY = "{prompt}", "{category}"
_SEEDS = ("seed", "noise_seed")
_SHOWN = 3


@dataclass(frozen=True)
class Seed:
    """An input that holds a seed.

    Attributes:
        node: Id of its node.
        kind: The node's class.
        name: The input's name.
    """

    node: str
    kind: str
    name: str


@dataclass(frozen=True)
class Workflow:
    """Nodes by their ids, as ComfyUI's API takes them.

    Attributes:
        nodes: Id -> ``class_type`` and ``inputs``.
    """

    nodes: Mapping[str, Mapping[str, Any]]

    @property
    def seeds(self) -> list[Seed]:
        """The inputs that get a picture's seed: those of that name that hold a number, and no link."""
        return [
            Seed(key, str(node["class_type"]), name)
            for key, node in self.nodes.items()
            for name, value in node["inputs"].items()
            if name in _SEEDS and isinstance(value, int) and not isinstance(value, bool)
        ]

    def meaning(self) -> str:
        """All that decides about the pictures, as a text: without names of nodes, and the seeds that are replaced."""
        drawn = {key: [node["class_type"], dict(node["inputs"])] for key, node in self.nodes.items()}
        for seed in self.seeds:
            drawn[seed.node][1][seed.name] = None
        return json.dumps(drawn, sort_keys=True)

    def filled(self, record: InstanceRecord, largest: Mapping[Seed, int]) -> dict[str, Any]:
        """The nodes with a picture's prompt, category and seed.

        Args:
            record: A planned record.
            largest: What each seed may be at most; a larger one begins again at 0.
        """

        def fill(text: str) -> str:
            # One pass: a prompt that says {category} says just that.
            before = text.split(_PROMPT)
            return record.prompt.join(part.replace(_CATEGORY, record.category) for part in before)

        nodes = {key: {**node, "inputs": _mapped(node["inputs"], fill)} for key, node in self.nodes.items()}
        for seed, most in largest.items():
            nodes[seed.node]["inputs"][seed.name] = record.seed % (most + 1)
        return nodes


@dataclass(frozen=True)
class WorkflowFile:
    """A workflow's file that has to be there, and marked for the prompt.

    Attributes:
        path: Where.
    """

    path: Path

    def look(self) -> None:
        """Nothing where it is one; see `read_workflow` for what is raised."""
        read_workflow(self.path)


def read_workflow(path: Path) -> Workflow:
    """A workflow's file, as ComfyUI's "Export (API)" saves it.

    Raises:
        ConfigError: If it is none, or no place in it is marked for the prompt; with what to do.
    """
    if not from_home(path).is_file():
        raise ConfigError(f'workflow {path}: is not there; give the file that ComfyUI\'s "Export (API)" saves')
    found = parse_json(read_text(from_home(path)), f"workflow {path}", error=ConfigError)
    found = found.get("prompt", found) if isinstance(found, dict) else found
    if isinstance(found, dict) and isinstance(found.get("nodes"), list):
        raise ConfigError(
            f'workflow {path}: it is saved for ComfyUI\'s editor; save it by "Export (API)" '
            '("Save (API Format)" in older versions, behind "dev mode")'
        )
    if not isinstance(found, dict) or not found or not all(map(_is_node, found.values())):
        raise ConfigError(f'workflow {path}: no workflow of ComfyUI; give the file that its "Export (API)" saves')
    inputs = ({**node["inputs"], "filename_prefix": None} for node in found.values())  # a name decides nothing
    if not any(_PROMPT in text for one in inputs for text in _texts(one)):
        raise ConfigError(f"workflow {path}: {_PROMPT} stands in none of its inputs; {_candidates(found)}")
    return Workflow(found)


def _is_node(value: Any) -> bool:
    return isinstance(value, dict) and "class_type" in value and isinstance(value.get("inputs"), dict)


def _candidates(nodes: Mapping[str, Any]) -> str:
    """Where the prompt could go: inputs that hold a text of several words."""
    places = [
        f'"{name}" of node {key} ({node["class_type"]}), now {value[:40]!r}'
        for key, node in nodes.items()
        for name, value in node["inputs"].items()
        if isinstance(value, str) and (" " in value.strip() or name in ("text", "prompt"))
    ]
    where = "; ".join(places[:_SHOWN]) or "mostly the text of its positive prompt"
    return f"write {_PROMPT} where each picture's prompt belongs: {where}"


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner)


def _mapped(value: Any, change: Callable[[str], str]) -> Any:
    """A copy with every text changed."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {key: _mapped(inner, change) for key, inner in value.items()}
    return [_mapped(inner, change) for inner in value] if isinstance(value, list) else value
