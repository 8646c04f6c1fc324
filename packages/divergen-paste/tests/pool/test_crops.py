import struct
import zlib

import numpy as np
import pytest
from divergen_paste.errors import PoolError
from divergen_paste.pool.crops import (
    decode_alpha,
    decode_image,
    encode_crop,
    extend_colours,
    level_size,
    make_crop,
    pyramid,
)
from divergen_records import MaskError
from divergen_records.images import encode_image
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

WHITE = np.full((8, 8, 3), 255, dtype=np.uint8)


def test_make_crop__is_tight():
    mask = np.zeros((8, 8), dtype=bool)
    mask[2:5, 3:7] = True
    crop = make_crop(WHITE, mask, category_id=1, source="a")
    assert crop.mask.shape == (3, 4)
    assert crop.mask.all()
    assert crop.image.shape == (3, 4, 3)


def test_make_crop__limits_the_longer_side():
    crop = make_crop(
        np.zeros((300, 200, 3), np.uint8), np.ones((300, 200), bool), category_id=1, source="a", max_side=60
    )
    assert crop.mask.shape == (60, 40)


def test_make_crop__empty_mask():
    with pytest.raises(MaskError, match="'a': the mask is empty"):
        make_crop(WHITE, np.zeros((8, 8), bool), category_id=1, source="a")


def test_make_crop__mask_of_another_size():
    with pytest.raises(MaskError, match=r"\(8, 7\), its picture \(8, 8\)"):
        make_crop(WHITE, np.ones((8, 7), bool), category_id=1, source="a")


def test_extend_colours__no_background_is_left():
    image = WHITE.copy()
    mask = np.zeros((8, 8), dtype=bool)
    mask[2:6, 2:6] = True
    image[mask] = 10
    assert (extend_colours(image, mask, inset=0) == 10).all()


def test_extend_colours__inset_replaces_the_mixed_edge():
    image = WHITE.copy()
    mask = np.ones((8, 8), dtype=bool)
    image[1:-1, 1:-1] = 10
    assert (extend_colours(image, mask, inset=1) == 10).all()


def test_extend_colours__thin_objects_keep_their_edge():
    image = np.arange(8 * 8 * 3, dtype=np.uint8).reshape(8, 8, 3)
    mask = np.zeros((8, 8), dtype=bool)
    mask[3:5] = True
    assert (extend_colours(image, mask, inset=1)[mask] == image[mask]).all()


@given(hnp.arrays(bool, st.tuples(st.integers(1, 80), st.integers(1, 80))))
def test_encode_crop__round_trip_of_every_level(mask):
    mask[0, 0] = True
    crop = make_crop(np.zeros((*mask.shape, 3), np.uint8), mask, category_id=1, source="a")
    encoded, levels = encode_crop(crop, "png"), pyramid(crop)
    assert len(encoded) == len(levels)
    for level, ((image, alpha), expected) in enumerate(zip(encoded, levels, strict=True)):
        size = level_size(*crop.mask.shape, level)
        assert (decode_alpha(alpha, *size) == expected[1]).all()
        assert (decode_image(np.frombuffer(image, np.uint8), *size) == expected[0]).all()


@pytest.mark.parametrize(
    ("size", "levels"), [((1, 1), 1), ((31, 900), 1), ((32, 40), 2), ((300, 200), 4), ((64, 65), 3)]
)
def test_pyramid__levels(size, levels):
    crop = make_crop(np.zeros((*size, 3), np.uint8), np.ones(size, bool), category_id=1, source="a", max_side=1000)
    made = pyramid(crop)
    assert len(made) == levels
    assert [alpha.shape for _, alpha in made] == [level_size(*size, level) for level in range(levels)]
    assert all((alpha == 255).all() for _, alpha in made)


def test_decode_alpha__damaged():
    with pytest.raises(PoolError, match="does not decompress"):
        decode_alpha(b"nonsense", 8, 8)


def test_decode_alpha__of_another_size():
    crop = make_crop(WHITE, np.ones((8, 8), bool), category_id=1, source="a")
    with pytest.raises(PoolError, match="has 64 bytes, 20x20 pixels need 400"):
        decode_alpha(encode_crop(crop)[0][1], 20, 20)


def test_decode_alpha__one_that_would_fill_memory():
    with pytest.raises(PoolError, match="the alpha has 65 bytes, 8x8 pixels need 64"):
        decode_alpha(zlib.compress(bytes(10**7)), 8, 8)


def test_decode_image__more_pixels_than_any_picture_has():
    image = bytearray(encode_image(np.zeros((8, 8, 3), np.uint8), "png"))
    image[16:24] = struct.pack(">II", 65_500, 65_500)
    image[29:33] = struct.pack(">I", zlib.crc32(image[12:29]))
    with pytest.raises(PoolError, match="does not decode"):
        decode_image(np.frombuffer(image, np.uint8), 8, 8)


def test_decode_image__damaged():
    with pytest.raises(PoolError, match="does not decode"):
        decode_image(np.zeros(30, dtype=np.uint8), 8, 8)
