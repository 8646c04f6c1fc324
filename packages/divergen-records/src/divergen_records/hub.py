"""What the Hugging Face hub knows of a model, and what its cache here holds: nothing is downloaded.

`huggingface_hub` comes with the extras of the packages that load models; it is imported when the hub is asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path, PurePosixPath

from .errors import WeightsError
from .file_names import from_home

__all__ = [
    "HubAnswer",
    "HubUnreached",
    "ask_hub",
    "cache_folder",
    "cached_commit",
    "cached_folder",
    "download_size",
    "hub_errors",
    "is_weights",
    "local_model",
    "transport_errors",
    "variant_of",
]

_OFFLINE = "HF_HUB_OFFLINE is set"

_NO_ANSWER = (429, 500, 502, 503, 504)
"""Statuses by which the hub says that it does not answer now."""

_WEIGHTS = (".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".onnx")


class HubUnreached(WeightsError):
    """The hub did not answer; the model may be there."""


@dataclass(frozen=True)
class HubAnswer:
    """A model as the hub describes it.

    Attributes:
        commit: That the revision stands for.
        gated: A licence has to be accepted first.
        files: Path in the repository -> bytes.
    """

    commit: str
    gated: bool
    files: dict[str, int]


def local_model(model: str) -> Path | None:
    """The folder or file that a model's name means, None for a hub id; of a folder of the hub's cache the snapshot.

    Raises:
        WeightsError: If it is neither there nor a hub id.
    """
    path = from_home(model)
    if path.exists():
        return _snapshot(path)
    if "://" in model:
        named = model.removeprefix("https://huggingface.co/").rstrip("/")
        hint = named if "://" not in named else "org/name"
        raise WeightsError(
            f"{model} is an address; give the hub id ({hint}), or download it and give the folder or file"
        )
    if path.is_absolute() or model.startswith((".", "~")) or model.count("/") != 1 or path.suffix in _WEIGHTS:
        raise WeightsError(f"{model} does not exist; give the path of what you have, or a hub id such as org/name")
    return None


def _snapshot(path: Path) -> Path:
    """What a path means: itself, or in a folder ``models--org--name`` of the hub's cache what ``main`` stood for."""
    if not (path / "snapshots").is_dir():
        return path
    noted, there = path / "refs" / "main", sorted((path / "snapshots").iterdir())
    wanted = noted.read_text(encoding="utf-8").strip() if noted.is_file() else None
    found = [folder for folder in there if folder.name == wanted] or there
    if len(found) != 1:
        raise WeightsError(f"{path} is a folder of the hub's cache with {len(there)} snapshots; give one of them")
    return found[0]


def cached_folder(model: str, revision: str | None = None) -> Path | None:
    """The folder of the cache that holds a revision, weights included; None where it was never downloaded."""
    commit = cached_commit(model, revision)
    folder = cache_folder(model) / "snapshots" / (commit or "none")
    whole = commit and any(is_weights(file.name) and file.exists() for file in folder.rglob("*"))
    return folder if whole else None


def cached_commit(model: str, revision: str | None = None) -> str | None:
    """The commit that a revision stood for when it was last downloaded; None where it never was."""
    if revision and (cache_folder(model) / "snapshots" / revision).is_dir():
        return revision
    noted = cache_folder(model) / "refs" / (revision or "main")
    return noted.read_text(encoding="utf-8").strip() if noted.is_file() else None


def ask_hub(model: str, revision: str | None = None, *, timeout: float = 5) -> HubAnswer:
    """What the hub knows of a model.

    Args:
        model: For example ``facebook/sam-vit-huge``.
        revision: Branch, tag or commit.
        timeout: Seconds.

    Raises:
        HubUnreached: If it cannot be asked now.
        WeightsError: If there is no such model or revision, or its licence was not accepted.
    """
    from huggingface_hub import HfApi, constants

    api = HfApi()
    try:
        with hub_errors(model):
            if constants.is_offline_mode():
                raise HubUnreached(_OFFLINE)
            found = api.model_info(model, revision=revision, timeout=timeout, files_metadata=True)
            if found.gated:
                api.auth_check(model)
    except HubUnreached as error:
        raise HubUnreached(
            f"{model} is not in the hub's cache ({constants.HF_HUB_CACHE}), and {error}; go online for the download, "
            "or give a folder that has it"
        ) from error
    sizes = {file.rfilename: file.size or 0 for file in found.siblings or ()}
    return HubAnswer(str(found.sha), bool(found.gated), sizes)


