import struct
import zipfile

import pytest
from divergen_records.archives import why_no_archive, why_too_much


def zipped(path, compression=zipfile.ZIP_DEFLATED, size=100_000):
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("a.npy", bytes(size))
    return path


def test_why_no_archive__sound_ones(tmp_path):
    assert why_no_archive(zipped(tmp_path / "a.npz")) is None
    assert why_no_archive(zipped(tmp_path / "b.npz", zipfile.ZIP_STORED)) is None


def test_why_no_archive__one_that_holds_too_much(tmp_path, monkeypatch):
    monkeypatch.setattr("divergen_records.archives._HARMLESS", 10_000)
    assert why_no_archive(zipped(tmp_path / "a.npz", zipfile.ZIP_STORED)) is None
    assert why_no_archive(zipped(tmp_path / "b.npz")).startswith("says to hold 100,000 bytes in ")


@pytest.mark.parametrize(("offset", "said"), [(24, "says to hold 4,294,967,294 bytes"), (0, "is no sound archive")])
def test_why_no_archive__a_list_of_members_that_lies(tmp_path, offset, said):
    path = zipped(tmp_path / "a.npz")
    data = bytearray(path.read_bytes())
    struct.pack_into("<I", data, data.index(b"PK\x01\x02") + offset, 2**32 - 2)
    path.write_bytes(data)
    assert said in why_no_archive(path)


def test_why_too_much__what_is_small_may_shrink_as_it_likes():
    assert why_too_much(1, 10**8) is None
    assert why_too_much(10**9, 10**10) is None
    assert "made to fill memory" in why_too_much(10**6, 10**10)
