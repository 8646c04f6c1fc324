"""Addresses of object stores: refused in one sentence where a path of this machine is needed."""

from __future__ import annotations

import re
from pathlib import Path

from .errors import ConfigError

__all__ = ["refuse_store"]

_STORE = re.compile(
    r"(?:^|(?<=/))(?:s3[an]?|gs|gcs|r2|oss|cos|adl|az|abfss?|wasbs?|azure|hdfs|webhdfs|viewfs|dbfs|swift|memory|sftp|ssh|smb|file)"
    r":/+\S+"
)
"""With one slash, too: that is what is left of it in a path."""


def refuse_store(path: str | Path) -> None:
    """Refuse the address of an object store, or of another file system than this machine's.

    Args:
        path: A path as it was given, or made absolute.

    Raises:
        ConfigError: If it is one; the message says what to give instead.
    """
    found = _STORE.search(str(path))
    if found is None:
        return
    scheme, _, rest = found[0].partition(":")
    if scheme == "file":
        raise ConfigError(f"{found[0]}: is an address; give the path alone: /{rest.lstrip('/')}")
    raise ConfigError(
        f"{scheme}://{rest.lstrip('/')}: object stores are not supported, only folders of this machine; mount the "
        "store (rclone mount, s3fs, gcsfuse, …) and give the folder, or copy the data to a local disk"
    )
