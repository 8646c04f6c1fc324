import os

import pytest
from divergen_records import ImageError
from divergen_records.losses import Losses
from divergen_records.picture_files import find_pictures


def test_find_pictures__by_name_folder_by_folder(tmp_path):
    for name in ("b.png", "a.JPG", "z/c.webp", ".hidden.png", ".git/d.png", "notes.txt", "masks/a.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    losses = Losses()
    found = [path.relative_to(tmp_path).as_posix() for path in find_pictures(tmp_path, losses=losses)]
    assert found == ["a.JPG", "b.png", "masks/a.png", "z/c.webp"]
    assert not losses
    assert len(list(find_pictures(tmp_path, leave_out=tmp_path / "masks"))) == 3


def test_find_pictures__of_another_kind_are_told(tmp_path):
    for name in ("a.webp", "b.BMP", "c.txt"):
        (tmp_path / name).touch()
    losses = Losses()
    assert [path.name for path in find_pictures(tmp_path, losses=losses, suffixes=frozenset([".webp"]))] == ["a.webp"]
    assert [*losses] == [("b.BMP", "is a picture of a kind that is not taken here; convert it to .webp")]


def test_find_pictures__what_only_looks_like_one_is_told(tmp_path):
    (tmp_path / "a.png").write_bytes(b"")
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "link.png").symlink_to(tmp_path / "a.png")
    (tmp_path / "folder").symlink_to("/")
    for name in (b"x\xff.png", b"\xff/b.png"):
        (tmp_path / os.fsdecode(name)).parent.mkdir(exist_ok=True)
        (tmp_path / os.fsdecode(name)).write_bytes(b"")
    losses = Losses()
    assert [path.name for path in find_pictures(tmp_path, losses=losses)] == ["a.png"]
    assert {name: reason.split(";")[0] for name, reason in losses} == {
        "folder": "is a link",
        "link.png": "is a link",
        "pipe.png": "is no file but a pipe or a device",
        "x\udcff.png": "its name is no UTF-8 text, and no data set can name it",
        "\udcff/b.png": "its name is no UTF-8 text, and no data set can name it",
    }


def test_find_pictures__no_folder(tmp_path):
    with pytest.raises(ImageError, match="no such folder"):
        find_pictures(tmp_path / "nowhere")
