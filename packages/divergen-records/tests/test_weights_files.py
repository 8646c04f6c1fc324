from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import pytest
from divergen_records.weights_files import why_no_weights


def tensors(size: int) -> bytes:
    header = json.dumps({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
    return len(header).to_bytes(8, "little") + header + bytes(size)


def zipped() -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as file:
        file.writestr("archive/data.pkl", "x" * 100)
    return held.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.pth", b"<!DOCTYPE html><html>Sign in", "is a web page"),
        ("a.onnx", b"\n <HTML><head>", "is a web page"),
        ("a.safetensors", b"version https://git-lfs.github.com/spec/v1\noid", "git lfs pull"),
        ("a.safetensors", tensors(8), None),
        ("a.safetensors", tensors(3), "cut off"),
        ("a.safetensors", (9).to_bytes(8, "little") + b"{nonsense", None),
        ("a.pth", zipped(), None),
        ("a.pt", zipped()[:60], "cut off"),
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
