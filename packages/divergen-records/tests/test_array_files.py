import io
import struct
import zipfile

import numpy as np
import pytest
from divergen_records.array_files import NO_ARRAYS
from numpy.lib.format import open_memmap


def array(header, data=bytes(8)):
    text = header.encode().ljust(64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + data


def archive(data):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as inside:
        inside.writestr("a.npy", data)
    return file.getvalue()


WRONG = [
    b"",
    b"PK\x03\x04 cut off",
    b"\x93NUMPY\x09\x00\x10\x00",
    *map(
        array,
        [
            "{'descr': '|O', 'fortran_order': False, 'shape': (1,)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 8)}",
            "{'descr': 'x', 'fortran_order': False, 'shape': (2,)}",
            "{'descr': '<f4'}",
            "[]",
            "__import__('os').abort()",
            "(" * 9_000,
        ],
    ),
]


@pytest.mark.parametrize("data", WRONG)
def test_no_arrays__whatever_numpy_raises(tmp_path, data):
    path = tmp_path / "a.npy"
    path.write_bytes(data)
    with pytest.raises(NO_ARRAYS):
        np.load(io.BytesIO(data), allow_pickle=False)
    with pytest.raises(NO_ARRAYS):
        open_memmap(path, mode="r")
    with pytest.raises(NO_ARRAYS), np.load(io.BytesIO(archive(data)), allow_pickle=False) as found:
        found["a"].astype(float)


@pytest.mark.parametrize(("place", "value"), [(8, 8), (8, 9), (8, 12), (8, 14), (8, 99), (6, 1), (6, 1 << 6)])
def test_no_arrays__an_archive_with_a_changed_byte(place, value):
    data = bytearray(archive(array("{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", b"\xff" * 8)))
    for start in (data.index(b"PK\x03\x04"), data.index(b"PK\x01\x02") + 2):  # its header, and that in the directory
        data[start + place] = value
    with pytest.raises(NO_ARRAYS), np.load(io.BytesIO(data), allow_pickle=False) as found:
        found["a"]
