"""What stands behind an address of an answer: opened once, bounded, without telling others the key."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .addresses import Places
from .errors import Rejected, Transient
from .secrets import NO_KEY, Redactor

__all__ = ["download"]

_LARGEST = 100_000_000
"""Bytes of one picture."""
_MOST_REDIRECTS = 5
_LONGEST_WAIT = 60.0
"""Seconds that a server may ask to wait."""
_LATER = (408, 409, 425, 429)


async def download(
    client: Any, address: str, *, places: Places, key: str, redact: Redactor, retry_after: Callable[[Any], float | None]
) -> bytes:
    """The content behind an address.

    Args:
        client: The endpoint's HTTP client, which itself knows no key.
        address: As the answer gives it.
        places: What may be opened.
        key: Sent to the endpoint itself alone.
        redact: Takes secrets out of what is said.
        retry_after: Reads how long a server asks to wait from its headers.

    Raises:
        Rejected: If it may not be opened, is gone, too large or a web page.
        Transient: If the server says that this passes.
    """
    whole = await places.checked(address)
    for _ in range(_MOST_REDIRECTS + 1):
        headers = {"Authorization": f"Bearer {key}"} if key != NO_KEY and places.is_endpoint(whole) else {}
        async with client.stream("GET", whole, headers=headers, follow_redirects=False) as response:
            if not response.is_redirect:
                return await _content(response, redact.url(whole), retry_after)
            whole = await places.checked(response.headers.get("location", ""), whole)
    raise Rejected(f"the picture's address {redact.url(whole)} redirects for ever")


async def _content(response: Any, shown: str, retry_after: Callable[[Any], float | None]) -> bytes:
    status, kind = response.status_code, response.headers.get("content-type", "")
    said = f"the picture's address {shown} answers with status {status}"
    wait = retry_after(response.headers)
    if (status in _LATER or status >= 500) and (wait or 0) <= _LONGEST_WAIT:
        raise Transient(said, retry_after=wait)
    if not response.is_success:
        raise Rejected(f"{said}: it has expired, or was never open to this key")
    if kind.startswith("text/html"):
        raise Rejected(f"the picture's address {shown} holds a web page")
    content = bytearray()
    async for chunk in response.aiter_bytes():
        content += chunk
        if len(content) > _LARGEST:
            raise Rejected(f"the picture's address {shown} holds more than {_LARGEST / 1e6:g} MB")
    return bytes(content)
