"""The compositor against a slow, obvious one that draws everything on the whole canvas."""

import numpy as np
import pytest
from divergen_paste.blending import BLENDS
from divergen_paste.composite import Compositor
from divergen_records.sample import Instance, Sample
from hypothesis import given, settings
from hypothesis import strategies as st

HARD = BLENDS["hard"]


def reference(sample, pastes, *, box_shift, min_visible, min_pixels):
    """(image, [(category, mask (H, W), source)]) by full-canvas masks."""
    image = sample.image.copy()
    height, width = image.shape[:2]
    objects = [
        [i.category_id, full, full.copy(), i.source, i.iscrowd]
        for i, full in zip(sample.instances, sample.masks(), strict=True)
    ]
    for crop, alpha, x, y, category_id, source in pastes:
        canvas, colours = np.zeros((height, width), bool), image.copy()
        for row in range(alpha.shape[0]):
            for column in range(alpha.shape[1]):
                if alpha[row, column] >= 128 and 0 <= y + row < height and 0 <= x + column < width:
                    canvas[y + row, x + column] = True
                    colours[y + row, x + column] = crop[row, column]
        if canvas.sum() < min_pixels:
            continue
        image = colours
        for entry in objects:
            entry[2] &= ~canvas
        objects.append([category_id, canvas, canvas.copy(), source, False])
    kept = []
    for category_id, full, visible, source, crowd in objects:
        if not visible.any():
            continue
        shift = np.abs(np.subtract(box_of(visible), box_of(full))).max()
        if crowd or shift <= box_shift or visible.sum() >= min_visible:
            kept.append((category_id, visible, source))
    return image, kept


def box_of(mask):
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return columns[0], rows[0], columns[-1] + 1, rows[-1] + 1


@st.composite
def scenes(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    height, width = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    instances = []
    for number in range(draw(st.integers(0, 4))):
        mask = rng.random((height, width)) < draw(st.sampled_from([0.02, 0.5, 1.0]))
        if mask.any():
            crowd = draw(st.integers(0, 4)) == 0
            instances.append(Instance.from_mask(mask, number, iscrowd=crowd, annotation_id=number))
    pastes = []
    for number in range(draw(st.integers(0, 5))):
        h, w = draw(st.integers(1, 30)), draw(st.integers(1, 30))
        alpha = (rng.random((h, w)) < draw(st.sampled_from([0.0, 0.3, 0.9, 1.0]))) * np.uint8(255)
        x, y = draw(st.integers(-35, 45)), draw(st.integers(-35, 45))
        pastes.append((rng.integers(0, 256, (h, w, 3), dtype=np.uint8), alpha, x, y, 100 + number, str(number)))
    limits = {
        "box_shift": draw(st.sampled_from([0, 3, 10])),
        "min_visible": draw(st.sampled_from([1, 20, 300])),
        "min_pixels": draw(st.sampled_from([1, 16])),
    }
    return Sample(image, tuple(instances), image_id=1), pastes, limits


def composite(sample, pastes, limits, blend=HARD):
    compositor = Compositor(sample, **limits)
    for crop, alpha, x, y, category_id, source in pastes:
        compositor.paste(crop, alpha, x, y, category_id=category_id, source=source, blend=blend)
    return compositor.result()


@settings(max_examples=150, deadline=None)
@given(scenes())
def test_compositor__equals_the_reference(scene):
    sample, pastes, limits = scene
    result = composite(sample, pastes, limits)
    image, kept = reference(sample, pastes, **limits)
    assert (result.image == image).all()
    assert [(i.category_id, i.source) for i in result.instances] == [(category, source) for category, _, source in kept]
    for mask, (_, expected, _) in zip(result.masks(), kept, strict=True):
        assert (mask == expected).all()


@settings(max_examples=100, deadline=None)
@given(scenes(), st.sampled_from(sorted(BLENDS)))
def test_compositor__invariants(scene, blend):
    sample, pastes, limits = scene
    before = sample.image.copy()
    result = composite(sample, pastes, limits, BLENDS[blend])
    masks = result.masks()
    pasted = np.array([i.source is not None for i in result.instances], dtype=bool)
    assert (sample.image == before).all()
    assert masks[pasted].sum(axis=0).max(initial=0) <= 1
    assert not (masks[pasted].any(axis=0) & masks[~pasted].any(axis=0)).any()
    for instance, mask in zip(result.instances, masks, strict=True):
        assert tuple(box_of(mask)) == instance.box
        assert mask.sum() == instance.area > 0
    boxes = np.zeros(before.shape[:2], dtype=bool)
    for _, alpha, x, y, _, _ in pastes:
        boxes[max(y, 0) : max(y + alpha.shape[0], 0), max(x, 0) : max(x + alpha.shape[1], 0)] = True
    assert (result.image[~boxes] == before[~boxes]).all()


def opaque(height, width):
    return np.full((height, width, 3), 9, dtype=np.uint8), np.full((height, width), 255, dtype=np.uint8)


def put(compositor, size, x, y):
    return compositor.paste(*opaque(*size), x, y, category_id=2, source="s", blend=HARD)


@pytest.fixture
def square():
    """A 40 x 40 object on 100 x 100."""
    image = np.zeros((100, 100, 3), dtype=np.uint8)
    return Sample(image, (Instance(1, np.ones((40, 40), bool), 30, 30, annotation_id=4),), image_id=1)


@pytest.mark.parametrize(
    ("covered", "box_shift", "min_visible", "stays"),
    [(10, 10, 9999, True), (11, 10, 9999, False), (11, 10, 1160, True), (11, 10, 1161, False), (40, 99, 0, False)],
)
def test_compositor__an_object_goes_if_its_box_moved_and_little_remains(square, covered, box_shift, min_visible, stays):
    compositor = Compositor(square, box_shift=box_shift, min_visible=min_visible)
    put(compositor, (40, covered), 30, 30)
    assert [i.annotation_id for i in compositor.result().instances] == ([4, None] if stays else [None])


def test_compositor__untouched_instance_is_the_same_object(square):
    compositor = Compositor(square)
    put(compositor, (10, 10), 0, 0)
    assert compositor.result().instances[0] is square.instances[0]


def test_compositor__later_pastes_cover_earlier(square):
    compositor = Compositor(square, min_visible=1)
    put(compositor, (20, 20), 0, 0)
    put(compositor, (20, 20), 10, 0)
    assert [instance.area for instance in compositor.result().instances] == [1600, 200, 400]


@pytest.mark.parametrize(("x", "y"), [(-10, 0), (100, 0), (0, -10), (0, 100), (-8, 0)])
def test_compositor__nothing_to_see_is_not_pasted(square, x, y):
    compositor = Compositor(square, min_pixels=21)
    assert not put(compositor, (10, 10), x, y)
    assert compositor.result().instances == square.instances


def test_compositor__larger_than_the_canvas(square):
    compositor = Compositor(square)
    assert put(compositor, (300, 300), -50, -50)
    (only,) = compositor.result().instances
    assert only.box == (0, 0, 100, 100)
