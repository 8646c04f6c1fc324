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

__all__ = ["Item", "read_frame", "read_json_bytes", "whole_characters"]

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
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][\da-fA-F]{2}\\u[dD][c-fC-F][\da-fA-F]{2}|(?P<half>u[dD][89a-fA-F][\da-fA-F]{2})|.)", re.DOTALL
)
"""An escape; ``half`` where it is one half of a character alone, which is no text."""

_BLANKS = 6
"""Bytes of blanks beside a top-level key that are no reason to look for more."""

_EXPECTED = "a COCO or LVIS file is an object with the keys images, annotations and categories"


def read_frame(path: Path, notes: list[str]) -> dict[str, Any]:
    """The file's top-level keys: its three lists as text (`msgspec.Raw`) or as lists of `Item`, the others decoded.

    A byte order mark, UTF-16, UTF-32 and gzip are read as well.

    Args:
        path: The file.
        notes: Takes what is worth telling.

    Raises:
        DatasetError: If there is no such file, it is no JSON, or none of this form.
    """
    data = read_json_bytes(path)
    try:
        parts = _decode(data, path)
    except msgspec.ValidationError as error:
        raise DatasetError(f"{path}: {error}; {_hint(path, data)}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        parts = _decode_otherwise(data, path, error, notes)
    except RecursionError as error:
        raise DatasetError(f"{path}: is nested too deeply; no COCO or LVIS file is") from error
    if {"images", "categories"} <= parts.keys() and _is_null(parts.get("annotations")):
        parts["annotations"] = msgspec.Raw(b"[]")  # as COCO's and LVIS's files of test pictures
        notes.append(f"{path.name}: has pictures and no list of annotations")
    for key in _LISTS:
        _require_list(parts, key, path)
    first = parts["annotations"]
    if isinstance(first, msgspec.Raw) and b'"segments_info"' in bytes(memoryview(first)[:_FIRST]):
        raise DatasetError(f"{path}: is COCO's panoptic form; {PANOPTIC}")
    return parts


def _decode(data: bytes, path: Path) -> dict[str, Any]:
    parts: dict[str, Any] = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
    _refuse_twice(parts, data, path)
    for key in parts.keys() - {*_LISTS}:
        parts[key] = msgspec.json.decode(parts[key])
    return parts


def _refuse_twice(parts: dict[str, msgspec.Raw], data: bytes, path: Path) -> None:
    """Refuse a list that the file has twice, of which a reader of JSON takes the last; raises `DatasetError`."""
    kept = [memoryview(part) for part in parts.values()]
    plain = sum(len(key.encode()) + 4 for key in parts) + 1
    if len(data) - sum(map(len, kept)) - plain <= _BLANKS * (len(parts) + 1):
        return
    if _ink(data) - sum(_ink(bytes(part)) for part in kept) > plain:
        for key in _LISTS:
            if data.count(b'"%s"' % key.encode()) > 1:
                raise DatasetError(f"{path}: has the list `{key}` twice, and readers take one; join the two")


def _ink(data: bytes) -> int:
    return len(data.translate(None, b" \t\r\n"))


def _is_null(part: Any) -> bool:
    return part is None or (isinstance(part, msgspec.Raw) and bytes(memoryview(part)[:5]) == b"null")


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


def _decode_otherwise(data: bytes, path: Path, error: Exception, notes: list[str]) -> dict[str, Any]:
    """What is no JSON for its text, if only by what Python's json reads as well; raises `DatasetError`."""
    if not data.strip():
        raise DatasetError(f"{path}: the file is empty ({len(data)} bytes)") from error
    if "UTF-8" in str(error) or isinstance(error, UnicodeDecodeError):
        raise DatasetError(f"{path}: holds text that is no UTF-8; save the file as UTF-8") from error
    whole = whole_characters(data, path, notes)
    if whole != data:
        try:
            return _decode(whole, path)
        except msgspec.DecodeError as another:
            error = another
    if not _NOT_JSON.search(whole):
        raise _damaged(path, error) from error
    return _decode_with_nan(whole, path)


def whole_characters(data: bytes, path: Path, notes: list[str]) -> bytes:
    """JSON text in which halves of characters, which are no text, are replaced; that is told."""
    whole = _ESCAPE.sub(_whole_character, data)
    if whole != data:
        notes.append(f"{path.name}: holds halves of characters (as \\ud83d alone), read as \\ufffd")
    return whole


def _whole_character(escape: re.Match[bytes]) -> bytes:
    return escape[0] if escape["half"] is None else b"\\ufffd"


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
