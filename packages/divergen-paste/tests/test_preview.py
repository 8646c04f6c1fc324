import numpy as np
from divergen_paste import Paster
from divergen_paste.preview import draw_instances, preview_sheet, stack_tiles


def test_preview_sheet__three_pictures_per_image(dataset, pool):
    sheet = preview_sheet(dataset, Paster(pool, count="fixed", max_instances=3), count=2, width=128)
    assert sheet.shape == (2 * (96 + 6) + 6, 3 * (128 + 6) + 6, 3)


def test_draw_instances__leaves_the_sample_alone(sample):
    before = sample.image.copy()
    drawn = draw_instances(sample, sample.instances, 160, {1: "cup"})
    assert (sample.image == before).all()
    assert (drawn != before).any()


def test_stack_tiles__nothing():
    assert stack_tiles([]).shape == (1, 1, 3)


def test_stack_tiles__different_sizes():
    tiles = [[np.zeros((4, 5, 3), np.uint8), np.zeros((2, 3, 3), np.uint8)], [np.zeros((1, 1, 3), np.uint8)]]
    assert stack_tiles(tiles, gap=1).shape == (4 + 1 + 1 + 1 + 1, 5 + 3 + 3, 3)
