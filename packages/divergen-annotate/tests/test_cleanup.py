from __future__ import annotations

import cv2
import numpy as np
import pytest
from divergen_annotate import ColourKey, GrabCut, repair
from divergen_annotate.cleanup import drop_islands, fill_holes, label_regions, shrink, smooth
from divergen_annotate.holes import Paper
from divergen_annotate.quality import iou
from divergen_annotate.testing import plain_picture
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

MASKS = arrays(bool, st.tuples(st.integers(1, 24), st.integers(1, 24)))


def grid(*rows):
    return np.array([[character == "#" for character in row] for row in rows])


def ring(size=20, hole=3):
    mask = np.zeros((size, size), dtype=bool)
    mask[2:-2, 2:-2] = True
    middle = size // 2
    mask[middle : middle + hole, middle : middle + hole] = False
    return mask


def test_drop_islands__keeps_the_largest():
    mask = grid("##..#", "##...", "....#")
    assert np.array_equal(drop_islands(mask, keep_share=1), grid("##...", "##...", "....."))


def test_drop_islands__diagonal_neighbours_are_one():
    mask = grid("#..", ".#.", "..#")
    assert np.array_equal(drop_islands(mask), mask)


def test_drop_islands__share_keeps_large_parts():
    mask = grid("####.", ".....", "##..#")
    assert np.array_equal(drop_islands(mask, keep_share=0.5), grid("####.", ".....", "##..."))


def test_fill_holes__small_ones():
    assert fill_holes(ring(20, 1)).sum() == 256
    assert fill_holes(ring(20, 3)).sum() == 247


@pytest.mark.parametrize(("colour", "filled"), [(250, False), (90, True)])
def test_fill_holes__a_large_hole_is_kept_where_it_shows_background(colour, filled):
    mask = ring(20, 5)
    image = np.full((20, 20, 3), 250, dtype=np.uint8)
    image[mask] = 60
    image[10:15, 10:15] = colour
    assert fill_holes(mask, paper=Paper(image, mask))[12, 12] == filled


def test_fill_holes__a_bay_is_no_hole():
    mask = grid("###", "#..", "###")
    assert np.array_equal(fill_holes(mask, below=9), mask)


def test_smooth__takes_single_pixels():
    mask = np.zeros((7, 7), dtype=bool)
    mask[3, 3] = True
    assert not smooth(mask).any()
    assert np.array_equal(smooth(mask, radius=0), mask)


def test_shrink__by_one_pixel():
    mask = np.zeros((7, 7), dtype=bool)
    mask[1:6, 1:6] = True
    assert shrink(mask).sum() == 9


def test_drop_islands__the_smallest_first_within_a_budget():
    mask = grid("#########.#", "#########..", "........#.#", ".#......#.#")
    few = drop_islands(mask, keep_share=0.5, at_most=0.05)
    assert np.array_equal(few ^ mask, grid("..........#", "...........", "...........", "..........."))


@given(MASKS)
def test_repair__one_component_where_asked(mask):
    from divergen_annotate.quality import count_components

    before = mask.copy()
    result = repair(mask, keep_share=1)
    assert result.shape == mask.shape and result.dtype == bool
    assert count_components(result, share=0) <= 1
    assert np.array_equal(mask, before)


@given(MASKS)
def test_repair__takes_and_gives_no_more_than_it_may(mask):
    result = repair(mask)
    assert np.count_nonzero(mask & ~result) <= 0.007 * mask.sum()
    assert np.count_nonzero(result & ~mask) <= 0.003 * mask.sum()


