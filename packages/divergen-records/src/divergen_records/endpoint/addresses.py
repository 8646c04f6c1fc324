"""Which address a server's answer may make this machine open, and what its key may go along to."""

from __future__ import annotations

import asyncio
import socket
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import SplitResult, urljoin, urlsplit

from .errors import Rejected

__all__ = ["Places"]

Ip = IPv4Address | IPv6Address

_PORTS = {"http": 80, "https": 443}


class Places:
    """The addresses that an endpoint's answers may name.

    An answer is foreign text, and whoever opens what it names reaches what the server cannot: files, a router, the
    metadata of a cloud's machine. So only http and https are opened; the key goes to the endpoint's own scheme, host
    and port alone; an address of a private network is opened only for an endpoint that is in one itself (a server on
    this machine or beside it names itself as it likes), one that belongs to a single cable (link-local, where clouds
    keep their credentials) never. Every redirect is asked the same. Names are looked up before they are opened; one
    that resolves to something else a moment later is not noticed, nor is anything behind a proxy, which decides itself.

    Args:
        base_url: Of the endpoint.
    """

    def __init__(self, base_url: str) -> None:
        self._base = base_url.rstrip("/") + "/"
        self._home = urlsplit(self._base)

    async def checked(self, address: str, opened_from: str | None = None) -> str:
        """An address in full, if it may be opened.

        Args:
            address: As the answer gives it; one without host is the endpoint's.
            opened_from: What redirects to it.

        Raises:
            Rejected: If it may not be opened.
        """
        try:
            whole = urljoin(opened_from or self._base, address)
            parts = urlsplit(whole)
            usable = parts.scheme in _PORTS and bool(parts.hostname) and (parts.port or 1) > 0
        except ValueError:
            usable = False
        if not usable:
            raise Rejected(f"the answer names {address[:100]!r} instead of a picture; only http and https are opened")
        if parts.hostname != self._home.hostname:
            await self._allow(parts)
        return whole

    def is_endpoint(self, address: str) -> bool:
        """Whether an address is the endpoint's own scheme, host and port: it may see the key."""
        return _origin(urlsplit(address)) == _origin(self._home)

    async def _allow(self, parts: SplitResult) -> None:
        inside = [ip for ip in await _looked_up(parts) if not ip.is_global]
        if not inside:
            return
        apart = any(ip.is_link_local or ip.is_multicast or ip.is_unspecified for ip in inside)
        if apart or all(ip.is_global for ip in await _looked_up(self._home)):
            raise Rejected(
                f"the answer names an address of a private network ({parts.hostname}) instead of a picture, which is "
                "not opened for an endpoint outside it"
            )


def _origin(parts: SplitResult) -> tuple[str, str | None, int | None]:
    return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme)


async def _looked_up(parts: SplitResult) -> list[Ip]:
    """The host's addresses; none where this machine knows none (behind a proxy it need not)."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(parts.hostname, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    ips = [ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
    return [getattr(ip, "ipv4_mapped", None) or ip for ip in ips]
