"""A model's files on this machine, fetched where they have to be, and checked before anything large is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from divergen_records import WeightsError
from divergen_records.hub import HubUnreached, hub_errors, local_model
from divergen_records.weights_files import read_header

from .environment import import_diffusers
from .hub import cached_snapshot, commit_of
from .model import Model
from .parts import kind_of_tensors
from .weights import CHECKER, check_folder, check_single_file, only_variant, read_index

__all__ = ["ModelFiles", "fetch", "find_model", "without_checker"]

_CONFIGURATION = ["*.json", "**/*.json", "*.txt", "**/*.txt", "**/*.model"]
"""The files of a pipeline that are no weights."""


@dataclass(frozen=True)
class ModelFiles:
    """Where a model lies.

    Attributes:
        path: A folder in the hub's layout, or a single checkpoint.
        index: The ``model_index.json`` of the folder, or of the configuration.
        config: Of a single checkpoint: the folder with its configuration.
        variant: Of the folder's weights.
    """

    path: Path
    index: dict[str, Any]
    config: Path | None = None
    variant: str | None = None


def find_model(model: Model) -> ModelFiles:
    """The files of a model, downloaded where it is a hub id, and checked.

    Raises:
        WeightsError: Weights are missing, cut off, behind a licence, or pickles; or a single checkpoint's
            configuration is not to be had.
    """
    path = local_model(model.model)
    if path is not None and path.is_file():
        return _single_file(model, path)
    folder = path or _download(model)
    variant = model.variant or only_variant(folder)
    index = check_folder(folder, variant, allow_pickle=model.allow_pickle, without=without_checker(model))
    return ModelFiles(folder, index, variant=variant)


def fetch(model: str, revision: str | None, patterns: Sequence[str]) -> Path:
    """The folder with some files of a hub repository, downloaded or out of the hub's cache.

    Raises:
        WeightsError: They are neither to be had nor cached.
    """
    import huggingface_hub

    commit = commit_of(model, revision)
    try:
        with hub_errors(model):
            return Path(huggingface_hub.snapshot_download(model, revision=commit, allow_patterns=list(patterns)))
    except HubUnreached as error:
        return cached_snapshot(model, commit, error)


def without_checker(model: Model) -> tuple[str, ...]:
    """The parts that serve the safety checker alone, where it is not wanted."""
    return () if model.safety_checker else CHECKER


def _download(model: Model) -> Path:
    commit = commit_of(model.model, model.hub_revision)
    try:
        with hub_errors(model.model):
            return Path(
                import_diffusers().DiffusionPipeline.download(
                    model.model,
                    revision=commit,
                    variant=model.variant,
                    use_safetensors=None if model.allow_pickle else True,
                )
            )
    except HubUnreached as error:
        return cached_snapshot(model.model, commit, error)


def _single_file(model: Model, path: Path) -> ModelFiles:
    check_single_file(path, model.config, model.allow_pickle)
    wanted = model.config or _known_architecture(path)
    folder = _configuration(path, wanted)
    return ModelFiles(path, read_index(folder), folder)


def _known_architecture(path: Path) -> str:
    """The hub id of the model that a checkpoint's tensors look like, by diffusers' own table."""
    import torch

    import_diffusers()
    from diffusers.loaders.single_file_utils import fetch_diffusers_config

    header = read_header(path)
    kind = kind_of_tensors(header)
    if kind is not None:
        raise WeightsError(f"{path} holds {kind}")
    shapes = {
        name: torch.empty(entry["shape"], device="meta") for name, entry in header.items() if name != "__metadata__"
    }
    return str(fetch_diffusers_config(shapes)["pretrained_model_name_or_path"])


def _configuration(path: Path, wanted: str) -> Path:
    """The folder of a configuration: a local one, or the small files of a hub id."""
    folder = local_model(wanted)
    if folder is not None:
        return folder
    try:
        return fetch(wanted, None, _CONFIGURATION)
    except WeightsError as error:
        raise WeightsError(
            f"{path} is a single checkpoint: configuration and tokenizers come from elsewhere, by its tensors from "
            f"{wanted}. {error}. Or set config= to a folder or hub id of the same architecture"
        ) from error
