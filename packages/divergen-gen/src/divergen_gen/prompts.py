"""Read a prompts file: JSON Lines of `PromptRecord`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from divergen_records import ConfigError, PromptRecord
from pydantic import ValidationError

__all__ = ["read_prompts"]


def read_prompts(path: Path | str) -> Iterator[PromptRecord]:
    """The prompts of a file, one JSON object a line; empty lines are skipped.

    Raises:
        ConfigError: The file cannot be read, or a line is no prompt record.
    """
    try:
        with Path(path).open(encoding="utf-8-sig") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield _parse(line, f"{path}, line {number}")
    except OSError as error:
        raise ConfigError(f"{path}: the prompts cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: the prompts are not UTF-8 text") from error


def _parse(line: str, where: str) -> PromptRecord:
    try:
        return PromptRecord.model_validate_json(line)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"])) or "the line"
        raise ConfigError(f"{where}: {key}: {first['msg']}; expected a prompt record") from error
