"""Pictures that a camera says are to be turned, copied into the folders of other tools."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest
from divergen_records.coco import Dataset, ImageInfo
from divergen_records.formats.outputs import copy_pictures
from divergen_records.formats.pictures import picture_size
from PIL import Image, ImageOps


def turned(kind: str, order: str = "MM", **more: object) -> bytes:
    """A picture stored 40 wide and 30 high, red above, that EXIF says to turn by a quarter."""
    image = Image.new("RGB", (40, 30), "blue")
    image.paste("red", (0, 0, 40, 15))
    exif = Image.Exif()
    exif.endian = "<" if order == "II" else ">"
    exif[0x010F] = "a camera"
    exif[0x0112] = 6
    out = BytesIO()
    image.save(out, kind, exif=exif, **more)
    return out.getvalue()


def copied(tmp_path: Path, content: bytes, size: tuple[int, int], name: str = "a.jpg") -> Path:
    (tmp_path / "from").mkdir()
    (tmp_path / "from" / name).write_bytes(content)
    images = [ImageInfo(id=1, width=size[0], height=size[1], file_name=name)]
    copy_pictures(Dataset(tmp_path / "a.json", tmp_path / "from", images, [], []), tmp_path / "to")
    assert (tmp_path / "from" / name).read_bytes() == content
    return tmp_path / "to" / name


@pytest.mark.parametrize(
    ("content", "changed"),
    [
        (turned("JPEG", "II"), 1),
        (turned("JPEG", "MM"), 1),
        (turned("JPEG", comment=b"Exif\0\0II*\0"), 1),
        (turned("JPEG", icc_profile=bytes(200_000)), 1),
        (turned("PNG"), 5),  # and the checksum
        (turned("WEBP", lossless=True), 1),
    ],
    ids=["II", "MM", "comment", "profile", "PNG", "WebP"],
)
def test_copy_pictures__all_see_what_the_labels_were_drawn_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes, changed: int
) -> None:
    copy = copied(tmp_path, content, (40, 30))
    with Image.open(copy) as image:
        assert ImageOps.exif_transpose(image).size == (40, 30)
        assert image.getexif()[0x010F] == "a camera"
    assert sum(a != b for a, b in zip(content, copy.read_bytes(), strict=True)) == changed, (
        "the pixels are as they were"
    )
    assert "1 of 1 pictures say by EXIF" in capsys.readouterr().err


def test_copy_pictures__turned_ones_that_the_labels_follow_are_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = turned("JPEG")
    assert copied(tmp_path, content, (30, 40)).read_bytes() == content
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("content", [b"no picture", turned("JPEG")[:60], turned("TIFF")])
def test_copy_pictures__what_is_of_another_kind_is_left_alone(tmp_path: Path, content: bytes) -> None:
    assert copied(tmp_path, content, (40, 30)).read_bytes() == content


def test_picture_size__tiff_that_pillow_turns_by_itself(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(turned("TIFF"))
    with Image.open(tmp_path / "a.tif") as image:
        image.load()
        seen = image.size
    assert picture_size(tmp_path / "a.tif") == seen
