import cv2
import numpy as np
import pytest
from divergen_paste import Paster
from divergen_paste.light import contact_shadow, match_colours
from divergen_records.sample import Sample

DISC = np.zeros((80, 60), np.uint8)
cv2.ellipse(DISC, (30, 40), (24, 32), 0, 0, 360, 255, -1)


def lab(image, mask=None):
    return np.array(cv2.meanStdDev(cv2.cvtColor(image, cv2.COLOR_RGB2LAB), mask=mask)).reshape(2, 3)


@pytest.mark.parametrize("place", [(20, 30, 90), (230, 220, 150)])
def test_match_colours__towards_the_place_and_not_all_the_way(place):
    crop = np.random.default_rng(0).integers(90, 160, (80, 60, 3), dtype=np.uint8)
    there = np.full((50, 70, 3), place, np.uint8)
    before, after, goal = lab(crop, DISC)[0], lab(match_colours(crop, DISC, there), DISC)[0], lab(there)[0]
    far = abs(goal - before) > 4
    assert (np.sign(after - before)[far] == np.sign(goal - before)[far]).all()
    assert (abs(goal - after)[far] < abs(goal - before)[far]).all()
    assert abs(after - before).max() < 30


def test_match_colours__same_colours_stay():
    image = np.random.default_rng(0).integers(0, 256, (80, 60, 3), dtype=np.uint8)
    full = np.full((80, 60), 255, np.uint8)
    assert np.abs(match_colours(image, full, image).astype(int) - image).mean() < 3


def test_contact_shadow__lies_at_the_foot():
    share, left, top = contact_shadow(DISC)
    assert 0.3 < share.max() <= 0.5
    assert share[[0, -1]].max() < 0.05
    row, column = np.unravel_index(share.argmax(), share.shape)
    assert 60 < top + row < 80
    assert 20 < left + column < 40


def test_contact_shadow__none_of_what_is_tiny():
    assert contact_shadow(np.full((8, 30), 255, np.uint8)) is None
    assert contact_shadow(np.zeros((40, 40), np.uint8)) is None


def test_paster__light_changes_pixels_and_no_mask(pool, sample):
    made = {
        name: Paster(pool, count="fixed", max_instances=5, harmonize=name)(sample)
        for name in ("none", "colour", "shadow", "both")
    }
    plain = made["none"]
    for name in ("colour", "shadow", "both"):
        assert (made[name].masks() == plain.masks()).all()
        assert (made[name].image != plain.image).any()
    outside = ~np.any([one.masks()[-5:].any(axis=0) for one in made.values()], axis=0)
    assert (made["colour"].image == plain.image)[outside].mean() > 0.97
    darker = made["shadow"].image.astype(int) - plain.image
    assert darker[outside].max() <= 1
    assert darker[outside].min() < -20


@pytest.mark.parametrize("place", [(-40, -40), (200, 200), (-70, 10), (10, -90)])
def test_paster__shadow_at_the_edge(pool, place):
    blank = Sample(np.full((100, 120, 3), 200, np.uint8), (), 0)
    paster = Paster(pool, harmonize="both")
    plan = paster.plan(Sample(np.zeros((100, 120, 3), np.uint8), (), 5), np.random.default_rng(1))
    moved = [type(one)(one.row, one.category_id, (60, 60), place, False, 0.0, None, "hard") for one in plan[:1]]
    assert paster.apply(blank, moved).image.shape == (100, 120, 3)
