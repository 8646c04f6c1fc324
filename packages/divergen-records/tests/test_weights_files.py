from __future__ import annotations

import io
import json
import struct
import zipfile
from pathlib import Path

import pytest
from divergen_records import WeightsError
from divergen_records.weights_files import read_header, why_no_weights

TENSOR = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


def tensors(size: int) -> bytes:
    header = json.dumps({"a": TENSOR}).encode()
    return len(header).to_bytes(8, "little") + header + bytes(size)


def zipped() -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as file:
        file.writestr("archive/data.pkl", "x" * 100)
    return held.getvalue()


def lying() -> bytes:
    data = bytearray(zipped())
    struct.pack_into("<I", data, data.index(b"PK\x01\x02") + 24, 2**32 - 2)
    return bytes(data)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.pth", b"<!DOCTYPE html><html>Sign in", "is a web page"),
        ("a.onnx", b"\n <HTML><head>", "is a web page"),
        ("a.safetensors", b"version https://git-lfs.github.com/spec/v1\noid", "git lfs pull"),
        ("a.safetensors", tensors(8), None),
        ("a.safetensors", tensors(3), "cut off"),
        ("a.safetensors", (9).to_bytes(8, "little") + b"{nonsense", "not JSON"),
        ("a.pth", zipped(), None),
        ("a.pt", zipped()[:60], "cut off"),
        ("a.weights", lying(), "says to hold 4,294,967,294 bytes"),
        ("a.ckpt", b"\x80\x02}q\x00", None),
        ("a.onnx", b"\x08\x07", None),
        ("a.txt", b"a prompt", None),
    ],
)
def test_why_no_weights__by_its_bytes(tmp_path: Path, name: str, content: bytes, said: str | None) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    found = why_no_weights(path)
    assert (found is None) == (said is None), found
    assert said is None or said in str(found)


_HEADERS = ["[]", "1", "null", '"x"', "[" * 100_000, '{"a": 1}', '{"a": []}', '{"a": {}}', "\0" * 9]
_LIES = [
    *({"data_offsets": value} for value in ([0], [], None, "x", ["0", "4"], [0.5, 8], [8, 0], [-4, 8], [4, 2**70])),
    *({"dtype": value} for value in ("F7", None, 5)),
    *({"shape": value} for value in ([-1], [2**62, 4], None, [0.5], "x")),
]


@pytest.mark.parametrize("header", [*_HEADERS, *(json.dumps({"a": TENSOR | lie}) for lie in _LIES)])
def test_read_header__one_that_lies(tmp_path: Path, header: str) -> None:
    pytest.importorskip("safetensors")
    path = tmp_path / "a.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header.encode() + bytes(8))
    with pytest.raises(WeightsError, match=r"a\.safetensors (is no safetensors file|ends too early)"):
        read_header(path)
    path.write_bytes((2**62).to_bytes(8, "little") + b"{}")
    assert "header would have" in str(why_no_weights(path))
    path.write_bytes(tensors(8))
    assert read_header(path) == {"a": TENSOR}
