"""The training log: one JSON object a line, so that it can be read while it is written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from divergen_records.errors import DatasetError
from divergen_records.files import parse_json, read_text, write_text

__all__ = ["TrainLog", "read_log"]


class TrainLog:
    """Writes ``log.jsonl``.

    Args:
        path: The file.
        start: Iterations done; lines of later ones, of a run that was killed, are dropped.
    """

    def __init__(self, path: Path, start: int = 0) -> None:
        self.path = path
        kept = [line for line in read_log(path) if line["iteration"] <= start] if path.exists() and start else []
        write_text(path, "".join(json.dumps(line) + "\n" for line in kept), overwrite=True)

    def write(self, line: Mapping[str, Any]) -> None:
        """Append a line."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def close(self) -> None:
        """Nothing is open between two lines."""


def read_log(path: Path | str) -> list[dict[str, Any]]:
    """The lines of a training log, in order; a last line cut short by a kill is left out.

    Each has ``iteration`` and either the losses (``loss``, ``loss_classifier`` …), ``lr`` and ``seconds`` per
    iteration, or ``metrics`` of an evaluation.

    Raises:
        DatasetError: If a line before the last is not JSON.
    """
    lines: list[dict[str, Any]] = []
    texts = read_text(path).splitlines()
    for number, text in enumerate(texts, start=1):
        try:
            lines.append(parse_json(text, f"{path}, line {number}"))
        except DatasetError:
            if number < len(texts):
                raise
    return lines
