"""Masks as FiftyOne's documents hold them: an array that ``numpy.save`` wrote, compressed by zlib, in base64."""

from __future__ import annotations

import zlib
from base64 import b64decode, b64encode
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...array_files import NO_ARRAYS
from ...errors import DatasetError

__all__ = ["pack_mask", "unpack_mask"]

_MOST_BYTES = 2**28
"""What a mask may unpack to."""


def pack_mask(mask: NDArray[np.bool_]) -> dict[str, Any]:
    """The value of a mask (H, W), as MongoDB's extended JSON writes it."""
    file = BytesIO()
    np.save(file, mask, allow_pickle=False)
    data = b64encode(zlib.compress(file.getvalue())).decode("ascii")
    return {"$binary": {"base64": data, "subType": "00"}}


def unpack_mask(value: Any) -> NDArray[np.bool_]:
    """The mask (H, W) of a value, also of the forms of earlier versions.

    Raises:
        DatasetError: If it is none.
    """
    inner = value.get("$binary") if isinstance(value, dict) else value
    text = inner.get("base64") if isinstance(inner, dict) else inner
    if not isinstance(text, str):
        raise DatasetError(f"its mask is no array of FiftyOne's: {value!r:.60}")
    try:
        unpacker = zlib.decompressobj()
        data = unpacker.decompress(b64decode(text, validate=True), _MOST_BYTES)
        if unpacker.unconsumed_tail:
            raise DatasetError(f"its mask unpacks to more than {_MOST_BYTES:,} bytes")
        array = np.load(BytesIO(data), allow_pickle=False)
    except NO_ARRAYS as error:
        raise DatasetError(f"its mask cannot be read ({error})") from error
    if not isinstance(array, np.ndarray) or array.ndim != 2 or not array.size or array.dtype.kind not in "biuf":
        raise DatasetError(f"its mask has the shape {np.shape(array)}; a mask is (height, width)")
    return array > 0
