"""The folder of a run: where everything lies, who works in it, and what was done with which settings."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Any

from divergen_records import ConfigError, DatasetError, InstanceTable, Shard, StageReport
from divergen_records.command import note
from divergen_records.files import locked, make_folder, read_json, write_text
from divergen_records.settings import validate_settings
from divergen_records.stores import place, refuse_store
from divergen_records.stores.errors import StoreError
from divergen_records.stores.shared import folder_of
from pydantic import BaseModel, ValidationError

from .config import RunConfig
from .loading import dump_config, read_mapping

__all__ = ["Run"]


_LARGE = ("data", "personal", "pool", "real_pool", "pasted", "pasted_control", "train")
"""Folders that only those who work in the run need on their machine; but for a training's metrics."""


class _Note(BaseModel, strict=True):
    """What is computed with of a note of a step."""

    number: int = 0
    seconds: float = 0.0
    lost: list[list[str]] = []


class Run:
    """A run's folder.

    Of a run on an object store, ``folder`` is a copy on this machine (`divergen_records.stores.shared`): `pull` and
    `push` bring and send what changed; the table and the locks are at ``place``. What lies in large folders is brought
    by `lock` and `pull` alone.

    Args:
        folder: The folder, or its address; made by `prepare`.
        config: The configuration; read from the folder where left out.

    Raises:
        ConfigError: If no configuration is given and the folder holds none.
        StoreError: If the store cannot be used.
    """

    def __init__(self, folder: str | Path, config: RunConfig | None = None) -> None:
        refuse_store(folder, ours=False)
        self.place = place(folder)
        self._files = folder_of(self.place, note)
        self.folder = self._files.here
        self._files.pull(_is_small, mend=True)
        if config is None:
            if not self.config_path.exists():
                raise ConfigError(f"{self.place} is not the folder of a run: {self.config_path.name} is missing")
            config = _read_config(self.config_path)
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
    def prompt_parts(self) -> Path:
        """The prompts of each source, and what was paid for them."""
        return self.folder / "prompts"

    @property
    def extra_categories(self) -> Path:
        """The extra categories that the run chose, if it chose any."""
        return self.folder / "extra_categories.json"

    @property
    def extra_reasons(self) -> Path:
        """Why each candidate for an extra category was taken or not."""
        return self.folder / "extra_categories.csv"

    @property
    def personal(self) -> Path:
        """Weights of single categories that the run trained, a folder for each generator."""
        return self.folder / "personal"

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
    def baked_control(self) -> Path:
        """Training images with pasted copies of their own objects."""
        return self.folder / "pasted_control"

    @property
    def previews(self) -> Path:
        """Pictures to look at while the run goes on."""
        return self.folder / "previews"

    @property
    def report(self) -> Path:
        """The report."""
        return self.folder / "report.html"

    @property
    def cost(self) -> Path:
        """Seconds that an ablation spent on the run."""
        return self.folder / "cost.json"

    @property
    def table_path(self) -> Path:
        """The instance table's folder."""
        return self.place / "instances.lance"

    def training(self, name: str) -> Path:
        """The folder of one training, ``"real"``, ``"control"`` or ``"generated"``."""
        return self.folder / "train" / name

    @cached_property
    def table(self) -> InstanceTable:
        """The instance table, made where it is missing."""
        return InstanceTable.create(self.table_path, exist_ok=True)

    def has_table(self) -> bool:
        """Whether generation has begun."""
        return self.table_path.exists()

    @contextmanager
    def lock(self, shard: Shard) -> Iterator[None]:
        """Hold the folder, or this shard of it, while working in it.

        Raises:
            RunLocked: If another process holds it.
        """
        make_folder(self.folder)
        name = "run" if shard.count == 1 else f"shard-{shard.index}-of-{shard.count}"
        with locked(self.place / f".{name}.lock", f"{self.place} ({name})"):
            self._files.pull(mend=True)
            try:
                yield
            except BaseException:
                with suppress(StoreError):  # what ended the block is to be told; the next one sends the rest
                    self.push()
                raise
            self.push()

    @contextmanager
    def lock_shared(self) -> Iterator[None]:
        """Let one process at a time make what all shards share."""
        with locked(self.place / ".shared.lock", str(self.place), wait=True):
            self.pull()
            yield
            self.push()

    def pull(self, *folders: str) -> None:
        """Bring what other machines changed in a run on an object store, of large folders those named, or all."""
        self._files.pull(lambda name: not folders or name.partition("/")[0] in folders)

    def push(self) -> None:
        """Send what was changed in a run on an object store."""
        self._files.push()

    def sending(self) -> AbstractContextManager[None]:
        """Send now and then what a long step of a run on an object store has left so far."""
        return self._files.sending()

    @contextmanager
    def forgetting(self) -> Iterator[None]:
        """Let what is removed in the block be removed on an object store, too, before anybody can bring it back."""
        with self._files.alone:
            yield
            self.push()

    def prepare(self) -> None:
        """Make the folder.

        Raises:
            ConfigError: If it holds something else than a run; nothing of a user's is ever overwritten.
        """
        begun = self.config_path.exists() or (self.place / self.config_path.name).exists()
        if not begun and self.place.exists() and any(_visible(self.place)):
            raise ConfigError(f"{self.place} is not empty and not the folder of a run; use another --out")
        make_folder(self.folder)

    def save_config(self) -> None:
        """Note the configuration."""
        write_text(self.config_path, dump_config(self.config), overwrite=True)

    def note(self, step: str) -> dict[str, Any] | None:
        """What was noted of a step: its settings, and seconds once it is done; None if it was never begun."""
        path, remedy = self._note_path(step), f"do the step again: --redo {step}"
        if not path.exists():
            return None
        found = read_json(path, remedy)
        try:
            _Note.model_validate(found)
        except ValidationError as error:
            wrong = error.errors()[0]
            raise DatasetError(f"{path}: damaged ({wrong['loc'][0]}: {wrong['msg']}); {remedy}") from error
        return {"seconds": 0.0, **found}

    def notes(self) -> dict[str, dict[str, Any]]:
        """What was noted of every step that was begun, in the order of the steps."""
        found = {path.stem: self.note(path.stem) or {} for path in (self.folder / "steps").glob("*.json")}
        return dict(sorted(found.items(), key=lambda item: item[1].get("number", 0)))

    def write_note(self, step: str, note: Mapping[str, Any] | None) -> None:
        """Note something of a step; None forgets it."""
        path = self._note_path(step)
        if note is None:
            path.unlink(missing_ok=True)
        else:
            write_text(path, json.dumps(note, indent=1), overwrite=True)

    @property
    def _scores(self) -> Path:
        return self.folder / "scores.json"

    def note_scores(self, configs: Iterable[Any]) -> None:
        """Note which scores are computed with which settings; a further one is welcome at any time.

        Raises:
            ConfigError: If one was computed with other settings before.
        """
        noted = self._noted_scores()
        for config in configs:
            note = {"settings": config.model_dump(mode="json"), "columns": list(config.columns.model_fields)}
            if not _has_settings(config, noted.setdefault(config.kind, note)["settings"]):
                raise ConfigError(
                    f"{self.folder}: the settings of the score {config.kind!r} changed since it was computed. "
                    "Add --redo score to compute all scores again, or use another --out"
                )
        if noted:
            write_text(self._scores, json.dumps(noted, indent=1), overwrite=True)

    def forget_scores(self) -> list[str]:
        """Forget which scores were computed; returns their columns."""
        noted = self._noted_scores()
        self._scores.unlink(missing_ok=True)
        return [name for note in noted.values() for name in note["columns"]]

    def _noted_scores(self) -> dict[str, Any]:
        remedy = "remove it, and compute the scores again: --redo score"
        return read_json(self._scores, remedy) if self._scores.exists() else {}

    def measured_rates(self) -> dict[str, float]:
        """Rows per second of stages and generators, as they were when they last did some."""
        path = self.folder / "rates.json"
        return read_json(path, "remove it; it is only for plans") if path.exists() else {}

    def note_rate(self, report: StageReport) -> None:
        """Note how fast a stage or generator was, if it did something."""
        if report.done and report.seconds > 0:
            rates = {**self.measured_rates(), report.name: report.done / report.seconds}
            write_text(self.folder / "rates.json", json.dumps(rates, indent=1), overwrite=True)

    def _note_path(self, step: str) -> Path:
        return self.folder / "steps" / f"{step}.json"


def _has_settings(config: Any, noted: Mapping[str, Any]) -> bool:
    """Whether settings that were noted are a configuration's; a key that came with a later release has its default."""
    try:
        return bool(type(config).model_validate(noted) == config)
    except ValidationError:
        return False


def _read_config(path: Path) -> RunConfig:
    try:
        config: RunConfig = validate_settings(RunConfig, read_mapping(path), where=str(path))
    except ConfigError as error:
        raise ConfigError(
            f"{error}. If the file is damaged, the line that began this run writes it anew: divergen run CONFIG --out "
            f"{path.parent}"
        ) from error
    return config


def _is_small(name: str) -> bool:
    return name.partition("/")[0] not in _LARGE or name.endswith("/metrics.json")


def _visible(folder: Path) -> Iterator[Path]:
    return (path for path in folder.iterdir() if not path.name.startswith("."))
