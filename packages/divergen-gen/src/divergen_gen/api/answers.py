"""Pictures in an image API's answer."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import re
from collections.abc import Awaitable, Callable, Mapping
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

_MARKS = ("has_nsfw_concepts", "has_nsfw_concept", "nsfw_content_detected", "nsfw", "is_nsfw")
_URL_SAFE = str.maketrans("-_", "+/")
_STATUS, _TASK = ("status", "task_status", "state"), ("task_id", "taskId", "job_id", "jobId")
_PASSES = re.compile(
    r"out of memory|load(?:ing|ed yet)|starting|warming|overload|busy|capacity|too many|rate limit|timed? ?out|timeout"
    r"|temporar|unavailable|(?:try|retry|again) (?:again|later)|internal (?:server )?error",
    re.IGNORECASE,
)
"""Words of an error that another attempt may not meet."""
_QUEUED = re.compile(r"queue|pending|process|progress|start|submit|wait|running|created|accepted", re.IGNORECASE)


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


async def read_answer(payload: Mapping[str, Any], fetch: Callable[[str], Awaitable[bytes]]) -> Answer:
    """The pictures in an answer's JSON; those of several that cannot be read, or had, are left out.

    Args:
        payload: The answer, in the form of `divergen_records.endpoint.IMAGES`.
        fetch: Gives what is behind an address; raises `Rejected` where it cannot be had.

    Raises:
        Refused: The endpoint refuses, in its words; or no address of its answer gives a picture.
        Transient: It tells an error that passes.
        EndpointError: It only queues the picture, which would be paid for and lost with every request.
        Unusable: No picture can be read, or there is none.
    """
    data = payload.get("data")
    entries = [entry for entry in data if isinstance(entry, dict)] if isinstance(data, list) else []
    entries = [{**entry, "nsfw": True} for entry in entries] if _unsafe(payload) else entries
    found = await asyncio.gather(*(_picture(entry, fetch) for entry in entries), return_exceptions=True)
    pictures = [picture for picture in found if isinstance(picture, Picture)]
    if pictures:
        name = payload.get("request_id") or payload.get("id")
        return Answer(tuple(pictures), None if name is None else str(name))
    if broken := next((error for error in found if isinstance(error, BaseException)), None):
        raise broken
    if found and any(map(_unsafe, (payload, *entries))):
        raise Refused("the endpoint marks the picture as not safe")
    if said := next(filter(None, map(_refusal, (payload, *entries))), None):
        raise Transient(said) if _PASSES.search(said) and not filtered(said) else Refused(said)
    raise _without_pictures(payload)


def _unsafe(said: Mapping[str, Any]) -> bool:
    """Whether an answer, or one entry of it, marks all that it holds as not safe (fal, Replicate, diffusers)."""
    marks = (mark if isinstance(mark, list) else [mark] for mark in map(said.get, _MARKS))
    return any(mark and all(one is True for one in mark) for mark in marks)


async def _picture(entry: Mapping[str, Any], fetch: Callable[[str], Awaitable[bytes]]) -> Picture | None:
    """A picture in base64, in an address that holds it, or behind one; None where the entry has none."""
    if filtered(entry.get("finish_reason")) or _unsafe(entry):  # what comes with it is blurred, or black
        return None
    encoded, url = entry.get("b64_json"), entry.get("url")
    if not encoded and isinstance(url, str) and url and not url.startswith("data:"):
        return _read(await fetch(url.strip()))
    return _decoded(str(encoded or url)) if encoded or url else None


def _without_pictures(payload: Mapping[str, Any]) -> Exception:
    """What came instead of pictures, and whether it would come again."""
    inner = next((value for key in ("output", "data") if isinstance(value := payload.get(key), dict)), {})
    told = {key: str(part[key]) for part in (inner, payload) for key in (*_STATUS, *_TASK) if part.get(key)}
    if any(key in _TASK or _QUEUED.search(value) for key, value in told.items()):
        return EndpointError(
            f"the endpoint queues its pictures ({', '.join(map(' '.join, told.items()))[:80]}) instead of sending "
            "them, and wants to be asked for them afterwards, which this generator does not. If a parameter makes it "
            "wait, name that in extra_body; this answer may be paid for, and nothing is asked for after it"
        )
    if payload.get("pieces"):
        return Unusable(f"the answer is a stream without a complete picture (pieces: {payload['pieces']})")
    if words := filtered(dict(payload)):
        return Refused(" ".join(words.split())[:300])
    shown = " ".join(json.dumps(payload, ensure_ascii=False).split())[:120]
    return Unusable(f"the answer holds no picture: {shown}")


def _refusal(said: Mapping[str, Any]) -> str | None:
    """Why an answer, or one entry of it, has no picture, in the endpoint's words; None where it does not say."""
    error = said.get("error") or said.get("refusal") or filtered(said.get("finish_reason"))
    message = error.get("message") if isinstance(error, dict) else error
    return " ".join(str(message or error).split())[:300] if error else None


def _decoded(encoded: str) -> Picture:
    text = "".join(encoded.rpartition(",")[2].split()).translate(_URL_SAFE).rstrip("=")
    try:
        content = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Unusable(f"the answer's picture cannot be read: {error}, it begins with {encoded[:40]!r}") from error
    return _read(content)


def _read(content: bytes) -> Picture:
    try:
        return Picture(*over_white(*read_cutout(content)))
    except ImageError as error:
        raise Unusable(f"the answer's picture cannot be read: {str(error).partition(';')[0]}") from error
