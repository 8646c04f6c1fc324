"""Files of numbers as nobody should write them: safetensors, NumPy's, ONNX; pictures, archives that hold too much."""

from __future__ import annotations

import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from .poisons import Poison

__all__ = ["archives", "bombs", "npy", "onnx", "safetensors"]


def _bytes(data: bytes) -> Poison:
    return lambda path: path.write_bytes(data) and None


def safetensors(path: Path) -> Iterator[tuple[str, Poison]]:
    """Headers that lie about the length, the place, the type or the shape of a tensor, or are no object."""
    data = path.read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    header, rest = json.loads(data[8 : 8 + length]), data[8 + length :]
    first = next(name for name in header if name != "__metadata__")

    def headed(text: bytes, told: int | None = None) -> Poison:
        return _bytes(struct.pack("<Q", len(text) if told is None else told) + text + rest)

    def with_(**changes: Any) -> Poison:
        return headed(json.dumps({**header, first: {**header[first], **changes}}).encode())

    for told in (2**64 - 1, 2**62, 10**9, len(rest), 3, 0):
        yield f"safetensors, a header of {told} bytes", headed(json.dumps(header).encode(), told)
    for text in ("[]", "1", "null", '"x"', "{}", "[" * 100_000, '{"a": 1}', '{"a": []}', '{"a": {}}', "\x00" * 9):
        yield f"safetensors, the header {text[:9]!r}", headed(text.encode())
    begin, end = header[first]["data_offsets"]
    many = 2**40
    offsets = ([begin, many], [many, many + end - begin], [-4, end], [end, begin], [begin], [], None, "x", ["0", "4"])
    for value in (*offsets, [0.5, 4], [begin, 2**70], [True, end], {"a": 1}):
        yield f"safetensors, data_offsets {value}", with_(data_offsets=value)
    for value in ("F7", "", None, 5, "object", "../../x"):
        yield f"safetensors, dtype {value}", with_(dtype=value)
    for value in ([], [-1, 3], [2**62, 4], [many], "x", None, [0.5], [[1]], [1] * 100):
        yield f"safetensors, shape {str(value)[:20]}", with_(shape=value)
    yield "safetensors, two tensors at one place", headed(json.dumps({**header, "overlaps": header[first]}).encode())
    twice = json.dumps({first: header[first]})[:-1] + ", " + json.dumps(header)[1:]
    yield "safetensors, a key twice", headed(twice.encode())
    for told in (1, [], {"format": 1}, {"format": "tf"}, {"divergen_method": "perfusion"}, {"format": "\x1b[31mred"}):
        changed = json.dumps({**header, "__metadata__": told}).encode()
        yield f"safetensors, metadata {told}", headed(changed)


def npy(path: Path) -> Iterator[tuple[str, Poison]]:
    """Arrays of objects, of shapes that no memory holds, of types that are none, with headers that are code."""
    for text in (
        "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1099511627776, 1024), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 8), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 8), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (0, 0), }",
        "{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }",
        "{'descr': '<U9', 'fortran_order': False, 'shape': (1,), }",
        "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (3,), }",
        "{'descr': '<M8[s]', 'fortran_order': False, 'shape': (2,), }",
        "{'descr': '<c16', 'fortran_order': False, 'shape': (2, 1), }",
        "{'descr': 'x', 'fortran_order': False, 'shape': (2,), }",
        "{'descr': '<f4'}",
        "[]",
        "__import__('os').mkdir('ran')",
        "(" * 9_000,
    ):
        yield f"an array, {text[:70]}", _bytes(_array(text))
    yield "an array of version 9", _bytes(b"\x93NUMPY\x09\x00\x10\x00" + b"x" * 99)
    yield "an array, its header cut", _bytes(b"\x93NUMPY\x01\x00\xff\xff{'descr'")


