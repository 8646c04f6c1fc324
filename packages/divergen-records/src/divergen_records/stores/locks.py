"""A lock on a store: an object that only one can write first (conditional put), renewed while its holder works.

A holder that is killed leaves it; it passes to the next when it has not been renewed for `EXPIRES_SECONDS`, or at once
where the next one sees, on the same machine, that its process is gone. A holder that stands still for longer than that
(a machine that sleeps) may lose it without knowing. Clocks of two machines may differ, and be set: nobody loses a lock
by the time that is written in it alone, but when somebody has looked at it for long enough and it was not renewed.
"""

from __future__ import annotations

import contextlib
import os
import random
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from ..errors import RunLocked
from ..hosts import runs, this_host
from . import access
from .paths import StorePath

__all__ = ["EXPIRES_SECONDS", "held"]

EXPIRES_SECONDS = 60.0
_RENEW_SECONDS = 15.0
_MISSED_SECONDS = 20.0
"""Watched for so long, a lock that ran out by this machine's clock would have been renewed by a holder that lives."""

_FIRST_PAUSE, _LAST_PAUSE = 0.1, 2.0
"""Seconds between two looks of one that waits: a commit takes less than a second, a step hours, and a look is paid."""


class _Owner(msgspec.Struct):
    host: str
    pid: int
    token: str
    until: float


@contextmanager
def held(lock: StorePath, what: str, *, wait: bool) -> Iterator[None]:
    """Hold a lock while the block runs.

    Args:
        lock: The object, removed when the block ends.
        what: What is held, for the message.
        wait: Wait for it.

    Raises:
        RunLocked: If another process holds it, which the message names, and ``wait`` is not set.
    """
    token, pause, watched = uuid.uuid4().hex, _FIRST_PAUSE, _Watched()
    while (other := _take(lock, token, watched)) is not None:
        left = other.until - time.time()
        if not wait and (left >= 0 or watched.renewed):
            passes = f"its lock passes on in {max(left, 0):.0f} s" if left <= 2 * EXPIRES_SECONDS else f"remove {lock}"
            raise RunLocked(
                f"another process works on {what}: process {other.pid} on {other.host}; wait for it, stop it, or use "
                f"another --out. If it is gone, {passes}"
            )
        time.sleep(random.uniform(pause / 2, pause))
        pause = min(1.5 * pause, _LAST_PAUSE)
    ended = threading.Event()
    renewing = threading.Thread(target=_renew, args=(lock, token, ended), name="divergen-lock", daemon=True)
    renewing.start()
    try:
        yield
    finally:
        ended.set()
        renewing.join()
        _give_back(lock, token)


class _Watched:
    """For how long a lock has not been renewed while somebody looked, by the looker's clock alone.

    Attributes:
        renewed: Whether it was meanwhile.
    """

    def __init__(self) -> None:
        self.renewed = False
        self._tag, self._since = "", 0.0

    def still(self, tag: str) -> float:
        """Seconds, with what is seen now."""
        if tag != self._tag:
            self.renewed = bool(self._tag)
            self._tag, self._since = tag, time.monotonic()
        return time.monotonic() - self._since


def _take(lock: StorePath, token: str, watched: _Watched) -> _Owner | None:
    """Take the lock; who has it, if somebody has."""
    try:
        access.write(lock, _mine(token), overwrite=False)
    except FileExistsError:
        found = access.read_with_tag(lock)
        if found is None:  # given back meanwhile
            return _take(lock, token, watched)
        owner = access.decode(lock, found[0], _Owner)
        if _is_gone(owner, watched.still(found[1])) and access.replace(lock, _mine(token), found[1]):
            return None
        return owner
    return None


def _renew(lock: StorePath, token: str, ended: threading.Event) -> None:
    while not ended.wait(_RENEW_SECONDS):
        with contextlib.suppress(Exception):  # the next time, or the work itself will say why
            found = access.read_with_tag(lock)
            if found is not None and _is_mine(found[0], token):
                access.replace(lock, _mine(token), found[1])


def _give_back(lock: StorePath, token: str) -> None:
    found = access.read_with_tag(lock)
    if found is not None and _is_mine(found[0], token):
        access.remove([lock])


def _mine(token: str) -> bytes:
    return msgspec.json.encode(_Owner(this_host(), os.getpid(), token, time.time() + EXPIRES_SECONDS))


def _is_mine(data: bytes, token: str) -> bool:
    return token.encode() in data


def _is_gone(owner: _Owner, still: float) -> bool:
    if owner.host == this_host() and not runs(owner.pid):
        return True
    return still > (_MISSED_SECONDS if time.time() > owner.until else EXPIRES_SECONDS)
