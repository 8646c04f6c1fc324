"""Pictures in an image API's answer."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from divergen_records.endpoint import Refused, Transient, Unusable
from divergen_records.images import read_cutout
from numpy.typing import NDArray

from ..alpha import over_white

__all__ = ["Answer", "Picture", "read_answer"]


@dataclass(frozen=True)
class Picture:
    """One picture of an answer.

    Attributes:
        image: (H, W, 3) uint8 RGB; a transparent one laid over white.
        alpha: (H, W) uint8, 255 where the object is; None where the picture is opaque throughout.
    """

    image: NDArray[np.uint8]
    alpha: NDArray[np.uint8] | None


@dataclass(frozen=True)
class Answer:
    """The pictures of a request.

    Attributes:
        pictures: In the answer's order.
        request_id: What the endpoint calls the request, where it says so.
    """

    pictures: tuple[Picture, ...]
    request_id: str | None


def read_answer(payload: Mapping[str, Any]) -> Answer:
    """The pictures in an answer's JSON.

    Raises:
        Refused: The endpoint refuses, in its words.
        Unusable: A picture cannot be read.
        Transient: It holds none.
    """
    data = payload.get("data")
    entries = [entry for entry in data if isinstance(entry, dict)] if isinstance(data, list) else []
    pictures = tuple(_picture(entry["b64_json"]) for entry in entries if entry.get("b64_json"))
    if pictures:
        name = payload.get("request_id") or payload.get("id")
        return Answer(pictures, None if name is None else str(name))
    error = payload.get("error")
    if error:
        said = error.get("message") if isinstance(error, dict) else error
        raise Refused(" ".join(str(said or error).split())[:300])
    if any(entry.get("url") for entry in entries):
        raise Refused(
            'the endpoint answers with addresses instead of pictures; ask for them by extra_body={"response_format": '
            '"b64_json"}'
        )
    raise Transient("the answer holds no picture")


def _picture(encoded: object) -> Picture:
    try:
        image, alpha = read_cutout(base64.b64decode(str(encoded).rpartition(",")[2], validate=True))
    except (binascii.Error, ValueError) as error:
        raise Unusable(f"the answer's picture cannot be read: {error}") from error
    return Picture(*over_white(image, alpha))
