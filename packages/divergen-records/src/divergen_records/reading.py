"""Read small files of others: only files, only UTF-8, only JSON that is not nested without end; one sentence else."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

from .errors import DatasetError, DivergenError
from .stores import StorePath, place

__all__ = ["parse_json", "read_json", "read_text", "refuse_pipe"]

_OPEN_ALREADY = ("/dev/fd/", "/dev/stdin", "/proc/self/fd/")
"""What a shell's ``<(…)`` and ``-`` stand for: somebody writes there."""


def refuse_pipe(path: Path | str, *, error: type[DivergenError] = DatasetError) -> None:
    """Refuse a pipe, a socket or a device, which could be read for ever; what is not there is nobody's trouble here.

    Raises:
        DivergenError: Of the type ``error``.
    """
    if isinstance(path, StorePath) or str(path).startswith(_OPEN_ALREADY):
        return
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116 - also of a text
    except OSError:
        return
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise error(f"{path}: a pipe or a device, and no file; write its content to a file")


def read_text(path: Path | str) -> str:
    """A UTF-8 text file, without its byte order mark if it has one.

    Raises:
        DatasetError: If it is no UTF-8, and names the first line that is not; or if it is no file.
        OSError: If it cannot be read.
    """
    file = place(path)
    refuse_pipe(file)
    data = file.read_bytes()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DatasetError(
            f"{path}, line {line}: this is no UTF-8 text (byte 0x{data[error.start]:02x}, Latin-1 perhaps, or no text "
            f"at all); save it as UTF-8, for example: iconv -f latin1 -t utf8 {Path(path).name}"
        ) from error


def parse_json(text: str | bytes, where: str, *, error: type[DivergenError] = DatasetError) -> Any:
    """What a JSON text says; NaN and Infinity as Python's json reads them.

    Args:
        text: The text.
        where: What a message calls it, for example its file.
        error: What is raised where it cannot be read.

    Raises:
        DivergenError: Of the type ``error``: empty, no JSON, nested too deep.
    """
    try:
        return _decoded(text)
    except ValueError as problem:
        raise error(f"{where}: {problem}") from problem


def read_json(path: Path | str, remedy: str) -> dict[str, Any]:
    """A small JSON object that this program wrote before.

    Args:
        path: The file.
        remedy: What to do where it is damaged, for the message.

    Raises:
        DatasetError: If it is empty, cut off, or no JSON object.
        OSError: If it cannot be read.
    """
    text = read_text(path)
    try:
        found = _decoded(text)
    except ValueError as problem:
        raise DatasetError(f"{path}: damaged ({problem}); {remedy}") from problem
    if not isinstance(found, dict):
        raise DatasetError(f"{path}: damaged (no JSON object); {remedy}")
    return found


def _decoded(text: str | bytes) -> Any:
    """JSON's value; any trouble is a `ValueError` that says what."""
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("lists and objects are nested too deep") from error
    except ValueError as error:
        raise ValueError(f"not JSON: {error}" if text.strip() else "empty") from error
