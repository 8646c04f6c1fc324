"""Files as nobody should write them, and as somebody will: each kind by name, for any file that a command reads."""

from __future__ import annotations

import gzip
import io
import json
import os
import pickle
import shutil
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

__all__ = ["ANY", "Poison", "fields", "images", "lines", "npz", "tables", "texts", "weights"]

Poison = Callable[[Path], None]
"""Puts something else in a file's place; the file is a copy."""

_NAMES = (
    "", " ", "x" * 10_000, "../../etc/passwd", "/etc/passwd", "<script>alert(1)</script>", "a\u0000b", "\ud800",
    "\x1b[31mred", "=1+1", "$x$ $y", "{{7*7}}", "%s%n", "\u202eevil", "👩‍👩‍👧", "a/b", "CON", "a\nb",
    "'; DROP TABLE x; --", "${oc.env:HOME}",
)  # fmt: skip
_VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 0.5, 1e308, float("nan"), float("inf"), 2**63, 2**70, -(2**70), [], {}, [[]], {"a": {}},
    [1e9] * 9, [None], "1", *_NAMES,
)  # fmt: skip


class _Harmful:
    """What a pickle may do: here it makes a file, which the campaign looks for."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.mark),)


def _bytes(data: bytes) -> Poison:
    return lambda path: path.write_bytes(data) and None


def _kept(change: Callable[[bytes], bytes]) -> Poison:
    return lambda path: path.write_bytes(change(path.read_bytes())) and None


def _instead(make: Callable[[Path], object]) -> Poison:
    def poison(path: Path) -> None:
        path.unlink()
        make(path)

    return poison


def _pickled(path: Path) -> None:
    path.write_bytes(pickle.dumps(_Harmful(path.parent / "ran")))


def _zipped(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../../outside", "x")


ANY: dict[str, Poison] = {
    "empty": _bytes(b""),
    "one byte": _bytes(b"{"),
    "cut in the middle": _kept(lambda data: data[: len(data) // 2]),
    "cut before its end": _kept(lambda data: data[:-1]),
    "twice": _kept(lambda data: data + data),
    "zeros": _kept(lambda data: bytes(len(data))),
    "noise": _kept(lambda data: bytes((7 * n * n + n // 3) % 256 for n in range(len(data)))),
    "a gzip": _kept(gzip.compress),
    "a zip with ..": _zipped,
    "a pickle": _pickled,
    "a page of HTML": _bytes(b"<!DOCTYPE html><html><title>Log in</title></html>"),
    "a pointer of Git LFS": _bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"),
    "UTF-16": _kept(lambda data: data.decode("utf-8", "replace").encode("utf-16")),
    "Latin-1 in it": _kept(lambda data: data.replace(b"a", b"\xe9")),
    "a folder": _instead(Path.mkdir),
    "a pipe": _instead(os.mkfifo),
    "a link to itself": _instead(lambda path: path.symlink_to(path.name)),
    "a link to a device": _instead(lambda path: path.symlink_to("/dev/zero")),
    "not there": _instead(lambda path: None),
    "no permission": lambda path: path.chmod(0),
}
"""For every file."""

texts: dict[str, Poison] = {
    "a byte order mark": _kept(lambda data: b"\xef\xbb\xbf" + data),
    "lists nested deep": _bytes(b"[" * 200_000),
    "objects nested deep": _bytes(b'{"a":' * 200_000),
    "nested deep and closed": _bytes(b"[" * 5_000 + b"]" * 5_000),
    "a list": _bytes(b"[1, 2]"),
    "a number": _bytes(b"1"),
    "a text": _bytes(b'"x"'),
    "null": _bytes(b"null"),
    "an empty object": _bytes(b"{}"),
    "a number of 5,000 digits": _bytes(b'{"images": ' + b"9" * 5_000 + b"}"),
    "keys twice": _bytes(b'{"images": [], "images": [{}], "rules": [], "rules": 1}'),
    "JSON Lines": _bytes(b'{"a": 1}\n{"a": 2}\n'),
    "YAML, an alias bomb": _bytes(
        "\n".join(
            ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
            + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
        ).encode()
    ),
    "YAML, nested deep": _bytes(b"- " * 5_000 + b"x"),
    "YAML with tabs": _bytes(b"name: x\ndata:\n\tkind: coco\n"),
    "YAML, a key twice": _bytes(b"name: x\nname: y\n"),
    "YAML, an object of Python": _bytes(b"name: !!python/object/apply:os.mkdir ['ran']\n"),
    "YAML, a merge with itself": _bytes(b"a: &a\n  <<: *a\n"),
}
"""For files of text."""


def fields(path: Path, most: int = 10_000) -> Iterator[tuple[str, Poison]]:
    """For each field of a JSON file (the first item of a list stands for all) each other value, and no such field."""
    document = json.loads(path.read_text(encoding="utf-8"))
    for keys in list(_fields(document))[:most]:
        name = ".".join(map(str, keys))
        yield f"without {name}", _changed(keys)
        for value in _VALUES:
            yield f"{name} = {json.dumps(value)[:40]}", _changed(keys, value)


def _fields(document: Any, keys: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = document.items() if isinstance(document, dict) else enumerate(document[:1])
    for key, value in items:
        yield (*keys, key)
        if isinstance(value, dict | list):
            yield from _fields(value, (*keys, key))


def _changed(keys: tuple[Any, ...], *value: Any) -> Poison:
    def poison(path: Path) -> None:
        document = inner = json.loads(path.read_text(encoding="utf-8"))
        for key in keys[:-1]:
            inner = inner[key]
        if value:
            inner[keys[-1]] = value[0]
        else:
            del inner[keys[-1]]
        path.write_text(json.dumps(document), encoding="utf-8")

    return poison


def lines(path: Path) -> Iterator[tuple[str, Poison]]:
    """For each field of the first line of JSON Lines each other value; and lines that are none."""
    first, *rest = path.read_text(encoding="utf-8").splitlines()
    for key in json.loads(first):
        for value in _VALUES:
            line = json.dumps(json.loads(first) | {key: value})
            yield f"{key} = {json.dumps(value)[:40]}", _bytes("\n".join([line, *rest]).encode())
    for odd in ("[]", "1", "null", "{}", "x", "{", "[" * 200_000, "\x00", "\u2028"):
        yield f"a line {odd[:9]!r}", _bytes("\n".join([first, odd, *rest]).encode())


def images(path: Path) -> Iterator[tuple[str, Poison]]:
    """Pictures of other kinds than it seems."""
    from PIL import Image

    def saved(picture: Any, kind: str, **more: Any) -> Poison:
        buffer = io.BytesIO()
        picture.save(buffer, kind, **more)
        return _bytes(buffer.getvalue())

    with Image.open(path) as opened:
        plain = opened.convert("RGB")
    turned = Image.Exif()
    turned[0x0112] = 6
    yield "CMYK", saved(plain.convert("CMYK"), "JPEG")
    yield "16-bit grey", saved(plain.convert("I;16") if plain.mode == "I" else Image.new("I;16", plain.size), "PNG")
    yield "32-bit float", saved(Image.new("F", plain.size), "TIFF")
    yield "a palette with transparency", saved(plain.convert("P"), "PNG", transparency=0)
    yield "two levels", saved(plain.convert("1"), "PNG")
    yield "animated", saved(plain, "GIF", save_all=True, append_images=[plain, plain.rotate(9)])
    yield "turned by EXIF", saved(plain, "JPEG", exif=turned)
    yield "EXIF cut off", saved(plain, "JPEG", exif=turned.tobytes()[:9])
    yield "1 x 1", saved(plain.resize((1, 1)), "PNG")
    yield "1 x 4,000", saved(plain.resize((1, 4000)), "PNG")
    yield "a JPEG cut off", _kept(lambda data: saved_bytes(plain)[:500])
    yield "WebP", saved(plain, "WEBP")
    yield "JPEG 2000", saved(plain, "JPEG2000")
    for width, height in ((65_500, 65_500), (2**31 - 1, 2**31 - 1), (0, 5), (50_000, 1)):
        yield f"PNG whose header says {width} x {height}", _bytes(_png_header(width, height))
    yield "GIF whose header says 65,535 x 65,535", _bytes(b"GIF89a\xff\xff\xff\xff\x00\x00\x00;")
    yield "SVG", _bytes(b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>')
    yield "HEIC", _bytes(b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic")
    yield "PDF", _bytes(b"%PDF-1.4\n")
    yield "EPS that runs", _bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(ran) (w) file\n")


def saved_bytes(picture: Any) -> bytes:
    """A picture as JPEG."""
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG")
    return buffer.getvalue()


def _png_header(width: int, height: int) -> bytes:
    import zlib

    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))
    data = b"IDAT" + zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", len(data) - 4) + data + struct.pack(">I", zlib.crc32(data))


def npz(path: Path) -> Iterator[tuple[str, Poison]]:
    """Arrays of other kinds: pickled, of other shapes and types, missing, not numbers."""
    import numpy as np

    with np.load(path) as file:
        arrays = dict(file)

    def with_(**changes: Any) -> Poison:
        def poison(to: Path) -> None:
            new = {name: array for name, array in {**arrays, **changes}.items() if array is not None}
            with to.open("wb") as out:
                np.savez(out, **new)

        return poison

    for name, array in arrays.items():
        yield f"without {name}", with_(**{name: None})
        yield f"{name} empty", with_(**{name: array[:0] if array.ndim else np.array([])})
        yield f"{name} pickled", with_(**{name: np.array([_Harmful(path.parent / "ran")], dtype=object)})
        yield f"{name} of another shape", with_(**{name: np.zeros((2, 3, 4))})
        yield f"{name} of text", with_(**{name: np.array(["x"] * max(1, array.size))})
        if array.dtype.kind == "f":
            yield f"{name} not numbers", with_(**{name: np.full_like(array, np.nan)})


def weights(path: Path) -> Iterator[tuple[str, Poison]]:
    """Checkpoints of others."""
    import torch

    def torched(make: Callable[[Path], Any]) -> Poison:
        return lambda to: torch.save(make(to), to)

    yield "an object", torched(lambda to: _Harmful(to.parent / "ran"))
    yield "weights alone", torched(lambda to: {"model": {"x": torch.zeros(3)}})
    yield "a list", torched(lambda to: [1, 2])
    yield "no weights", torched(lambda to: {})
    for key in torch.load(path, weights_only=True):
        yield (
            f"without {key}",
            torched(lambda to, key=key: {k: v for k, v in torch.load(to, weights_only=True).items() if k != key}),
        )
        yield f"{key} another", torched(lambda to, key=key: torch.load(to, weights_only=True) | {key: "x"})
    yield "ONNX", _bytes(b"\x08\x07\x12\x07pytorch")
    yield "the length of a header", _bytes(struct.pack("<Q", 2**62) + b"{}")


def tables(path: Path) -> Iterator[tuple[str, Poison]]:
    """Instance tables that are damaged, or not ours; ``path`` is the folder."""

    def inside(folder: str, change: Callable[[Path], object]) -> Poison:
        def poison(table: Path) -> None:
            for file in sorted((table / folder).rglob("*")):
                if file.is_file():
                    change(file)

        return poison

    def foreign(table: Path) -> None:
        import lance
        import pyarrow as pa

        shutil.rmtree(table)
        lance.write_dataset(pa.table({"x": [1, 2], "id": ["a", "b"], "image": [1, 2]}), str(table))

    def a_file(table: Path) -> None:
        shutil.rmtree(table)
        table.write_text("x", encoding="utf-8")

    def an_empty_folder(table: Path) -> None:
        shutil.rmtree(table)
        table.mkdir()

    yield "of another schema", foreign
    yield "a file", a_file
    yield "an empty folder", an_empty_folder
    for folder in ("data", "_versions", "_transactions", "_indices"):
        if (path / folder).is_dir():
            yield f"{folder} gone", lambda table, folder=folder: shutil.rmtree(table / folder)
            yield f"{folder} cut off", inside(folder, lambda file: os.truncate(file, file.stat().st_size // 2))
            yield f"{folder} empty", inside(folder, lambda file: os.truncate(file, 0))
            yield f"{folder} noise", inside(folder, ANY["noise"])
            yield f"{folder} without permission", inside(folder, lambda file: file.chmod(0))
