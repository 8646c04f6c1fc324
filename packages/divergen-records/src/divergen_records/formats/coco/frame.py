"""From a file's bytes to its items, each still text: one bad item does not hide the others."""

from __future__ import annotations

import gzip
import json
import re
import zlib
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

from ...errors import DatasetError
from ...files import refuse_pipe
from ..foreign import PANOPTIC, tell_foreign

__all__ = ["Item", "read_frame", "read_json_bytes"]

MAX_BYTES = 16 * 2**30
"""Bytes of a file, or of what a compressed one unpacks to."""

MAX_RATIO = 200
"""Times that a compressed file may grow; JSON of masks grows by four to ten."""

_FIRST = 4096
"""Bytes of the annotations that show whether each is a picture's, as in the panoptic form."""

Item: TypeAlias = msgspec.Raw | dict[str, Any]
"""An item's JSON text; a dict where that text is no JSON because it holds NaN or Infinity."""

_LISTS = ("images", "annotations", "categories")
_NOT_JSON = re.compile(rb"[\s:,\[]-?(NaN|Infinity)\b")
_EXPECTED = "a COCO or LVIS file is an object with the keys images, annotations and categories"


def read_frame(path: Path) -> dict[str, Any]:
    """The file's top-level keys: its three lists as text (`msgspec.Raw`) or as lists of `Item`, the others decoded.

    A byte order mark, UTF-16, UTF-32 and gzip are read as well.

    Raises:
        DatasetError: If there is no such file, it is no JSON, or none of this form.
    """
    data = read_json_bytes(path)
    try:
        parts: dict[str, Any] = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
        for key in parts.keys() - {*_LISTS}:
            parts[key] = msgspec.json.decode(parts[key])
    except msgspec.ValidationError as error:
        raise DatasetError(f"{path}: {error}; {_hint(path, data)}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        if not _NOT_JSON.search(data):
            raise _damaged(path, error) from error
        parts = _decode_with_nan(data, path)
    except RecursionError as error:
        raise DatasetError(f"{path}: is nested too deeply; no COCO or LVIS file is") from error
    for key in _LISTS:
        _require_list(parts, key, path)
    first = parts["annotations"]
    if isinstance(first, msgspec.Raw) and b'"segments_info"' in bytes(memoryview(first)[:_FIRST]):
        raise DatasetError(f"{path}: is COCO's panoptic form; {PANOPTIC}")
    return parts


def _hint(path: Path, data: bytes) -> str:
    """What is expected, or what the file is instead."""
    if re.match(rb'\s*\[\s*\{[^}]*"score"', data):
        return "it looks like detections (a detector's results), which `divergen-evaluate` takes beside the data set"
    return tell_foreign(path) or _EXPECTED


def _require_list(parts: dict[str, Any], key: str, path: Path) -> None:
    if key not in parts:
        raise DatasetError(f"{path}: Object missing required field `{key}`; {tell_foreign(path) or _EXPECTED}")
    part = parts[key]
    head = bytes(memoryview(part)[:1]) if isinstance(part, msgspec.Raw) else b"[" if isinstance(part, list) else b""
    if head != b"[":
        kinds = {b"{": "object", b'"': "str", b"n": "null", b"t": "bool", b"f": "bool", b"": "object"}
        raise DatasetError(f"{path}: Expected `array`, got `{kinds.get(head, 'number')}` - at `$.{key}`; {_EXPECTED}")


def read_json_bytes(path: Path) -> bytes:
    """A JSON file as UTF-8 without a byte order mark, unpacked where it is compressed; raises `DatasetError`."""
    refuse_pipe(path)
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise DatasetError(f"{path}: {size:,} bytes are above the limit of {MAX_BYTES:,}; split the file")
        data = path.read_bytes()
        if data[:2] == b"\x1f\x8b":
            data = _unpack(path, size)
    except FileNotFoundError as error:
        raise DatasetError(f"{path}: there is no such file; expected a JSON file") from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DatasetError(f"{path}: the compressed file is damaged or cut off ({error}); get it again") from error
    except OSError as error:
        raise DatasetError(f"{path}: the file cannot be read: {error.strerror}") from error
    encoding = json.detect_encoding(data[:4])
    if not encoding.startswith("utf-8"):
        try:
            data = data.decode(encoding).encode()
        except UnicodeError as error:
            raise DatasetError(f"{path}: begins as {encoding.upper()} but is not; save it as UTF-8") from error
    return data.removeprefix(b"\xef\xbb\xbf")


def _unpack(path: Path, size: int) -> bytes:
    most = min(MAX_BYTES, max(size * MAX_RATIO, 2**20))
    with gzip.open(path) as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise DatasetError(f"{path}: unpacks to more than {most:,} bytes from {size:,}; no annotation file does")
    return data


def _damaged(path: Path, error: Exception) -> DatasetError:
    cut = "truncated" in str(error)
    advice = "the file is damaged or cut off, get it again" if cut else "correct it there, or export it again"
    return DatasetError(f"{path}: not valid JSON ({error}); {advice}")


def _decode_with_nan(data: bytes, path: Path) -> dict[str, Any]:
    """As Python's json reads it; items that hold NaN or Infinity stay objects, the others become text again."""
    try:
        parts = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise _damaged(path, error) from error
    if not isinstance(parts, dict):
        raise DatasetError(f"{path}: Expected `object`, got `array`; a COCO or LVIS file is an object")
    for key in _LISTS:
        if isinstance(parts.get(key), list):
            parts[key] = [_as_item(row) for row in parts[key]]
    return parts


def _as_item(row: Any) -> Item:
    text = json.dumps(row)
    return row if isinstance(row, dict) and _NOT_JSON.search(text.encode()) else msgspec.Raw(text.encode())
