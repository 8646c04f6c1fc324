import io
import os
import subprocess
import sys

import cv2
import numpy as np
import pytest
from divergen_records import ImageError
from divergen_records.images import encode_image, read_cutout, read_image, read_mask
from PIL import Image

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def encode(image: Image.Image, kind: str = "PNG", **settings) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **settings)
    return buffer.getvalue()


def rgb(*rows) -> Image.Image:
    return Image.fromarray(np.array(rows, dtype=np.uint8))


def test_read_image__bytes_path_and_text(tmp_path):
    data = encode(rgb([RED, GREEN, BLUE]))
    path = tmp_path / "a.png"
    path.write_bytes(data)
    for source in (data, path, str(path)):
        image = read_image(source)
        np.testing.assert_array_equal(image, [[RED, GREEN, BLUE]])
        assert image.dtype == np.uint8
        assert image.flags.writeable


def test_read_image__cmyk_jpeg():
    image = read_image(encode(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG", quality=100))
    assert np.abs(image.astype(int) - RED).max() < 4


def test_read_image__sixteen_bit_grey():
    grey = np.array([[0, 257, 32768, 65535]], dtype=np.uint16)
    image = read_image(encode(Image.fromarray(grey)))
    np.testing.assert_array_equal(image[0], [[0] * 3, [1] * 3, [128] * 3, [255] * 3])


def test_read_image__sixteen_bit_tiff():
    image = read_image(encode(Image.fromarray(np.array([[65535, 0]], dtype=np.uint16)), "TIFF"))
    np.testing.assert_array_equal(image, [[[255] * 3, [0] * 3]])


@pytest.mark.parametrize(("mode", "value", "seen"), [("1", 1, 255), ("L", 7, 7)])
def test_read_image__grey(mode, value, seen):
    np.testing.assert_array_equal(read_image(encode(Image.new(mode, (2, 1), value))), np.full((1, 2, 3), seen))


def test_read_image__palette():
    image = rgb([RED, GREEN]).convert("P", palette=Image.Palette.ADAPTIVE)
    np.testing.assert_array_equal(read_image(encode(image)), [[RED, GREEN]])


def test_read_image__palette_with_transparency_over_white():
    image = Image.new("P", (2, 1))
    image.putpalette([*RED, *BLUE])
    image.putpixel((1, 0), 1)
    np.testing.assert_array_equal(read_image(encode(image, transparency=0)), [[(255, 255, 255), BLUE]])


def test_read_image__grey_with_transparent_value_over_white():
    image = Image.new("L", (2, 1))
    image.putpixel((1, 0), 9)
    np.testing.assert_array_equal(read_image(encode(image, transparency=0)), [[[255] * 3, [9] * 3]])


def test_read_image__rgba_over_white():
    image = Image.fromarray(np.array([[(0, 0, 0, 0), (0, 0, 0, 255), (255, 0, 0, 51)]], dtype=np.uint8))
    np.testing.assert_array_equal(read_image(encode(image)), [[(255, 255, 255), (0, 0, 0), (255, 204, 204)]])


def test_read_image__grey_with_alpha_over_white():
    image = Image.new("LA", (1, 1), (0, 0))
    np.testing.assert_array_equal(read_image(encode(image)), [[[255] * 3]])


def test_read_image__animation_gives_the_first_frame():
    frames = [Image.new("RGB", (3, 2), colour) for colour in (RED, BLUE)]
    image = read_image(encode(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    np.testing.assert_array_equal(image, np.full((2, 3, 3), RED))


def rotated(size=(2, 1)) -> bytes:
    """A picture stored ``size`` (width, height), to be turned by 90 degrees clockwise."""
    image = Image.new("RGB", size, RED)
    image.putpixel((0, 0), BLUE)
    exif = Image.Exif()
    exif[0x0112] = 6
    return encode(image, exif=exif)


def test_read_image__exif_rotation_is_applied():
    np.testing.assert_array_equal(read_image(rotated()), [[BLUE], [RED]])


def test_read_image__dataset_size_of_the_upright_picture():
    assert read_image(rotated(), size=(2, 1)).shape == (2, 1, 3)


def test_read_image__dataset_size_of_the_stored_picture():
    np.testing.assert_array_equal(read_image(rotated(), size=(1, 2)), [[BLUE, RED]])


def test_read_image__square_picture_is_turned():
    np.testing.assert_array_equal(read_image(rotated((2, 2)), size=(2, 2))[0], [RED, BLUE])


def test_read_image__size_that_fits_neither_way(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(rotated())
    with pytest.raises(ImageError, match=r"a\.png: the picture is 2 wide and 1 high, the dataset says 4 wide and 3"):
        read_image(path, size=(3, 4))


def test_read_image__truncated(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    for kind in ("jpeg", "png", "webp"):
        path = tmp_path / f"a.{kind}"
        path.write_bytes(encode_image(noise, kind)[:-500])
        with pytest.raises(ImageError, match=f"a.{kind}: .*replace the file"):
            read_image(path)


def test_read_image__every_cut_is_told():
    data = encode_image(np.random.default_rng(0).integers(0, 255, (8, 8, 3), dtype=np.uint8), "png")
    for length in range(len(data) - 20):  # what follows the pixels is checksums and the end mark
        with pytest.raises(ImageError):
            read_image(data[:length])


def test_read_image__empty_file(tmp_path):
    path = tmp_path / "a.jpg"
    path.touch()
    with pytest.raises(ImageError, match=r"empty \(0 bytes\)"):
        read_image(path)
    with pytest.raises(ImageError, match=r"empty \(0 bytes\)"):
        read_image(b"")


def test_read_image__not_a_picture(tmp_path):
    path = tmp_path / "a.jpg"
    path.write_text("<html>404</html>")
    with pytest.raises(ImageError, match=r"a\.jpg: this is no picture"):
        read_image(path)


def test_read_image__missing_and_folder(tmp_path):
    with pytest.raises(ImageError, match="no such picture"):
        read_image(tmp_path / "gone.png")
    with pytest.raises(ImageError, match="a folder"):
        read_image(tmp_path)


def test_read_image__limit_of_pixels():
    with pytest.raises(ImageError, match="10 x 10 pixels are above the limit of 99"):
        read_image(encode(Image.new("RGB", (10, 10))), max_pixels=99)


@pytest.mark.parametrize("factor", [1.5, 3])
def test_read_image__decompression_bomb(monkeypatch, factor):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", int(100 / factor))
    with pytest.raises(ImageError, match=r"decompression bomb.*Scale it down"):
        read_image(encode(Image.new("RGB", (10, 10))))


def test_read_image__floating_point():
    with pytest.raises(ImageError, match="floating point"):
        read_image(encode(Image.new("F", (2, 2)), "TIFF"))


@pytest.mark.parametrize("kind", ["png", "webp", "jpeg"])
def test_encode_image__reads_back(kind):
    image = np.full((8, 8, 3), (200, 30, 60), dtype=np.uint8)
    assert np.abs(read_image(encode_image(image, kind)).astype(int) - image).max() < 6


def test_encode_image__jpeg_keeps_full_chroma():
    stripes = np.zeros((8, 16, 3), dtype=np.uint8)
    stripes[:, ::2] = RED
    stripes[:, 1::2] = BLUE
    with Image.open(io.BytesIO(encode_image(stripes))) as image:
        assert all(layer[1:3] == (1, 1) for layer in image.layer)
    assert np.abs(read_image(encode_image(stripes)).astype(int) - stripes).max() < 60


def test_encode_image__grey():
    with Image.open(io.BytesIO(encode_image(np.array([[1, 2]], dtype=np.uint8), "png"))) as image:
        assert image.mode == "L"


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((2, 2, 4), dtype=np.uint8),
        np.zeros((2, 2, 3), dtype=np.float32),
        np.zeros(3, dtype=np.uint8),
        np.zeros((0, 2, 3), dtype=np.uint8),
    ],
)
def test_encode_image__not_a_picture(image):
    with pytest.raises(ImageError, match="a picture"):
        encode_image(image)


def test_encode_image__unknown_format():
    with pytest.raises(ImageError, match="'bmp' is not known; known are jpeg, png, webp"):
        encode_image(np.zeros((2, 2, 3), dtype=np.uint8), "bmp")


def test_read_image__loads_no_torch():
    code = "import sys, divergen_records.images; print(sorted({'torch', 'cv2', 'lance'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


def encoded(array):
    return encode(Image.fromarray(array))


OBJECT = np.zeros((4, 5), dtype=bool)
OBJECT[1:3, 2:4] = True


def _palette(colour):
    image = Image.fromarray(OBJECT.astype(np.uint8)).convert("P")
    image.putpalette([0, 0, 0, *colour] + [0] * 750)
    image.putdata(OBJECT.astype(np.uint8).ravel().tolist())
    return image


def _rgba(grey, alpha):
    return np.dstack([grey, grey, grey, alpha])


ON = OBJECT.astype(np.uint8)
MASKS = {
    "0 and 1": encoded(ON),
    "0 and 255": encoded(ON * 255),
    "one bit": encode(Image.fromarray(OBJECT)),
    "16 bits, small numbers": encode(Image.fromarray(OBJECT.astype(np.uint16) * 3)),
    "16 bits": encode(Image.fromarray(OBJECT.astype(np.uint16) * 65535)),
    "a dark palette": encode(_palette((1, 0, 0))),
    "a black palette": encode(_palette((0, 0, 0))),
    "a colour": encoded(np.dstack([ON * 0, ON * 9, ON * 0])),
    "RGBA, the object opaque": encoded(_rgba(ON * 0, ON * 255)),
    "RGBA, alpha of 0 and 1": encoded(_rgba(ON * 0, ON)),
    "RGBA, opaque all over": encoded(_rgba(ON * 255, ON * 0 + 255)),
    "LA": encode(Image.merge("LA", [Image.new("L", (5, 4), 200), Image.fromarray(ON * 255)])),
    "a palette with transparency": encode(_palette((7, 7, 7)), transparency=0),
    "JPEG": encode(Image.fromarray(ON * 255), "JPEG", quality=100),
    "a bitmap": encode(Image.fromarray(ON * 255), "BMP"),
    "TIFF of floats": encode(Image.fromarray(OBJECT.astype(np.float32)), "TIFF"),
}


@pytest.mark.parametrize("kind", MASKS)
def test_read_mask__as_any_tool_writes_it(kind):
    mask = read_mask(MASKS[kind])
    assert mask.dtype == np.bool_
    assert (mask == OBJECT).all(), mask.astype(int)


def test_read_mask__turned_as_its_picture():
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = encode(Image.fromarray(ON * 255), exif=exif)
    assert read_mask(turned).shape == (5, 4)
    assert read_mask(turned, size=(4, 5)).shape == (4, 5)
    with pytest.raises(ImageError, match="does not fit"):
        read_mask(turned, size=(9, 9))


def test_read_cutout__colours_of_16_bits_and_alpha():
    # Pillow writes no 16-bit colours; OpenCV does, in the order blue, green, red.
    deep = np.zeros((4, 5, 4), dtype=np.uint16)
    deep[..., 0], deep[..., 2], deep[..., 3] = 65535, 0x8000, OBJECT * np.uint16(65535)
    image, alpha = read_cutout(cv2.imencode(".png", deep)[1].tobytes())
    assert image[0, 0].tolist() == [128, 0, 255]
    assert (alpha == ON * 255).all()


def test_read_cutout__is_not_laid_over_white_and_says_when_there_is_no_alpha():
    image, alpha = read_cutout(encoded(_rgba(ON * 0 + 7, ON * 0)))
    assert image.max() == 7
    assert alpha.max() == 0
    assert read_cutout(encoded(ON))[1] is None


@pytest.mark.parametrize("read", [read_image, read_mask, read_cutout])
def test_read__a_pipe_does_not_hang(read, tmp_path):
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(ImageError, match="a pipe or a device"):
        read(tmp_path / "a.png")
    with pytest.raises(ImageError, match="a folder"):
        read(tmp_path)
