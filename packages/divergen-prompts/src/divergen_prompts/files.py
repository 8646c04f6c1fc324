"""Prompts files: JSON Lines, one `PromptRecord` a line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from divergen_records import DatasetError, PromptRecord
from divergen_records.files import writing_text
from pydantic import ValidationError

__all__ = ["prompt_line", "read_prompts", "write_prompts"]


def read_prompts(path: Path | str) -> list[PromptRecord]:
    """Read a prompts file.

    Args:
        path: JSON Lines; blank lines are ignored.

    Raises:
        DatasetError: If the file cannot be read or a line is not a `PromptRecord`; names the line and key.
    """
    return list(_lines(Path(path)))


def _lines(path: Path) -> Iterator[PromptRecord]:
    try:
        with path.open(encoding="utf-8-sig") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield _parse(path, number, line)
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path}: cannot be read as a prompts file: {error}") from error


def _parse(path: Path, number: int, line: str) -> PromptRecord:
    try:
        return PromptRecord.model_validate_json(line)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"]) or "the line"
        raise DatasetError(
            f"{path}, line {number}: {key}: {first['msg']}. Each line is a JSON object with text, category_id, "
            "category and source"
        ) from error


def prompt_line(prompt: PromptRecord) -> str:
    """A record as its line, without the line's end; keys that are not set are left out."""
    return prompt.model_dump_json(exclude_defaults=True)


def write_prompts(path: Path | str, prompts: Iterable[PromptRecord], *, overwrite: bool = False) -> int:
    """Write a prompts file, whole or not at all; returns the number of prompts.

    Raises:
        ExistsError: If the file exists and ``overwrite`` is not set.
    """
    count = 0
    with writing_text(path, overwrite=overwrite) as file:
        for prompt in prompts:
            file.write(prompt_line(prompt) + "\n")
            count += 1
    return count
