"""Pictures in an image API's answer."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from divergen_records import ImageError
from divergen_records.endpoint import EndpointError, Refused, Transient, Unusable
from divergen_records.endpoint.payload import filtered
from divergen_records.images import read_cutout
from numpy.typing import NDArray

from ..alpha import over_white

__all__ = ["Answer", "Picture", "read_answer"]

_URL_SAFE = str.maketrans("-_", "+/")


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
    """The pictures in an answer's JSON; those of several that cannot be read are left out.

    Raises:
        Refused: The endpoint refuses, in its words.
        EndpointError: It gives addresses instead of pictures, which would be paid for and lost.
        Unusable: No picture can be read.
        Transient: It holds none.
    """
    data = payload.get("data")
    entries = [entry for entry in data if isinstance(entry, dict)] if isinstance(data, list) else []
    encoded = [text for text in map(_encoded, entries) if text]
    pictures, broken = _read(encoded)
    if pictures:
        name = payload.get("request_id") or payload.get("id")
        return Answer(tuple(pictures), None if name is None else str(name))
    if broken is not None:
        raise broken
    if said := next(filter(None, map(_refusal, (payload, *entries))), None):
        raise Refused(said)
    if any(entry.get("url") for entry in entries):
        raise EndpointError(
            "the endpoint answers with addresses instead of pictures, which are not followed. If another parameter "
            "makes it send pictures, name that in extra_body; this answer is paid for, and no other was asked for"
        )
    raise Transient("the answer holds no picture")


def _encoded(entry: Mapping[str, Any]) -> str | None:
    """A picture in base64: in its own field, or in an address that holds it."""
    url = entry.get("url")
    return entry.get("b64_json") or (url if isinstance(url, str) and url.startswith("data:") else None)


def _refusal(said: Mapping[str, Any]) -> str | None:
    """Why an answer, or one entry of it, has no picture, in the endpoint's words; None where it does not say."""
    error = said.get("error") or said.get("refusal") or filtered(said.get("finish_reason"))
    message = error.get("message") if isinstance(error, dict) else error
    return " ".join(str(message or error).split())[:300] if error else None


def _read(encoded: Iterable[str]) -> tuple[list[Picture], Unusable | None]:
    """The pictures that can be read, and what is wrong with the last that cannot."""
    pictures, broken = [], None
    for text in encoded:
        try:
            pictures.append(_picture(text))
        except Unusable as error:
            broken = error
    return pictures, broken


def _picture(encoded: object) -> Picture:
    text = "".join(str(encoded).rpartition(",")[2].split()).translate(_URL_SAFE).rstrip("=")
    try:
        image, alpha = read_cutout(base64.b64decode(text + "=" * (-len(text) % 4), validate=True))
    except (binascii.Error, ImageError, ValueError) as error:
        said = str(error).partition(";")[0]
        raise Unusable(f"the answer's picture cannot be read: {said}") from error
    return Picture(*over_white(image, alpha))
