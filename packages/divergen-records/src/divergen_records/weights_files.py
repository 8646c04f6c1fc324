"""Whether a file of weights is one, by its first and last bytes, and what its header says: nothing is loaded."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any
from zipfile import is_zipfile

from .archives import why_no_archive
from .errors import DatasetError, WeightsError
from .reading import parse_json

__all__ = ["check_shards", "read_header", "read_tensors", "why_no_weights"]

_HEAD = 512
_PAGE = (b"<!doctype", b"<html", b"<?xml")
_POINTER = b"version https://git-lfs"
_CUT = "ends too early: the download was cut off; fetch it again"
_DAMAGED = "is no safetensors file, or damaged ({}); fetch it again"
_LONGEST_HEADER = 100_000_000
"""Bytes, of the library."""


def why_no_weights(path: Path) -> str | None:
    """What is wrong with a file, in words that follow its name; None where it may be what it is called.

    Downloads leave three kinds: the page that asked to log in, a pointer of Git LFS, and half of the file. An archive
    that would fill memory is none either.

    Raises:
        OSError: If it cannot be read.
    """
    if another := _what_instead(path):
        return another
    if _head(path).startswith(b"PK"):
        return why_no_archive(path) if is_zipfile(path) else _CUT
    return _why_no_tensors(path) if path.suffix == ".safetensors" else None


def read_header(path: Path) -> dict[str, Any]:
    """The header of a safetensors file that its library can load: tensor -> ``dtype``, ``shape``, ``data_offsets``.

    Raises:
        WeightsError: If the file is not there, cut off, or something else; or its header lies.
    """
    try:
        if wrong := _what_instead(path) or _why_no_tensors(path):
            raise WeightsError(f"{path} {wrong}")
        with path.open("rb") as file:
            header: dict[str, Any] = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    except FileNotFoundError as error:
        raise WeightsError(f"{path} does not exist") from error
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error.strerror}") from error
    return header


def check_shards(folder: Path) -> None:
    """Hold an index of weights in several files against the folder; raises `WeightsError`."""
    for index in folder.glob("*.safetensors.index*.json"):
        try:
            names = set(map(str, json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
        except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            raise WeightsError(f"{index} cannot be read: {error}") from error
        if outside := sorted(name for name in names if name in ("", ".", "..") or Path(name).name != name):
            raise WeightsError(f"{index} names a file that is not beside it, {outside[0]!r}; download the model again")
        missing = sorted(name for name in names if not (folder / name).is_file())
        if missing:
            raise WeightsError(f"{folder} lacks {missing[0]} ({len(missing)} of {len(names)} files); download it again")


def read_tensors(path: Path, what: str) -> Any:
    """Read a file of ``torch.save`` on the CPU, running no code in it.

    Args:
        path: The file.
        what: What it should be, for the message.

    Raises:
        WeightsError: If it cannot be read, or holds anything but tensors, numbers, texts and lists of them.
    """
    import torch

    try:
        if wrong := why_no_weights(path):
            raise WeightsError(f"{path} {wrong}")
        return torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, pickle.UnpicklingError) as error:
        if "Unsupported global" in str(error):
            raise WeightsError(
                f"{path}: not a readable {what} (it holds objects of Python beside tensors, which may run any "
                "program); take a file of the tensors alone, as torch.save(model.state_dict(), …) writes it"
            ) from error
        reason = str(error).partition(". ")[0].splitlines()[:1]
        raise WeightsError(
            f"{path}: not a readable {what} ({reason[0] if reason else type(error).__name__})"
        ) from error


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_HEAD)


def _what_instead(path: Path) -> str | None:
    """What a download left in the place of a file of weights."""
    head = _head(path)
    if not head:
        return "is empty; fetch it again"
    if head.lstrip(b"\xef\xbb\xbf \r\n\t").lower().startswith(_PAGE):
        return "is a web page, not the file: the link of the download led to one; fetch it again"
    if head.startswith(_POINTER):
        return "is a pointer of Git LFS, not the file; fetch it with `git lfs pull`"
    return None


def _why_no_tensors(path: Path) -> str | None:
    """What is wrong with a safetensors file; None where its library can load it."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        text = file.read(length) if length <= size - 8 else None
    if text is None:
        return _CUT if length < _LONGEST_HEADER else _DAMAGED.format(f"its header would have {length:,} bytes")
    try:
        header = parse_json(text, "its header")
    except DatasetError as error:
        return _DAMAGED.format(error)
    try:
        ends = [int(entry["data_offsets"][1]) for name, entry in header.items() if name != "__metadata__"]
    except (ValueError, TypeError, LookupError, AttributeError, OverflowError):
        return _DAMAGED.format("its header does not say where its tensors lie")
    end = 8 + length + max(ends, default=0)
    return _CUT if size < end else _why_not_loaded(path)


def _why_not_loaded(path: Path) -> str | None:
    """What the library says of a file, if it is installed; it holds the header against the data."""
    try:
        from safetensors import SafetensorError, safe_open
    except ImportError:
        return None
    try:
        with safe_open(str(path), framework="np"):
            return None
    except SafetensorError as error:
        return _DAMAGED.format(error)
