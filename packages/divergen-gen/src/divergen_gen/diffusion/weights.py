"""Where a model's weights are, whether they are whole, and a short text that identifies them; needs no torch."""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Container
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

from divergen_records import WeightsError, short_hash
from divergen_records.files import parse_json
from divergen_records.hub import local_model, variant_of
from divergen_records.weights_files import check_shards, read_header

from .hub import commit_of
from .model import Model
from .parts import kind_of_folder

__all__ = [
    "check_folder",
    "check_pickle",
    "check_single_file",
    "fingerprint",
    "fingerprint_file",
    "identify",
    "identify_model",
    "only_variant",
    "read_index",
]

PICKLES = (".bin", ".ckpt", ".pt", ".pth")
SETTINGS = re.compile(r".*config\.json|special_tokens_map\.json|added_tokens\.json|chat_template.*")
"""Files of a tokenizer that hold none of its words; without the others it reads all prompts alike, and says nothing."""
CHECKER = ("safety_checker", "feature_extractor")
"""Parts that look at pictures after they are made."""

SAMPLE = 64
"""Bytes of each tensor that go into a fingerprint, from its beginning and its middle."""


def identify(model: str, hub_revision: str | None = None) -> str:
    """Text that identifies weights: the hub's commit, or a hash over the files of a folder.

    Raises:
        WeightsError: There is no such model, or it cannot be asked for.
    """
    folder = local_model(model)
    return short_hash(fingerprint(folder), size=6) if folder else commit_of(model, hub_revision)[:12]


def identify_model(model: Model) -> str:
    """Text that identifies a model's weights, with the configuration that a single file takes from elsewhere."""
    weights = identify(model.model, model.hub_revision)
    return weights if model.config is None else short_hash(weights, identify(model.config), size=6)


def check_folder(
    folder: Path, variant: str | None = None, *, allow_pickle: bool = False, without: Container[str] = ()
) -> dict[str, Any]:
    """Check a pipeline's folder before anything large is read.

    Args:
        folder: In the hub's layout.
        variant: Of the weight files.
        allow_pickle: Whether weights may be pickles.
        without: Parts that are not used; nothing of them need be there.

    Returns:
        The content of its ``model_index.json``.

    Raises:
        WeightsError: What is wrong with it.
    """
    index = read_index(folder)
    for name, value in index.items():
        part = folder / name
        used = _is_part(value) and name not in without
        if used and not part.is_dir():
            remedy = "set safety_checker=false, or download it" if name in CHECKER else "download the model again"
            raise WeightsError(f"{folder} lacks the folder of its {name}; {remedy}")
        if used and "Tokenizer" in value[1] and not _has_words({file.name for file in part.iterdir()}):
            raise WeightsError(
                f"{part} holds no words (.json, .txt, .model), or not all of them (vocab.json with merges.txt); "
                "download the model again"
            )
        if used and (part / "config.json").is_file():
            _check_part(part, value, variant, allow_pickle)
    return index


def _has_words(names: set[str]) -> bool:
    """Whether a tokenizer's files are whole; of BPE, neither the vocabulary nor the merges are of use alone."""
    words = {name for name in names if name.endswith((".json", ".txt", ".model")) and not SETTINGS.fullmatch(name)}
    pair = {"vocab.json", "merges.txt"}
    return bool(words - pair or pair <= words)


def _is_part(entry: Any) -> bool:
    """Whether an entry of the index is a part, by its library and class; others are settings, or parts left out."""
    return isinstance(entry, list) and len(entry) == 2 and all(isinstance(word, str) for word in entry)


def only_variant(folder: Path) -> str | None:
    """The variant of a pipeline's weights where all parts that lack plain ones have the same; None else."""
    parts: dict[Path, set[str | None]] = {}
    for file in folder.glob("*/*.safetensors"):
        parts.setdefault(file.parent, set()).add(variant_of(file.name))
    variants = [found for found in parts.values() if None not in found]
    shared = set.intersection(*variants) if variants else set()
    return shared.pop() if len(shared) == 1 else None


def _check_part(part: Path, entry: list[str], variant: str | None, allow_pickle: bool) -> None:
    found = sorted(file for file in part.iterdir() if file.suffix in (".safetensors", *PICKLES))
    files = [file for file in found if variant_of(file.name) == variant]
    files = files or [file for file in found if variant_of(file.name) is None]  # a part may have no variant
    safe = [file for file in files if file.suffix == ".safetensors"]
    for file in safe:
        read_header(file)
    check_shards(part)
    pickles = [file for file in files if file.suffix in PICKLES]
    if not safe and pickles:
        check_pickle(pickles[0], allow_pickle)
    elif not safe and _has_weights(entry):
        raise _no_weights(part, variant, sorted({str(variant_of(file.name)) for file in found}))


def _no_weights(part: Path, variant: str | None, there: list[str]) -> WeightsError:
    asked = f" of variant {variant!r}" if variant else ""
    if there:
        return WeightsError(
            f"{part} has weights of variant {', '.join(map(repr, there))} only, and none{asked or ' without'}; set "
            f"variant={there[0]}"
        )
    return WeightsError(f"{part} has no weights{asked}: no .safetensors file; download the model again")


def check_pickle(file: Path, allowed: bool) -> None:
    """Refuse weights that may run any program; raises `WeightsError`."""
    if not allowed:
        raise WeightsError(
            f"{file.parent} has its weights as a pickle ({file.name}), which may run any program when it is "
            "loaded; take a safetensors version, or set allow_pickle if the file is your own"
        )


def check_single_file(file: Path, config: str | None, allow_pickle: bool) -> None:
    """Refuse a file that is no single checkpoint, or one that does not say what it is; raises `WeightsError`."""
    if file.suffix == ".safetensors":
        return
    if file.suffix not in PICKLES:
        what = "holds quantised weights of one network (GGUF)" if file.suffix == ".gguf" else "is no model"
        raise WeightsError(f"{file} {what}; give a folder in the hub's layout, a .safetensors file, or a hub id")
    check_pickle(file, allow_pickle)
    if config is None:
        raise WeightsError(f"{file} does not say what it is; name a model of its architecture with config=")


def read_index(folder: Path) -> dict[str, Any]:
    """The ``model_index.json`` of a folder."""
    path = folder / "model_index.json"
    try:
        index = parse_json(path.read_text(encoding="utf-8"), str(path), error=WeightsError)
    except FileNotFoundError as error:
        kind = kind_of_folder(folder)
        hint = "Of a single checkpoint, name the file itself (model=FOLDER/NAME.safetensors)"
        raise WeightsError(
            f"{folder} is no diffusers model: it has no model_index.json. {f'It holds {kind}' if kind else hint}"
        ) from error
    except (OSError, ValueError) as error:
        raise WeightsError(f"{path} cannot be read: {error}") from error
    if not isinstance(index, dict) or not isinstance(index.get("_class_name"), str):
        raise WeightsError(f"{path} does not name a pipeline class")
    return index


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


def _has_weights(entry: list[str]) -> bool:
    """Whether a part of a pipeline is a network: schedulers, tokenizers and processors have a configuration only."""
    return not any(word in entry[1] for word in ("Scheduler", "Tokenizer", "Processor", "Extractor"))


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)
