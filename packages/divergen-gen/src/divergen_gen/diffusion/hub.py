"""Which commit of a model is meant, and where the cache has it; needs no torch."""

from __future__ import annotations

import logging
from functools import lru_cache
from pathlib import Path

from divergen_records import WeightsError, require_extra
from divergen_records.hub import HubUnreached, cache_folder, cached_commit, hub_errors

__all__ = ["cached_snapshot", "commit_of"]

_LOG = logging.getLogger(__name__)


@lru_cache(maxsize=256)
def commit_of(model: str, hub_revision: str | None) -> str:
    """The commit that a revision of a hub repository stands for: asked of the hub, or read off the cache.

    Raises:
        WeightsError: There is no such model or revision, or neither the hub nor its cache can say.
    """
    if hub_revision and len(hub_revision) == 40 and set(hub_revision) <= set("0123456789abcdef"):
        return hub_revision
    with require_extra("divergen-gen", "diffusers"):
        import huggingface_hub
        from huggingface_hub import constants
    try:
        with hub_errors(model):
            return str(huggingface_hub.HfApi().model_info(model, revision=hub_revision).sha)
    except HubUnreached as error:
        commit = cached_commit(model, hub_revision)
        if commit is None:
            raise _not_cached(model, error) from error
        if not constants.is_offline_mode():
            _LOG.warning("%s; the cached commit %s is used", error, commit[:12])
        return commit


def cached_snapshot(model: str, commit: str, reason: Exception) -> Path:
    """The folder of a commit in the hub's cache.

    Raises:
        WeightsError: It is not there; says why the hub was not asked.
    """
    folder = cache_folder(model) / "snapshots" / commit
    if not folder.is_dir():
        raise _not_cached(model, reason)
    return folder


def _not_cached(model: str, reason: Exception) -> WeightsError:
    return WeightsError(
        f"{model} is not in the cache of the hub ({cache_folder(model).parent}), and {reason}; download it where there "
        "is a network (`hf download`), or give a local folder"
    )
