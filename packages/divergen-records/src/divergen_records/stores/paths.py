"""Paths on object stores: a `pathlib.Path` as far as a store can be one, and an error where it cannot."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError
from . import access

__all__ = ["SCHEMES", "StorePath", "is_address", "place"]

SCHEMES = ("s3", "gs", "az")
"""Stores that both Lance and fsspec reach: S3 and its kin, Google, Azure."""

_ADDRESS = re.compile(rf"({'|'.join(SCHEMES)}):/+[^/]", re.IGNORECASE)
"""With one slash, too: that is what is left of two in a path."""


if TYPE_CHECKING:
    _Path = Path
else:
    _Path = type(Path())  # the class of paths of this system: before Python 3.12 `Path` itself has no subclasses


def is_address(path: str | os.PathLike[str]) -> bool:
    """Whether a path is the address of an object store."""
    return isinstance(path, StorePath) or _ADDRESS.match(str(path)) is not None


def place(path: str | os.PathLike[str]) -> Path:
    """A path of this machine, or of an object store where it is the address of one.

    Raises:
        ConfigError: If it is an address that holds a key; the message does not show it.
    """
    if isinstance(path, StorePath) or not is_address(path):
        return path if isinstance(path, Path) else Path(path)
    scheme, _, rest = str(path).partition(":")
    return StorePath(f"{scheme.lower()}:{rest}")


class StorePath(_Path):
    """A place on an object store: ``s3://bucket/key``.

    What libraries do with a path of this machine (`os.fspath`) is refused in one sentence.
    """

    __slots__ = ()

    def __new__(cls, *parts: Any) -> StorePath:
        """A path of these parts; see `place`."""
        _refuse_keys("/".join(map(str, parts)))
        made: StorePath = super().__new__(cls, *parts)
        return made

    def __str__(self) -> str:
        text = str(super().__str__())
        scheme, _, rest = text.partition(":")
        return f"{scheme}://{rest.lstrip('/')}" if _ADDRESS.match(text) else text  # else a part of an address

    def __fspath__(self) -> str:
        raise ConfigError(
            f"{self} is on an object store, and this needs a path of this machine; mount the store (rclone mount, "
            "s3fs, gcsfuse, …) and give the folder, or copy it to a local disk"
        )

    @property
    def scheme(self) -> str:
        """``"s3"``, ``"gs"`` or ``"az"``."""
        return str(self.parts[0]).rstrip(":")

    @property
    def bucket(self) -> str:
        """The bucket, or container."""
        return str(self.parts[1])

    @property
    def key(self) -> str:
        """``bucket/key``, as fsspec names it."""
        return "/".join(self.parts[1:])

    def is_absolute(self) -> bool:
        """An address is the same from everywhere."""
        return True

    def absolute(self) -> StorePath:
        """Itself."""
        return self

    def resolve(self, strict: bool = False) -> StorePath:
        """Itself."""
        return self

    def expanduser(self) -> StorePath:
        """Itself."""
        return self

    def exists(self, **_: Any) -> bool:
        """Whether an object is there, or any under it."""
        return self.is_file() or self.is_dir()

    def is_file(self, **_: Any) -> bool:
        """Whether an object is there."""
        return access.find_tag(self) is not None

    def is_dir(self, **_: Any) -> bool:
        """Whether objects are under it."""
        return access.has_children(self)

    def is_symlink(self) -> bool:
        """Stores have no links."""
        return False

    def iterdir(self) -> Generator[StorePath, None, None]:
        """What is directly under it."""
        yield from (self / name for name in access.children(self))

    def mkdir(self, *_: Any, **__: Any) -> None:
        """Nothing: a store has no folders beside what lies in them."""

    def unlink(self, missing_ok: bool = False) -> None:
        """Remove the object."""
        access.remove([self])

    def read_bytes(self) -> bytes:
        """The object."""
        return access.read(self)

    def read_text(self, encoding: str | None = "utf-8", errors: str | None = None, newline: str | None = None) -> str:
        """The object as text."""
        return self.read_bytes().decode(encoding or "utf-8", errors or "strict")

    def write_bytes(self, data: Any) -> int:
        """Write the object, over what is there."""
        access.write(self, bytes(data))
        return len(data)

    def open(self, mode: str = "r", *_: Any, **__: Any) -> Any:
        """A stream of the object's content, to read."""
        if mode not in ("r", "rt", "rb"):
            raise ConfigError(f"{self} is on an object store: whole files are written there, none is opened to write")
        data = self.read_bytes()
        return io.BytesIO(data) if "b" in mode else io.StringIO(data.decode())


def _refuse_keys(address: str) -> None:
    """Refuse an address that holds a key, without showing it."""
    bucket = address.partition(":")[2].lstrip("/").partition("/")[0]
    if "@" in bucket:
        raise ConfigError(
            f"{bucket.rpartition('@')[2]}: an address with a key or account in it; keys belong into the environment "
            "(AWS_…, GOOGLE_…, AZURE_…), where nobody writes them down"
        )
