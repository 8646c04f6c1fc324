from __future__ import annotations

import cv2
import numpy as np
import pytest
from divergen_annotate import Annotator, GrabCut, repair
from divergen_annotate.config import AnnotatorConfig, GrabCutConfig
from divergen_annotate.grabcut import _soft_edged
from divergen_annotate.quality import boundary_f, iou
from divergen_annotate.testing import plain_picture
from divergen_records import MaskError
from pydantic import TypeAdapter


@pytest.mark.parametrize("shadow", [0.0, 0.3, 0.6])
def test_grabcut__plain_backgrounds(shadow):
    pairs = [plain_picture(seed, height=160, width=200, shadow=shadow) for seed in range(8)]
    predictions = GrabCut()([image for image, _ in pairs])
    masks = [repair(prediction.mask, image) for prediction, (image, _) in zip(predictions, pairs, strict=True)]
    assert np.mean([iou(mask, truth) for mask, (_, truth) in zip(masks, pairs, strict=True)]) > 0.97
    assert min(boundary_f(mask, truth) for mask, (_, truth) in zip(masks, pairs, strict=True)) > 0.95


def test_grabcut__keeps_the_hole_of_a_doughnut():
    image, truth = plain_picture(3, hole=True, shadow=0.3)
    assert iou(repair(GrabCut()([image])[0].mask, image), truth) > 0.97


def test_grabcut__does_not_depend_on_batch_order_threads_or_random_state():
    images = [plain_picture(seed, height=100 + seed, width=90)[0] for seed in range(6)]
    alone = [GrabCut(workers=1)([image])[0] for image in images]
    cv2.setRNGSeed(99)
    together = GrabCut(workers=4)(images[::-1])[::-1]
    for one, other in zip(alone, together, strict=True):
        assert np.array_equal(one.mask, other.mask) and one.score == other.score


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (7, 9)])
def test_grabcut__pictures_without_an_inside_have_an_empty_mask(shape):
    prediction = GrabCut()([np.zeros((*shape, 3), dtype=np.uint8)])[0]
    assert prediction.mask.shape == shape and not prediction.mask.any() and prediction.score == 0


@pytest.mark.parametrize("shape", [(8, 8), (8, 2000), (400, 9), (64, 64)])
@pytest.mark.parametrize("content", ["flat", "noise"])
def test_grabcut__any_picture_has_an_answer(shape, content):
    image = np.full((*shape, 3), 128, dtype=np.uint8)
    if content == "noise":
        image = np.random.default_rng(0).integers(0, 256, image.shape, dtype=np.uint8)
    prediction = GrabCut()([image])[0]
    assert isinstance(prediction, MaskError) or (prediction.mask.shape == shape and 0 <= prediction.score <= 1)


def test_annotators__keep_the_protocol_and_build_from_data():
    for kind in ("grabcut", "colour-key", "true-alpha"):
        annotator = TypeAdapter(AnnotatorConfig).validate_python({"kind": kind}).build()
        assert isinstance(annotator, Annotator) and annotator.name == kind
    assert GrabCutConfig(size=64).build().size == 64


@pytest.mark.parametrize(("sharp_columns", "shadow"), [(8, False), (5, True), (0, True)])
def test_soft_edged__a_shadow_fades_out_on_some_side(sharp_columns, shadow):
    region = np.zeros((8, 8), dtype=bool)
    region[2:6, 2:6] = True
    sharp = np.zeros((8, 8), dtype=bool)
    sharp[:, :sharp_columns] = True
    assert np.array_equal(_soft_edged(region, sharp), region & shadow)
