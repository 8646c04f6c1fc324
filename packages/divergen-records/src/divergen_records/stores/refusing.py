"""Addresses where a path of this machine is needed, refused in one sentence."""

from __future__ import annotations

import re
from pathlib import Path

from ..errors import ConfigError
from .paths import SCHEMES, StorePath, is_address, place

__all__ = ["refuse_store"]

_OTHERS = re.compile(
    r"(?:^|(?<=/))(?:s3[an]|gcs|r2|oss|cos|adl|wasbs?|abfss?|azure|hdfs|webhdfs|viewfs|dbfs|swift|memory|sftp|ssh|smb|file)"
    r":/+\S+",
    re.IGNORECASE,
)
"""Other file systems than this machine's, and none of ours; one slash is what is left of two in a path."""

_WEB = re.compile(r"(?:^|(?<=/))(?:https?|ftp|hf|git|github):/+\S+", re.IGNORECASE)

_MOUNT = "mount it (rclone mount, sshfs, …) and give the folder, or copy the data to a local disk"


def refuse_store(path: str | Path, *, ours: bool = True, web: bool = True) -> None:
    """Refuse an address where a path of this machine is needed.

    Args:
        path: A path as it was given, or made absolute.
        ours: Also refuse addresses that are known elsewhere (``s3://``, ``gs://``, ``az://``).
        web: Also refuse those of the web (``https://``, ``hf://``), which a text may well hold.

    Raises:
        ConfigError: If it is one; the message says what to give instead.
    """
    if re.fullmatch(rf"({'|'.join(SCHEMES)})://+", str(path), re.IGNORECASE):
        raise ConfigError(f"{path}: names no bucket; give {str(path).partition(':')[0].lower()}://BUCKET/NAME")
    if ours and (isinstance(path, StorePath) or is_address(path)):
        raise ConfigError(
            f"{place(path)} is on an object store, and this needs a path of this machine; mount the store (rclone "
            "mount, s3fs, gcsfuse, …) and give the folder, or copy it to a local disk"
        )
    if web and (found := _WEB.search(str(path))) is not None:
        scheme, _, rest = found[0].partition(":")
        raise ConfigError(
            f"{scheme}://{rest.lstrip('/')}: is an address of the web; download what is there, and give its path"
        )
    found = _OTHERS.search(str(path))
    if found is None:
        return
    scheme, _, rest = found[0].partition(":")
    if scheme.lower() == "file":
        raise ConfigError(f"{found[0]}: is an address; give the path alone: /{rest.lstrip('/')}")
    raise ConfigError(
        f"{scheme}://{rest.lstrip('/')}: object stores of this kind are not supported, only "
        f"{', '.join(f'{name}://' for name in SCHEMES)}; {_MOUNT}"
    )
