"""The hub of models: what is there, what of it lies in the cache, and its refusals in plain words; needs no torch."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from divergen_records import WeightsError, require_extra
from divergen_records.hub import HubUnreached, cached_commit

__all__ = ["HubUnreached", "cached_snapshot", "commit_of", "hub_errors"]

_LOG = logging.getLogger(__name__)
_NO_ANSWER = (429, 500, 502, 503, 504)
"""Statuses by which the hub says that it does not answer now."""


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
    folder = _cache(model) / "snapshots" / commit
    if not folder.is_dir():
        raise _not_cached(model, reason)
    return folder


def _cache(model: str) -> Path:
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE) / f"models--{model.replace('/', '--')}"


def _not_cached(model: str, reason: Exception) -> WeightsError:
    return WeightsError(
        f"{model} is not in the cache of the hub ({_cache(model).parent}), and {reason}; download it where there is a "
        "network (`hf download`), or give a local folder"
    )


@contextmanager
def hub_errors(model: str) -> Iterator[None]:
    """Translate what the hub's client raises into `WeightsError`, and `HubUnreached` where there was no answer."""
    with require_extra("divergen-gen", "diffusers"):
        from huggingface_hub import errors
    no_answer: tuple[type[Exception], ...] = (
        errors.LocalEntryNotFoundError,
        *_transport_errors(),
        ConnectionError,
        TimeoutError,
    )
    try:
        yield
    except errors.GatedRepoError as error:
        raise WeightsError(
            f"{model} is behind a licence: accept it at https://huggingface.co/{model} and log in with `hf auth login` "
            "(or set HF_TOKEN)"
        ) from error
    except errors.RevisionNotFoundError as error:
        raise WeightsError(f"{model} has no such revision; check hub_revision") from error
    except errors.RepositoryNotFoundError as error:
        raise WeightsError(
            f"{model} is neither a folder here nor a public model of the hub; check the spelling, or log in if it is "
            "private"
        ) from error
    except errors.OfflineModeIsEnabled as error:
        raise HubUnreached("HF_HUB_OFFLINE is set") from error
    except no_answer as error:
        raise HubUnreached(f"the hub cannot be reached ({_first_line(error)})") from error
    except (errors.HfHubHTTPError, OSError, ValueError) as error:
        status = getattr(getattr(error, "response", None), "status_code", None)
        if status in _NO_ANSWER:
            raise HubUnreached(f"the hub does not answer (status {status})") from error
        if isinstance(error.__cause__, no_answer):  # diffusers' own words around it
            raise HubUnreached(f"the hub cannot be reached ({_first_line(error.__cause__)})") from error
        raise WeightsError(f"{model} could not be fetched from the hub: {_first_line(error)}") from error


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n")[0] or type(error).__name__


def _transport_errors() -> tuple[type[Exception], ...]:
    """What the HTTP library raises where nothing comes back; which one it is depends on the hub client's version."""
    return tuple(import_module(name).TransportError for name in ("httpx2", "httpx") if find_spec(name))
