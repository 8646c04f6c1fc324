"""The folder of a run: where everything lies, who works in it, and what was done with which settings."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from divergen_records import ConfigError, InstanceTable, RunLocked, Shard
from divergen_records.settings import validate_settings
from filelock import FileLock, Timeout

from .config import RunConfig
from .loading import dump_config, read_mapping

__all__ = ["Run", "write_atomic"]


def write_atomic(path: Path, data: str | bytes) -> None:
    """Write a whole file or nothing: through a temporary name beside it, then rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.write_bytes(data.encode() if isinstance(data, str) else data)
    temporary.replace(path)


class Run:
    """A run's folder.

    Args:
        folder: The folder; made by `start`.
        config: The configuration; read from the folder where left out.

    Raises:
        ConfigError: If no configuration is given and the folder holds none.
    """

    def __init__(self, folder: str | Path, config: RunConfig | None = None) -> None:
        self.folder = Path(folder)
        if config is None:
            if not self.config_path.exists():
                raise ConfigError(f"{self.folder} is not the folder of a run: {self.config_path.name} is missing")
            values = read_mapping(self.config_path)
            config = validate_settings(RunConfig, values, where=str(self.config_path))
        self.config = config

    @property
    def config_path(self) -> Path:
        """The whole configuration, defaults included."""
        return self.folder / "config.yaml"

    @property
    def data(self) -> Path:
        """MiniLVIS, and the files of a held-out split."""
        return self.folder / "data"

    @property
    def prompts(self) -> Path:
        """One `PromptRecord` a line."""
        return self.folder / "prompts.jsonl"

    @property
    def references(self) -> Path:
        """Embeddings of the real crops."""
        return self.folder / "references.npz"

    @property
    def pool(self) -> Path:
        """Kept instances, ready to paste."""
        return self.folder / "pool"

    @property
    def real_pool(self) -> Path:
        """The training images' own objects, ready to paste, if asked for."""
        return self.folder / "real_pool"

    @property
    def baked(self) -> Path:
        """Training images with pasted instances."""
        return self.folder / "pasted"

    @property
    def previews(self) -> Path:
        """Pictures to look at while the run goes on."""
        return self.folder / "previews"

    @property
    def report(self) -> Path:
        """The report."""
        return self.folder / "report.html"

    def training(self, name: str) -> Path:
        """The folder of one training, ``"real"`` or ``"generated"``."""
        return self.folder / "train" / name

    @cached_property
    def table(self) -> InstanceTable:
        """The instance table, made where it is missing."""
        return InstanceTable.create(self.folder / "instances.lance", exist_ok=True)

    def has_table(self) -> bool:
        """Whether generation has begun."""
        return (self.folder / "instances.lance").exists()

    @contextmanager
    def lock(self, shard: Shard) -> Iterator[None]:
        """Hold the folder, or this shard of it, while working in it.

        Raises:
            RunLocked: If another process holds it.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        name = "run" if shard.count == 1 else f"shard-{shard.index}-of-{shard.count}"
        try:
            with FileLock(self.folder / f".{name}.lock", timeout=0):
                yield
        except Timeout:
            raise RunLocked(
                f"another process works on {self.folder} ({name}); wait for it, stop it, or use another --out"
            ) from None

    def prepare(self) -> None:
        """Make the folder.

        Raises:
            ConfigError: If it holds something else than a run; nothing of a user's is ever overwritten.
        """
        if self.folder.exists() and not self.config_path.exists() and any(_visible(self.folder)):
            raise ConfigError(f"{self.folder} is not empty and not the folder of a run; use another --out")
        self.folder.mkdir(parents=True, exist_ok=True)

    def save_config(self) -> None:
        """Note the configuration."""
        write_atomic(self.config_path, dump_config(self.config))

    def note(self, step: str) -> dict[str, Any] | None:
        """What was noted of a step: its settings, and seconds once it is done; None if it was never begun."""
        path = self._note_path(step)
        return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None

    def write_note(self, step: str, note: Mapping[str, Any] | None) -> None:
        """Note something of a step; None forgets it."""
        path = self._note_path(step)
        if note is None:
            path.unlink(missing_ok=True)
        else:
            write_atomic(path, json.dumps(note, indent=1))

    def _note_path(self, step: str) -> Path:
        return self.folder / "steps" / f"{step}.json"


def _visible(folder: Path) -> Iterator[Path]:
    return (path for path in folder.iterdir() if not path.name.startswith("."))
