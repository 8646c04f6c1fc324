"""Where a model's weights are, whether they are whole, and a short text that identifies them; needs no torch."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

from divergen_records import WeightsError, require_extra, short_hash
from divergen_records.hub import HubUnreached, ask_hub, cached_commit

from .model import Model

__all__ = ["check_folder", "fingerprint", "fingerprint_file", "hub_errors", "identify", "local_folder", "model_folder"]

PICKLES = (".bin", ".ckpt", ".pt", ".pth")
SAMPLE = 64
"""Bytes of each tensor that go into a fingerprint, from its beginning and its middle."""


def identify(model: str, hub_revision: str | None = None) -> str:
    """Text that identifies weights: the hub's commit, or a hash over the files of a folder.

    Raises:
        WeightsError: There is no such model, or it cannot be asked for.
    """
    folder = local_folder(model)
    return short_hash(fingerprint(folder), size=6) if folder else _commit(model, hub_revision)[:12]


def local_folder(model: str) -> Path | None:
    """The folder or file that ``model`` names, None for a hub id; raises `WeightsError` where it cannot be either."""
    path = Path(model).expanduser()
    if path.exists():
        return path
    if path.is_absolute() or model.startswith((".", "~")) or model.count("/") != 1:
        raise WeightsError(f"{model} does not exist; give a folder in the hub's layout, or a hub id such as org/name")
    return None


def model_folder(model: Model) -> Path:
    """The folder of the model's files, downloaded where it is a hub id, and checked.

    Raises:
        WeightsError: Weights are missing, cut off, behind a licence, or pickles.
    """
    folder = local_folder(model.model)
    if folder is None:
        from .environment import import_diffusers

        with hub_errors(model.model):
            folder = Path(
                import_diffusers().DiffusionPipeline.download(
                    model.model,
                    revision=_commit(model.model, model.hub_revision),
                    variant=model.variant,
                    use_safetensors=None if model.allow_pickle else True,
                )
            )
    check_folder(folder, model.variant, allow_pickle=model.allow_pickle)
    return folder


def check_folder(folder: Path, variant: str | None = None, *, allow_pickle: bool = False) -> dict[str, Any]:
    """Check a pipeline's folder before anything large is read.

    Returns:
        The content of its ``model_index.json``.

    Raises:
        WeightsError: What is wrong with it.
    """
    index = read_index(folder)
    for part, value in index.items():
        if not (isinstance(value, list) and value[0]) or not (folder / part / "config.json").is_file():
            continue
        found = sorted((folder / part).iterdir())
        files = [file for file in found if _is_variant(file, variant)]
        files = files or [file for file in found if _is_variant(file, None)]  # a part may have no variant
        safe = [file for file in files if file.suffix == ".safetensors"]
        for file in safe:
            read_header(file)
        _check_shards(folder / part)
        if safe or (allow_pickle and any(file.suffix in PICKLES for file in files)):
            continue
        pickles = [file.name for file in files if file.suffix in PICKLES]
        if pickles:
            raise WeightsError(
                f"{folder / part} has its weights as a pickle ({pickles[0]}), which may run any program when it is "
                "loaded; take a safetensors version, or set allow_pickle if the file is your own"
            )
        if (folder / part).is_dir() and _has_weights(value):
            asked = f" of variant {variant!r}" if variant else ""
            raise WeightsError(f"{folder / part} has no weights{asked}: no .safetensors file; download the model again")
    return index


def read_index(folder: Path) -> dict[str, Any]:
    """The ``model_index.json`` of a folder."""
    path = folder / "model_index.json"
    try:
        index = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise WeightsError(
            f"{folder} is no diffusers model: it has no model_index.json. A single checkpoint file has to be converted "
            "first (StableDiffusionPipeline.from_single_file(…).save_pretrained(folder))"
        ) from error
    except (OSError, ValueError) as error:
        raise WeightsError(f"{path} cannot be read: {error}") from error
    if not isinstance(index, dict) or "_class_name" not in index:
        raise WeightsError(f"{path} does not name a pipeline class")
    return index


def read_header(file: Path) -> dict[str, Any]:
    """The header of a safetensors file; raises `WeightsError` if the file is cut off or is something else."""
    try:
        with file.open("rb") as data:
            (length,) = struct.unpack("<Q", data.read(8))
            size = file.stat().st_size
            if length > size - 8:
                raise WeightsError(f"{file} is cut off or no safetensors file; download it again")
            header: dict[str, Any] = json.loads(data.read(length))
    except FileNotFoundError as error:
        raise WeightsError(f"{file} does not exist") from error
    except (OSError, ValueError, struct.error) as error:
        raise WeightsError(f"{file} is no safetensors file, or damaged: {error}") from error
    end = max((value["data_offsets"][1] for name, value in header.items() if name != "__metadata__"), default=0)
    if size != 8 + length + end:
        raise WeightsError(f"{file} has {size:,} bytes instead of {8 + length + end:,}; download it again")
    return header


def fingerprint(path: Path) -> str:
    """Hash of a file, or of the configurations and weights in a folder; it does not depend on where they lie."""
    if path.is_file():
        return fingerprint_file(path)
    files = sorted(file for file in path.rglob("*") if file.is_file() and not _is_hidden(file.relative_to(path)))
    wanted = [f for f in files if f.suffix in (".json", ".txt", ".model", ".safetensors", *PICKLES)]
    if not wanted:
        raise WeightsError(f"{path} has no weights")
    return short_hash(
        *(part for file in wanted for part in (file.relative_to(path).as_posix(), fingerprint_file(file)))
    )


def fingerprint_file(file: Path) -> str:
    """Hash of a file. Of safetensors, the header and two samples of every tensor, which takes no time."""
    try:
        status = file.stat()
    except OSError as error:
        raise WeightsError(f"{file} cannot be read: {error.strerror}") from error
    return _hash_file(file.absolute(), status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=4096)
def _hash_file(file: Path, size: int, changed: int) -> str:
    digest = blake2b(str(size).encode(), digest_size=16)
    if file.suffix == ".safetensors":
        header = read_header(file)
        digest.update(json.dumps(header, sort_keys=True).encode())
        with file.open("rb") as data:
            first = 8 + struct.unpack("<Q", data.read(8))[0]
            for name, tensor in sorted(header.items()):
                if name != "__metadata__":
                    begin, end = tensor["data_offsets"]
                    for at in (begin, (begin + end) // 2):
                        data.seek(first + at)
                        digest.update(data.read(min(SAMPLE, end - at)))
    else:
        with file.open("rb") as data:
            while block := data.read(2**22):
                digest.update(block)
    return digest.hexdigest()


@lru_cache(maxsize=256)
def _commit(model: str, hub_revision: str | None) -> str:
    """The commit that a revision of a hub repository stands for: asked of the hub; offline, or without it, cached."""
    if hub_revision and len(hub_revision) == 40 and set(hub_revision) <= set("0123456789abcdef"):
        return hub_revision
    with require_extra("divergen-gen", "diffusers"):
        import huggingface_hub  # noqa: F401
    try:
        return ask_hub(model, hub_revision).commit
    except HubUnreached:
        if (cached := cached_commit(model, hub_revision)) is None:
            raise
        return cached


@contextmanager
def hub_errors(model: str) -> Iterator[None]:
    """Translate what the hub's client raises into `WeightsError`."""
    with require_extra("divergen-gen", "diffusers"):
        from huggingface_hub import errors
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
    except (errors.HfHubHTTPError, errors.LocalEntryNotFoundError, OSError, ValueError) as error:
        first = str(error).strip().split("\n")[0]
        raise WeightsError(f"{model} could not be fetched from the hub: {first}") from error


def _is_variant(file: Path, variant: str | None) -> bool:
    """Whether a weight file belongs to the variant that is loaded: ``x.fp16-00001-of-2.safetensors`` to ``"fp16"``."""
    if file.suffix not in (".safetensors", *PICKLES):
        return False
    middle = [part.split("-")[0] for part in file.name.split(".")[1:-1]]
    return middle == ([variant] if variant else [])


def _check_shards(part: Path) -> None:
    for index in part.glob("*.safetensors.index*.json"):
        try:
            names = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        except (OSError, ValueError, KeyError) as error:
            raise WeightsError(f"{index} cannot be read: {error}") from error
        missing = sorted(name for name in names if not (part / name).is_file())
        if missing:
            raise WeightsError(f"{part} lacks {missing[0]} ({len(missing)} of {len(names)} files); download it again")


def _has_weights(entry: list[str]) -> bool:
    """Whether a part of a pipeline is a network: schedulers, tokenizers and processors have a configuration only."""
    return not any(word in entry[1] for word in ("Scheduler", "Tokenizer", "Processor", "Extractor"))


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)