def _array(header: str) -> bytes:
    text = header.encode().ljust(64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + bytes(32)


def onnx(path: Path) -> Iterator[tuple[str, Poison]]:
    """Networks whose weights are other files of this machine, or whose graph is none."""
    places = ("/etc/passwd", "../../../../../../etc/passwd", "no_such_file", "/dev/zero", ".", "", "a\x00b")
    for place, offset in (*((place, 0) for place in places), (path.name, 2**40), (path.name, -1)):
        yield f"ONNX, weights in {place!r} at {offset}", partial(_rewritten, partial(_outside, place, offset))
    for change in (_too_many_numbers, _a_ring, _an_unknown_step, _another_domain):
        yield f"ONNX, {change.__name__.replace('_', ' ').strip()}", partial(_rewritten, change)


def _rewritten(change: Callable[[Any], None], path: Path) -> None:
    import onnx as library

    model = library.load(str(path))
    change(model)
    path.write_bytes(model.SerializeToString())


def _outside(place: str, offset: int, model: Any) -> None:
    """Let a network take its first weights from another file."""
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.ClearField("float_data")
    tensor.data_location = 1  # EXTERNAL
    for key, value in (("location", place), ("offset", str(offset)), ("length", "12")):
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value


def _too_many_numbers(model: Any) -> None:
    model.graph.initializer[0].dims[:] = [2**31, 2**31]


def _a_ring(model: Any) -> None:
    model.graph.node[0].input[0] = model.graph.node[-1].output[0]


def _an_unknown_step(model: Any) -> None:
    model.graph.node[0].op_type = "Strange"


def _another_domain(model: Any) -> None:
    model.graph.node[0].domain = "evil.domain"


def bombs(path: Path) -> Iterator[tuple[str, Poison]]:
    """Small files that become large: compressed metadata, many frames, tags without end, ranges that nobody has."""
    yield "PNG, 1 GB of text compressed", _bytes(_png(b"zTXt", b"a\x00\x00" + _zeros(1 << 30)))
    yield "PNG, a profile of 1 GB", _bytes(_png(b"iCCP", b"a\x00\x00" + _zeros(1 << 30)))
    yield "PNG, 10,000 texts", _bytes(_png(*[b"tEXt", b"a\x00" + b"x" * 100] * 10_000))
    yield "PNG, pixels beyond its size", _bytes(_png(pixels=_zeros(1 << 30)))
    yield "PNG, a chunk of 4 GB", _bytes(_png()[:33] + struct.pack(">I", 2**32 - 1) + b"IDAT")
    yield "PNG, no pixels", _bytes(_png(pixels=zlib.compress(b"")))
    yield "GIF, 100,000 frames", _bytes(_gif(100_000))
    yield "TIFF, tags at each other", _bytes(b"II*\x00\x08\x00\x00\x00" + b"\x00\x00" + struct.pack("<I", 8))
    yield "TIFF, 65,535 tags", _bytes(b"II*\x00\x08\x00\x00\x00\xff\xff" + _tag(0x100, 4, 1, 9) * 65_535)
    large = [(0x100, 4, 1, 9), (0x101, 4, 1, 9), (0x102, 3, 2**30, 8), (0x111, 4, 2**31, 8), (0x117, 4, 2**32 - 1, 8)]
    yield (
        "TIFF, tags of 4 GB",
        _bytes(_tiff(large)),
    )
    tiled = [(0x100, 4, 1, 9), (0x101, 4, 1, 9), (0x142, 4, 1, 0), (0x143, 4, 1, 0), (0x103, 3, 1, 8)]
    yield (
        "TIFF, tiles of nothing",
        _bytes(_tiff(tiled)),
    )
    yield (
        "WebP that says 16,383 x 16,383",
        _bytes(
            b"RIFF\x1e\x00\x00\x00WEBPVP8L\x11\x00\x00\x00\x2f" + struct.pack("<I", (16382 << 14) | 16382) + bytes(12)
        ),
    )
    yield (
        "WebP whose canvas is 2^24 x 2^24",
        _bytes(b"RIFF\x16\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x00\x00\x00\x00" + b"\xff" * 6),
    )
    yield "JPEG that says 65,500 x 65,500", _bytes(_jpeg())
    yield (
        "BMP of -2^31 lines",
        _bytes(
            b"BM"
            + struct.pack("<IHHI", 70, 0, 0, 54)
            + struct.pack("<IiiHHIIiiII", 40, 9, -(2**31), 1, 24, 0, 0, 0, 0, 0, 0)
        ),
    )
    yield (
        "EXIF whose tags point at themselves",
        _bytes(_exif(b"Exif\x00\x00II*\x00\x08\x00\x00\x00\x01\x00" + _tag(0x8769, 4, 1, 8) + bytes(4))),
    )


def _tiff(tags: list[tuple[int, int, int, int]]) -> bytes:
    return b"II*\x00\x08\x00\x00\x00" + struct.pack("<H", len(tags)) + b"".join(_tag(*one) for one in tags) + bytes(4)


def _tag(number: int, kind: int, count: int, value: int) -> bytes:
    return struct.pack("<HHII", number, kind, count, value)


def _zeros(count: int) -> bytes:
    """So many zeros, compressed; a block at a time."""
    packer, block = zlib.compressobj(9), bytes(1 << 20)
    return b"".join(packer.compress(block) for _ in range(count >> 20)) + packer.flush()


def _png(*chunks: bytes, pixels: bytes | None = None) -> bytes:
    """A grey picture of 8 x 8, with further chunks: name, content and so on."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, 0))
    inner = b"".join(chunk(*pair) for pair in zip(chunks[::2], chunks[1::2], strict=True))
    body = chunk(b"IDAT", zlib.compress(bytes(9 * 8)) if pixels is None else pixels)
    return b"\x89PNG\r\n\x1a\n" + head + inner + body + chunk(b"IEND", b"")


def _gif(frames: int) -> bytes:
    frame = b"\x21\xf9\x04\x00\x00\x00\x00\x00\x2c\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02\x44\x01\x00"
    return b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff" + frame * frames + b";"


def _small(**more: Any) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(buffer, "JPEG", **more)
    return buffer.getvalue()


def _jpeg() -> bytes:
    data = _small()
    at = data.index(b"\xff\xc0") + 5
    return data[:at] + struct.pack(">HH", 65_500, 65_500) + data[at + 4 :]


def _exif(data: bytes) -> bytes:
    return _small(exif=data)


def archives(path: Path) -> Iterator[tuple[str, Poison]]:
    """Zip files that say to hold, or hold, far more than their bytes."""
    data = path.read_bytes()
    place = data.index(b"PK\x01\x02")  # of the first member in the list of them
    for told in (2**32 - 2, 0, 2**27):
        yield f"an archive whose first member has {told} bytes", _bytes(_put(data, place + 24, told))
    yield "an archive whose first member lies behind its end", _bytes(_put(data, place + 42, 2**32 - 2))
    yield "an archive of 400 MB of zeros", _full_of_zeros


def _put(data: bytes, place: int, value: int) -> bytes:
    return data[:place] + struct.pack("<I", value) + data[place + 4 :]


def _full_of_zeros(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names[:4]:
            archive.writestr(name, bytes(100_000_000))


def parquet(path: Path) -> Iterator[tuple[str, Poison]]:
    """A table of one row, whose picture is 400 MB of zeros."""

    def poison(to: Path) -> None:
        import pyarrow as pa
        from pyarrow.parquet import read_table, write_table

        table = read_table(to).slice(0, 1)
        held = pa.array([{"bytes": bytes(400_000_000), "path": None}], table.schema.field("image").type)
        write_table(table.set_column(table.schema.get_field_index("image"), "image", held), to, compression="zstd")

    yield "a picture of 400 MB of zeros", poison
