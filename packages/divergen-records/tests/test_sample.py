import numpy as np
import pytest
from divergen_records import MaskError
from divergen_records.sample import Instance, Sample

MASK = np.array([[0, 0, 0, 0], [0, 1, 1, 0], [0, 0, 1, 0]], dtype=bool)


def test_instance__from_mask_is_tight():
    instance = Instance.from_mask(MASK, 7, annotation_id=3)
    np.testing.assert_array_equal(instance.mask, [[1, 1], [0, 1]])
    assert (instance.x, instance.y, instance.box, instance.area) == (1, 1, (1, 1, 3, 3), 3)
    assert (instance.category_id, instance.annotation_id, instance.iscrowd, instance.source) == (7, 3, False, None)


def test_instance__from_mask_empty():
    with pytest.raises(MaskError, match="category 7 is empty"):
        Instance.from_mask(np.zeros((2, 2)), 7)


def test_sample__masks_boxes_and_categories():
    instances = (Instance.from_mask(MASK, 7), Instance(2, np.ones((1, 2), dtype=bool), 0, 0))
    sample = Sample(np.zeros((3, 4, 3), dtype=np.uint8), instances, image_id=1)
    np.testing.assert_array_equal(sample.masks()[0], MASK)
    np.testing.assert_array_equal(sample.boxes(), [[1, 1, 3, 3], [0, 0, 2, 1]])
    np.testing.assert_array_equal(sample.category_ids(), [7, 2])
    assert sample.boxes().dtype == np.float32


def test_sample__without_instances():
    sample = Sample(np.zeros((3, 4, 3), dtype=np.uint8), (), image_id=1)
    assert sample.masks().shape == (0, 3, 4)
    assert sample.boxes().shape == (0, 4)
    assert sample.category_ids().shape == (0,)
