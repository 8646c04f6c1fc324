import numpy as np
import pytest
from divergen_paste import Paster
from divergen_paste.placing import PLACES, read_layouts


@pytest.mark.parametrize("place", sorted(PLACES))
def test_places__centres_lie_on_the_canvas(place):
    sizes = [(10, 30), (50, 8)] * 50
    for (x, y), (height, width) in zip(
        PLACES[place](np.random.default_rng(0), sizes, (60, 90), []), sizes, strict=True
    ):
        assert -1 <= x + width / 2 <= 91
        assert -1 <= y + height / 2 <= 61


def test_places__avoid_and_invite_a_box():
    boxes = [(0, 0, 45, 60)]
    covered = {}
    for place in PLACES:
        places = PLACES[place](np.random.default_rng(0), [(4, 4)] * 60, (60, 90), boxes)
        covered[place] = sum(x < 41 for x, _ in places)
    assert covered["avoid"] < covered["uniform"] < covered["invite"]


def test_read_layouts__parts_of_the_sides(dataset):
    dataset.annotations[1].iscrowd = True
    layouts = read_layouts(dataset)
    assert [len(layout) for layout in layouts] == [1, 2, 2]
    assert layouts[0][0] == pytest.approx([5 / 128, 5 / 96, 55 / 128, 45 / 96])


def test_plan__follows_a_layout(pool, sample, dataset):
    paster = Paster(pool, layouts=read_layouts(dataset)[:1])
    plan = paster.plan(sample, np.random.default_rng(0))
    assert len(plan) == 2
    for placement, (x, y) in zip(plan, [(30, 25), (85, 60)], strict=True):
        height, width = placement.size
        assert height * width == pytest.approx(50 * 40 * 160 * 128 / (128 * 96), rel=0.1)
        assert placement.place[0] + width / 2 == pytest.approx(x * 160 / 128, abs=1)
        assert placement.place[1] + height / 2 == pytest.approx(y * 128 / 96, abs=1)