@contextmanager
def hub_errors(model: str) -> Iterator[None]:
    """Translate what the hub's client raises into `WeightsError`, and `HubUnreached` where there was no answer."""
    from huggingface_hub import errors

    no_answer: tuple[type[Exception], ...] = (
        errors.LocalEntryNotFoundError,
        *transport_errors(),
        ConnectionError,
        TimeoutError,
    )
    try:
        yield
    except WeightsError:
        raise
    except errors.GatedRepoError as error:
        raise WeightsError(
            f"{model} is behind a licence: accept it at https://huggingface.co/{model}, and log in with "
            "`hf auth login` (or set HF_TOKEN)"
        ) from error
    except errors.RevisionNotFoundError as error:
        raise WeightsError(f"{model} has no such revision; name another, or none") from error
    except (errors.RepositoryNotFoundError, errors.HFValidationError) as error:
        raise WeightsError(
            f"{model} is neither here nor a public model of the hub; check the spelling, or log in if it is private"
        ) from error
    except errors.OfflineModeIsEnabled as error:
        raise HubUnreached(_OFFLINE) from error
    except no_answer as error:
        raise HubUnreached(f"the hub cannot be reached ({_first_line(error)})") from error
    except (errors.HfHubHTTPError, OSError, ValueError) as error:
        status = getattr(getattr(error, "response", None), "status_code", None)
        if status in _NO_ANSWER:
            raise HubUnreached(f"the hub does not answer (status {status})") from error
        if isinstance(error.__cause__, no_answer):  # a library's own words around it
            raise HubUnreached(f"the hub cannot be reached ({_first_line(error.__cause__)})") from error
        raise WeightsError(f"{model} could not be fetched from the hub: {_first_line(error)}") from error


def transport_errors() -> tuple[type[Exception], ...]:
    """What the HTTP library raises where nothing comes back; which one it is depends on the hub client's version."""
    return tuple(import_module(name).TransportError for name in ("httpx2", "httpx") if find_spec(name))


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n")[0] or type(error).__name__


def is_weights(name: str) -> bool:
    """Whether a file's name is one of weights."""
    return name.endswith(_WEIGHTS)


def download_size(files: dict[str, int], variant: str | None = None) -> int:
    """Bytes that a library loads of a repository: of each folder the weights of one kind, safetensors first.

    Args:
        files: Path in the repository -> bytes.
        variant: Of the weights, for example ``fp16``; folders without it are loaded as they are.
    """
    pipeline = "model_index.json" in files
    folders: dict[str, list[str]] = {}
    for name in files:
        path = PurePosixPath(name)
        if path.suffix in _WEIGHTS and (len(path.parts) == (2 if pipeline else 1)):
            folders.setdefault(str(path.parent), []).append(name)
    small = sum(size for name, size in files.items() if PurePosixPath(name).suffix in (".json", ".txt", ".model"))
    return small + sum(files[name] for names in folders.values() for name in _loaded(names, variant))


def _loaded(names: Iterable[str], variant: str | None) -> list[str]:
    """The weights of a folder that are loaded."""
    names = list(names)
    for suffix in _WEIGHTS:
        of_kind = [name for name in names if name.endswith(suffix)]
        plain = [name for name in of_kind if variant_of(name) is None]
        chosen = [name for name in of_kind if variant and variant_of(name) == variant] or plain
        if chosen:
            return chosen
    return []


def variant_of(name: str) -> str | None:
    """The variant that a file of weights belongs to: ``fp16`` of ``model.fp16-00001-of-00002.safetensors``."""
    middle = [part.split("-")[0] for part in PurePosixPath(name).name.split(".")[1:-1]]
    return ".".join(middle) or None


def cache_folder(model: str) -> Path:
    """Where the hub's cache keeps a model, which need not be there."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE) / f"models--{model.replace('/', '--')}"
