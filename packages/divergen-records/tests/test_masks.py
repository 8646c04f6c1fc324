import numpy as np
import pytest
from divergen_records import MaskError
from divergen_records.masks import (
    check_segmentation,
    crop_segmentation,
    decode_counts,
    decode_rle,
    encode_rle,
    fill_holes,
    label_components,
    largest_component,
    mask_to_bbox,
    measure_segmentation,
    rle_area,
    segmentation_to_mask,
)
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools import mask as coco_mask

MASKS = arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 12)))
COUNTS = st.text(st.characters(min_codepoint=48, max_codepoint=111), max_size=12)

L_SHAPE = np.array([[0, 1, 0, 0], [0, 1, 0, 0], [0, 1, 1, 0]], dtype=bool)


@given(MASKS)
def test_decode_rle__inverts_encode_rle(mask):
    rle = encode_rle(mask)
    np.testing.assert_array_equal(decode_rle(rle), mask)
    np.testing.assert_array_equal(decode_counts(rle["counts"], *mask.shape), mask)
    assert rle_area(rle) == mask.sum()


@given(MASKS)
def test_encode_rle__as_pycocotools(mask):
    assert encode_rle(mask)["counts"].encode() == coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"]


def test_encode_rle__any_value_above_zero_is_object():
    np.testing.assert_array_equal(decode_rle(encode_rle(L_SHAPE.astype(np.uint8) * 255)), L_SHAPE)
    np.testing.assert_array_equal(decode_rle(encode_rle(L_SHAPE.T)), L_SHAPE.T)


def test_encode_rle__plain_types():
    rle = encode_rle(L_SHAPE)
    assert rle["size"] == [3, 4]
    assert type(rle["size"][0]) is int
    assert type(rle["counts"]) is str


@pytest.mark.parametrize("shape", [(3,), (2, 2, 1), (0, 4)])
def test_encode_rle__not_a_mask(shape):
    with pytest.raises(MaskError, match="a mask has"):
        encode_rle(np.zeros(shape, dtype=bool))


@given(COUNTS, st.integers(1, 9), st.integers(1, 9))
def test_decode_counts__any_text_decodes_or_is_refused(counts, height, width):
    try:
        mask = decode_counts(counts, height, width)
    except MaskError:
        return
    assert mask.shape == (height, width)


def test_decode_counts__large_runs():
    mask = np.zeros((700, 900), dtype=bool)
    mask[100:650, 200:850] = True
    mask[3, 5] = True
    np.testing.assert_array_equal(decode_counts(encode_rle(mask)["counts"], 700, 900), mask)


@pytest.mark.parametrize(
    ("rle", "message"),
    [
        ({"size": [3, 4], "counts": encode_rle(L_SHAPE)["counts"][:-1]}, "does not fit its picture"),
        ({"size": [4, 4], "counts": encode_rle(L_SHAPE)["counts"]}, "height 4 x width 4 makes 16"),
        ({"size": [3, 4], "counts": "P"}, "cut off in the middle"),
        ({"size": [3, 4], "counts": ""}, "empty"),
        ({"size": [3, 4], "counts": "!~"}, "outside the COCO code"),
        ({"size": [3, 4], "counts": "é"}, "outside the COCO code"),
        ({"size": [3, 4], "counts": "oooooooooo0"}, "too large"),
        ({"size": [3, 4], "counts": [13, -1]}, "damaged: they hold a run of -1 pixels"),
        ({"size": [3, 4], "counts": [2**62, 2**62, 2**62, 2**62, 12]}, "does not fit its picture"),
        ({"size": [3, 4], "counts": [1.5, 10.5]}, "flat list of integers"),
        ({"size": [3, 4], "counts": [[3], [4, 5]]}, "flat list of integers"),
        ({"size": [3, 4], "counts": []}, "flat list of integers"),
        ({"size": [3, 4], "counts": None}, "not NoneType"),
        ({"size": [3], "counts": [3]}, r"size is \[height, width\]"),
        ({"size": 12, "counts": [12]}, r"size is \[height, width\]"),
        ({"size": [0, 4], "counts": [0]}, r"size is \[height, width\]"),
        ({"counts": [12]}, r"size is \[height, width\]"),
    ],
)
def test_decode_rle__malformed(rle, message):
    with pytest.raises(MaskError, match=message):
        decode_rle(rle)


def test_mask_to_bbox__tight_floats():
    assert mask_to_bbox(L_SHAPE) == (1.0, 0.0, 2.0, 3.0)


def test_mask_to_bbox__empty():
    with pytest.raises(MaskError, match="empty"):
        mask_to_bbox(np.zeros((2, 2), dtype=bool))


def test_segmentation_to_mask__all_three_forms():
    polygon = [[1.0, 0.0, 2.0, 0.0, 2.0, 2.0, 3.0, 2.0, 3.0, 3.0, 1.0, 3.0]]
    runs = {"size": [3, 4], "counts": [3, 3, 2, 1, 3]}
    for segmentation in (polygon, runs, encode_rle(L_SHAPE)):
        np.testing.assert_array_equal(segmentation_to_mask(segmentation, 3, 4), L_SHAPE)


