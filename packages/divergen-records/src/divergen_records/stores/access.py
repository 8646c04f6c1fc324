"""The edge to fsspec: objects of a store, read, written and listed; its errors become ours here and nowhere else.

Credentials are the environment's: nothing here reads, holds or writes one.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from .errors import Address, StoreError, endpoint, lacks_bucket, told

__all__ = [
    "children",
    "decode",
    "fetch",
    "find_tag",
    "has_children",
    "lance_options",
    "listing",
    "read",
    "read_with_tag",
    "remove",
    "replace",
    "send",
    "sizes",
    "write",
]

_AT_ONCE = 16
"""Objects that are fetched or sent side by side."""


_A = TypeVar("_A", bound=Address)
_T = TypeVar("_T")


def find_tag(path: Address) -> str | None:
    """What changes when the object changes (its ETag), None where there is no object."""
    with told(path):
        try:
            found = _system(path).info(path.key)
        except FileNotFoundError as error:
            if lacks_bucket(error):
                raise
            return None
    return _tag(found) if found["type"] == "file" else None


def has_children(path: Address) -> bool:
    """Whether objects are under this path."""
    return next(iter(children(path)), None) is not None


def children(path: Address) -> list[str]:
    """Names of what is directly under a path: objects, and first parts of longer names."""
    with told(path):
        try:
            found = _system(path).ls(path.key, detail=False)
        except FileNotFoundError as error:
            if lacks_bucket(error):
                raise
            return []
    names = (str(name).rstrip("/") for name in found)
    return sorted({name.rpartition("/")[2] for name in names if name != path.key})


def listing(path: Address) -> dict[str, str]:
    """Every object under a path: its name from there on, and its tag."""
    with told(path):
        found: Mapping[str, Mapping[str, Any]] = _system(path).find(path.key, detail=True)
    start = path.key + "/"
    return {name.removeprefix(start): _tag(info) for name, info in found.items() if name.startswith(start)}


def sizes(path: Address) -> int:
    """Bytes of the object, or of all objects under a path."""
    with told(path):
        return int(sum(info["size"] or 0 for info in _system(path).find(path.key, detail=True).values()))


def read(path: Address) -> bytes:
    """The object; raises `FileNotFoundError` where there is none."""
    with told(path):
        return bytes(_system(path).cat_file(path.key))


def read_with_tag(path: Address) -> tuple[bytes, str] | None:
    """The object and its tag, for `replace`; None where there is none."""
    tag = find_tag(path)
    if tag is None:
        return None
    try:
        return read(path), tag
    except FileNotFoundError:  # removed meanwhile
        return None


def decode(path: Address, data: bytes, kind: type[_T]) -> _T:
    """What DiverGen wrote as JSON to an object; raises `StoreError` where it is anything else."""
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise StoreError(
            f"{path}: is not what DiverGen writes there ({error}); check that the store itself answers at "
            f"{endpoint(path)} and no proxy, and put back an older version of the object, or remove it"
        ) from error


def write(path: Address, data: bytes, *, overwrite: bool = True) -> None:
    """Write an object, whole or not at all.

    Raises:
        FileExistsError: Without ``overwrite``, if there is one: the store decides (If-None-Match), also among several
            writers.
    """
    with told(path):
        _system(path).pipe_file(path.key, data, mode="overwrite" if overwrite else "create")


def replace(path: Address, data: bytes, tag: str | None) -> bool:
    """Write an object over the one of this tag, or where there is none; False, and nothing is written, if that changed.

    On S3 the store decides (If-Match); elsewhere it is looked at just before.
    """
    if tag is None:
        try:
            write(path, data, overwrite=False)
        except FileExistsError:
            return False
        return True
    if find_tag(path) != tag:
        return False
    only = {"IfMatch": f'"{tag}"'} if path.scheme == "s3" else {}
    try:
        with told(path):
            _system(path).pipe_file(path.key, data, **only)
    except (StoreError, FileNotFoundError):
        if find_tag(path) != tag:
            return False
        raise
    return True


def send(files: Mapping[_A, Path], *, overwrite: bool = True) -> None:
    """Write files of this machine to the store, several at a time; large ones in parts."""
    mode = "overwrite" if overwrite else "create"
    if files:
        with told(path := next(iter(files))):
            _system(path).put(
                [str(file) for file in files.values()], [to.key for to in files], batch_size=_AT_ONCE, mode=mode
            )


def fetch(files: Mapping[_A, Path]) -> None:
    """Bring objects to files of this machine, several at a time; folders must be there."""
    if files:
        with told(path := next(iter(files))):
            _system(path).get([at.key for at in files], [str(file) for file in files.values()], batch_size=_AT_ONCE)


def remove(paths: Iterable[Address]) -> None:
    """Remove objects, several at a time; those that are not there are none to remove."""
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        list(threads.map(_remove, paths))


def lance_options(path: Address) -> dict[str, str]:
    """What Lance must be told of a store beside the environment."""
    options = {"client_max_retries": "5", "client_retry_timeout": "60", "connect_timeout": "10s"}
    if _endpoint(path).startswith("http://"):
        options["allow_http"] = "true"
    return options


def _remove(path: Address) -> None:
    with told(path), suppress(FileNotFoundError):
        _system(path).rm_file(path.key)


def _system(path: Address) -> Any:
    """Fsspec's file system of a store; without memory of listings, which others change."""
    import fsspec

    options: dict[str, Any] = {"use_listings_cache": False}
    if path.scheme == "s3":
        options["config_kwargs"] = {"connect_timeout": 10, "retries": {"max_attempts": 3}}
        options["endpoint_url"] = _endpoint(path) or None
        options["anon"] = os.environ.get("AWS_SKIP_SIGNATURE", "").lower() in ("1", "true")
    return fsspec.filesystem(path.scheme, **options)


def _endpoint(path: Address) -> str:
    names = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT") if path.scheme == "s3" else ()
    return next((os.environ[name] for name in names if os.environ.get(name)), "")


def _tag(info: Mapping[str, Any]) -> str:
    names = ("ETag", "etag", "md5Hash", "generation")
    tag = next((str(info[name]) for name in names if info.get(name)), f"{info.get('size')}-{info.get('LastModified')}")
    return tag.strip('"')