def objects():
    """True masks (128, 128) of objects that are easy to harm."""
    y, x = np.mgrid[:128, :128]
    ring = (np.hypot(y - 64, x - 64) < 50) & (np.hypot(y - 64, x - 64) > 20)
    parts = (np.abs(y - 64) < 40) & (np.isin(x // 15, (1, 3, 6)))
    confetti = (np.hypot(y - 90, x - 64) < 25) | ((y < 60) & (y % 9 < 3) & (x % 11 < 3))
    basket = (np.abs(y - 64) < 45) & (np.abs(x - 64) < 45) & ((y % 9 < 4) | (x % 9 < 4))
    wheel = ring | (np.abs(y - 64) < 1) & (np.abs(x - 64) < 50) | (np.abs(x - 64) < 1) & (np.abs(y - 64) < 50)
    return {"ring": ring, "parts": parts, "confetti": confetti, "basket": basket, "wheel": wheel}


def grounds():
    """Backgrounds (128, 128, 3): flat, a strong gradient, a shadow, a vignette, texture, two colours."""
    y, x = np.mgrid[:128, :128].astype(np.float32)
    random = np.random.default_rng(0)
    flat = np.full((128, 128), 250.0)
    shadow = flat * (1 - 0.5 * np.exp(-(np.hypot(y - 74, x - 70) ** 2) / 2000))
    made = {"flat": flat, "gradient": 240 - 1.4 * x, "shadow": shadow, "vignette": 250 - 0.02 * (x - 64) ** 2}
    made |= {"noise": random.uniform(0, 255, (128, 128)), "two": np.where(x + y > 120, 220.0, 60.0)}
    return {name: np.repeat(values[..., None], 3, axis=2) for name, values in made.items()}


@pytest.mark.parametrize("ground", grounds())
@pytest.mark.parametrize("shape", objects())
@pytest.mark.parametrize("colour", [(200, 40, 30), (120, 118, 121)])
def test_repair__a_true_mask_stays(shape, ground, colour):
    truth = objects()[shape]
    image = grounds()[ground].copy()
    image[truth] = colour
    image += np.random.default_rng(1).normal(0, 2, image.shape)
    assert iou(repair(truth, image.clip(0, 255).astype(np.uint8)), truth) >= 0.99


@pytest.mark.parametrize("ground", ["noise", "two", "gradient"])
@pytest.mark.parametrize("shape", ["ring", "basket", "wheel"])
def test_repair__an_object_of_all_greys_says_nothing_of_its_holes(shape, ground):
    y, x = np.mgrid[:128, :128]
    truth, image = objects()[shape], grounds()[ground].copy()
    image[truth] = np.repeat((120 + 100 * np.sin(x / 3) * np.cos(y / 5))[..., None], 3, axis=2)[truth]
    assert iou(repair(truth, image.clip(0, 255).astype(np.uint8)), truth) >= 0.99


def test_repair__a_hole_larger_than_half_of_the_mask_is_the_objects():
    truth = np.ones((40, 40), dtype=bool)
    truth[4:-4, 4:-4] = False
    assert np.array_equal(repair(truth, np.full((40, 40, 3), 90, dtype=np.uint8)), truth)


@pytest.mark.parametrize("ground", ["flat", "gradient", "shadow", "vignette"])
def test_repair__mends_holes_and_specks_in_front_of_plain_paper(ground):
    truth = objects()["ring"]
    image = grounds()[ground].copy()
    image[truth] = (200, 40, 30)
    mask = truth.copy()
    mask[20:30, 60:70] = False
    mask[2, 2] = True
    assert np.array_equal(repair(mask, image.astype(np.uint8)), truth)


def test_fill_holes__a_large_hole_of_a_full_picture_is_no_background():
    mask = np.ones((20, 20), dtype=bool)
    mask[8:14, 8:14] = False
    image = np.full((20, 20, 3), 90, dtype=np.uint8)
    assert fill_holes(mask, paper=Paper(image, mask)).all()


def test_repair__a_frame_around_all_of_the_picture_keeps_what_is_in_it():
    truth = np.ones((40, 40), dtype=bool)
    truth[4:-4, 4:-4] = False
    image = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    image[truth] = (200, 40, 30)
    assert np.array_equal(repair(truth, image), truth)


@given(MASKS, st.sampled_from([4, 8]))
def test_label_regions__areas_are_counts(mask, connectivity):
    labels, areas = label_regions(mask, connectivity=connectivity)
    assert areas.tolist() == [int((labels == label).sum()) for label in range(len(areas))]
    assert np.array_equal(labels > 0, mask)


def test_repair__a_sound_mask_is_not_worked_on_twice(monkeypatch):
    from divergen_annotate import cleanup

    calls, drop = [], cleanup.drop_islands
    monkeypatch.setattr(cleanup, "drop_islands", lambda *args, **kwargs: calls.append(1) or drop(*args, **kwargs))
    image, mask = plain_picture(1)
    assert repair(mask, image) is mask and len(calls) == 1
    holed = mask.copy()
    holed[128, 128] = False
    assert np.array_equal(repair(holed, image), mask) and len(calls) == 2


def thin(size=192):
    """A net and a spring (size, size), as they are."""
    y, x = np.mgrid[:size, :size].astype(np.float64)
    net = ((x + y / 3) % 12 < 2) | ((y - x / 3) % 12 < 2)
    turns = np.linspace(0, 2 * np.pi, 4000)
    spring = np.zeros((size, size), dtype=bool)
    rows, columns = size / 2 + 40 * np.sin(9 * turns), 30 + 20 * turns + 14 * np.cos(9 * turns)
    spring[rows.round().astype(int), columns.round().astype(int)] = True
    return {"net": net & (np.hypot(y - size / 2, x - size / 2) < size / 3), "spring": spring}


def painted(truth, colour):
    """A picture of it on grey paper that darkens to the right."""
    alpha = cv2.GaussianBlur(truth.astype(np.float32), (0, 0), 0.7)[..., None]
    paper = np.linspace(235, 190, truth.shape[1])[None, :, None]
    noise = np.random.default_rng(0).normal(0, 2, (*truth.shape, 3))
    return (paper * (1 - alpha) + np.array(colour) * alpha + noise).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("colour", [(200, 40, 30), (120, 120, 125)])
@pytest.mark.parametrize("shape", thin())
def test_repair__pieces_of_wire_stay_and_bare_specks_go(shape, colour):
    truth = thin()[shape]
    image = painted(truth, colour)
    torn = truth & (np.arange(truth.shape[1]) % 23 > 3)
    torn[5:8, 5:8] = torn[180:182, 100:103] = True
    mended = repair(torn, image, keep_share=0.5, at_most=0.02)
    assert not mended[5:8, 5:8].any() and not mended[180:182, 100:103].any()
    assert np.array_equal(mended & truth, torn & truth)


@pytest.mark.parametrize("kind", [GrabCut, ColourKey])
def test_repair__takes_nothing_from_what_is_found_of_nets_and_springs(kind):
    annotator, gains = kind(plain=0), []
    for truth in thin().values():
        for colour in ((200, 40, 30), (120, 120, 125), (60, 60, 90)):
            image = painted(truth, colour)
            found = annotator([image])[0].mask
            gains.append(iou(repair(found, image), truth) - iou(found, truth))
    assert np.mean(gains) >= 0