def test_segmentation_to_mask__integer_polygons():
    np.testing.assert_array_equal(
        segmentation_to_mask([[0, 0, 2, 0, 2, 2, 0, 2]], 3, 3), [[1, 1, 0], [1, 1, 0], [0, 0, 0]]
    )


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of pycocotools' own decode
@given(st.lists(st.lists(st.floats(-1, 21, width=32), min_size=6, max_size=12), min_size=1, max_size=3), st.data())
def test_segmentation_to_mask__polygons_as_pycocotools(polygons, data):
    polygons = [polygon[: len(polygon) // 2 * 2] for polygon in polygons]
    height, width = data.draw(st.tuples(st.integers(19, 30), st.integers(19, 30)))
    expected = coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects(polygons, height, width)))
    np.testing.assert_array_equal(segmentation_to_mask(polygons, height, width), expected)


@given(MASKS)
def test_crop_segmentation__tight(mask):
    crop, x, y = crop_segmentation(encode_rle(mask), *mask.shape)
    if not mask.any():
        assert crop.shape == (0, 0)
        return
    left, top, width, height = mask_to_bbox(mask)
    assert (x, y, *crop.shape) == (left, top, height, width)
    np.testing.assert_array_equal(crop, mask[y : y + crop.shape[0], x : x + crop.shape[1]])
    assert crop.flags.c_contiguous


POLYGONS = st.lists(
    st.lists(st.floats(-1, 9, width=16), min_size=6, max_size=12).filter(lambda polygon: len(polygon) % 2 == 0),
    min_size=1,
    max_size=3,
)


@given(st.one_of(POLYGONS, MASKS.map(encode_rle)))
@example([[1, 1, 1, 1, 1, 1]])
@example({"size": [3, 2], "counts": [2, 2, 2]})  # goes on in the next column
@example({"size": [3, 2], "counts": [1, 0, 2, 1, 2, 0]})  # runs without a pixel, which are no object's edge
@example({"size": [3, 2], "counts": [6, 0]})
def test_measure_segmentation__is_of_the_drawn_mask(segmentation):
    height, width = segmentation["size"] if isinstance(segmentation, dict) else (8, 8)
    crop, x, y = crop_segmentation(segmentation, height, width)
    expected = (x, y, *crop.shape[::-1]), crop.sum()
    assert measure_segmentation(segmentation, height, width) == expected


@pytest.mark.parametrize(
    ("segmentation", "message"),
    [
        ({"size": [4, 3], "counts": [12]}, r"size \[4, 3\], its picture \[height, width\] = \[3, 4\]"),
        ([], "neither polygons nor an RLE"),
        ([[1.0, 1.0, 2.0]], "odd number"),
        ([[1.0, 1.0, 2.0, 2.0]], "three are the least"),
        ([[1.0, 1.0, 9.0, 1.0, 2.0, 2.0]], "outside the picture"),
        ([[1.0, -9.0, 2.0, 1.0, 2.0, 2.0]], "outside the picture"),
        ([[1.0, float("nan"), 2.0, 1.0, 2.0, 2.0]], "finite"),
        ([1.0, 1.0, 2.0, 1.0, 2.0, 2.0], "a polygon is a list"),
        ([[1.0, "x", 2.0, 1.0, 2.0, 2.0]], "list of numbers"),
    ],
)
def test_check_segmentation__malformed(segmentation, message):
    with pytest.raises(MaskError, match=message):
        check_segmentation(segmentation, 3, 4)
    with pytest.raises(MaskError, match=message):
        segmentation_to_mask(segmentation, 3, 4)


def test_check_segmentation__a_polygon_may_overshoot_by_two_pixels():
    check_segmentation([[-1.5, 0.0, 5.5, 0.0, 5.0, 4.0]], 3, 4)


def test_label_components__eight_connected():
    labels, areas = label_components(np.array([[1, 0, 0, 1], [0, 1, 0, 1]], dtype=bool))
    np.testing.assert_array_equal(labels, [[1, 0, 0, 2], [0, 1, 0, 2]])
    np.testing.assert_array_equal(areas, [2, 2])
    assert labels.dtype == np.int32
    assert areas.dtype == np.int64


@given(MASKS)
def test_label_components__areas_count_the_labels(mask):
    labels, areas = label_components(mask)
    np.testing.assert_array_equal(areas, np.bincount(labels.ravel())[1:])
    np.testing.assert_array_equal(labels > 0, mask)


def test_largest_component__keeps_one():
    mask = np.array([[1, 0, 1, 1], [0, 0, 1, 0]], dtype=np.uint8)
    np.testing.assert_array_equal(largest_component(mask), [[0, 0, 1, 1], [0, 0, 1, 0]])
    assert largest_component(mask).dtype == np.bool_


def test_largest_component__empty_stays_empty():
    assert not largest_component(np.zeros((2, 3), dtype=bool)).any()


def test_fill_holes__closed_by_diagonal_neighbours():
    ring = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], dtype=bool)
    np.testing.assert_array_equal(fill_holes(ring), [[0, 1, 0], [1, 1, 1], [0, 1, 0]])


def test_fill_holes__open_to_the_border():
    cup = np.array([[1, 0, 1], [1, 0, 1], [1, 1, 1]], dtype=bool)
    np.testing.assert_array_equal(fill_holes(cup), cup)


@given(MASKS)
def test_fill_holes__adds_only_and_settles(mask):
    filled = fill_holes(mask)
    assert (filled >= mask).all()
    np.testing.assert_array_equal(fill_holes(filled), filled)
