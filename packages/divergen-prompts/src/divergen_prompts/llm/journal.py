"""The prompts file while it grows: every accepted prompt is on disk before the next request knows of it.

``prompts.jsonl`` holds the prompts; ``prompts.jsonl.requests`` two lines per request: what it may cost when it is
sent; tokens, cost and what came of it when it has ended. Both only grow. A process killed while writing leaves at most
one torn line at the end; it is cut off.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import IO, Any, Self
from uuid import uuid4

from divergen_records import ConfigError, DatasetError, PromptRecord, RunLocked
from divergen_records.files import parse_json

from ..files import prompt_line, read_prompts

__all__ = ["Journal", "spent_on"]

_REMEDY = "move the file away, and costs count from zero"


class Journal:
    """An open prompts file. Use it as a context manager; it is locked meanwhile.

    Args:
        path: The prompts file; made if it does not exist, continued if it does.

    Attributes:
        prompts: What the file held when it was opened.
        spent: Cost of all requests so far, in the currency of the prices.

    Raises:
        RunLocked: If another process works on the file.
        DatasetError: If the file holds something other than prompts.
        ConfigError: If it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._writing = Lock()
        self._run = uuid4().hex[:8]
        self.requests_path = path.with_name(path.name + ".requests")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file: IO[bytes] = path.open("ab+")
        except OSError as error:
            raise ConfigError(f"{path}: cannot be written: {error}") from error
        with ExitStack() as opened:
            opened.enter_context(self._file)
            _lock(self._file, path)
            _cut_torn_line(self._file)
            self.prompts = read_prompts(path)
            self._requests: IO[bytes] = opened.enter_context(self.requests_path.open("ab+"))
            _cut_torn_line(self._requests)
            self.spent = _spent(self._request_lines())
            opened.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        self._requests.close()

    def accept(self, prompts: Sequence[PromptRecord]) -> None:
        """Append prompts; they are on disk when this returns. Threads may call it at once."""
        self._write(self._file, [prompt_line(prompt) for prompt in prompts])

    def note(self, **what: Any) -> None:
        """Append a line on a request."""
        line = {"time": datetime.now(UTC).isoformat(timespec="seconds"), "run": self._run, **what}
        self._write(self._requests, [json.dumps(line, ensure_ascii=False)], durable=False)

    def _write(self, file: IO[bytes], lines: Sequence[str], *, durable: bool = True) -> None:
        if not lines:
            return
        try:
            with self._writing:
                # A server's words may hold half an emoji, which JSON can write, and UTF-8 cannot.
                file.write("".join(f"{line}\n" for line in lines).encode(errors="backslashreplace"))
                file.flush()
            if durable:
                os.fsync(file.fileno())
        except OSError as error:
            raise ConfigError(f"{self.path}: cannot be written: {error}. What it holds is complete") from error

    def _request_lines(self) -> list[dict[str, Any]]:
        self._requests.seek(0)
        return _request_lines(self._requests, self.requests_path)


def spent_on(path: Path) -> float:
    """What a prompts file has cost so far, while others may write to it; 0 where nothing was asked for."""
    requests = path.with_name(path.name + ".requests")
    if not requests.exists():
        return 0.0
    whole = requests.read_bytes().rpartition(b"\n")[0]
    return _spent(_request_lines(whole.splitlines(), requests))


def _request_lines(lines: Iterable[bytes], path: Path) -> list[dict[str, Any]]:
    found = []
    for number, line in enumerate(lines, 1):
        try:
            entry = parse_json(line, f"{path}, line {number}")
            amounts = [float(entry.get(key) or 0.0) for key in ("reserved", "cost")]
        except (DatasetError, ValueError, TypeError, AttributeError) as error:
            raise DatasetError(f"{path}, line {number} is damaged ({error}); {_REMEDY}") from error
        if not all(map(math.isfinite, amounts)):
            raise DatasetError(f"{path}, line {number} says no cost; {_REMEDY}")
        found.append(entry)
    return found


def _spent(lines: Iterable[dict[str, Any]]) -> float:
    """Cost of all requests; one that was sent and has no end, as a kill leaves it, counts by all that it might cost."""
    spent, open_ = 0.0, {}
    for line in lines:
        if "reserved" in line:
            open_[line.get("run"), line.get("attempt")] = float(line["reserved"])
        else:
            open_.pop((line.get("run"), line.get("attempt")), None)
            spent += float(line.get("cost") or 0)
    return spent + sum(open_.values())


def _lock(file: IO[bytes], path: Path) -> None:
    try:
        import fcntl
    except ImportError:  # no such lock on Windows
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise RunLocked(
            f"{path}: another process adds prompts to this file; wait for it, or name another file"
        ) from error


def _cut_torn_line(file: IO[bytes]) -> None:
    """Cut off a last line without its end: what a kill in the midst of a write leaves."""
    file.seek(0)
    content = file.read()
    end = content.rfind(b"\n") + 1
    if end < len(content):
        file.truncate(end)
    file.seek(0, os.SEEK_END)
