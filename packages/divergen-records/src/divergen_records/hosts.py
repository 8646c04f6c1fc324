"""Which machine this is, and which of its processes live."""

from __future__ import annotations

import os
import platform
import re
from contextlib import suppress
from functools import cache
from pathlib import Path

__all__ = ["runs", "this_host"]


@cache
def this_host() -> str:
    """This machine; in a container this container, for processes of another are not seen from here."""
    name = re.sub(r"[^\w-]", "-", platform.node())[:32] or "host"
    with suppress(OSError):
        return f"{name}-{re.sub('[^0-9]', '', str(Path('/proc/self/ns/pid').readlink()))}"
    return name


def runs(pid: int) -> bool:
    """Whether a process of this machine lives."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # it is somebody else's, or no process id of this system
        return True
    return True
