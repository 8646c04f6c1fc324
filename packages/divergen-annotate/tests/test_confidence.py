from __future__ import annotations

import numpy as np
import pytest
from divergen_annotate import ColourKey, GrabCut
from divergen_annotate.background import border_ring, fit_background
from divergen_annotate.confidence import MEASURES, measure
from divergen_annotate.testing import plain_picture
from divergen_records import MaskError


@pytest.mark.parametrize("annotator", [GrabCut(workers=1), ColourKey()])
def test_score__is_high_for_good_masks(annotator):
    found = annotator([plain_picture(seed, shadow=0.0)[0] for seed in range(4)])
    assert min(prediction.score for prediction in found) > 0.8


@pytest.mark.parametrize("annotator", [GrabCut(workers=1, plain=0), ColourKey(plain=0)])
def test_score__is_low_on_busy_pictures(annotator):
    random = np.random.default_rng(0)
    blocks = np.kron(random.integers(0, 256, (12, 12, 3)), np.ones((16, 16, 1))).astype(np.uint8)
    assert annotator([blocks])[0].score < 0.5


@pytest.mark.parametrize("annotator", [GrabCut(workers=1), ColourKey()])
def test_annotators__refuse_what_has_no_plain_background(annotator):
    noise = np.random.default_rng(0).integers(0, 256, (80, 80, 3), dtype=np.uint8)
    assert isinstance(annotator([noise])[0], MaskError)


def test_measure__of_a_true_mask():
    image, truth = plain_picture(1)
    background = fit_background(image, border_ring(*truth.shape, 0.03))
    values = dict(zip(MEASURES, measure(image, truth, background), strict=True))
    assert min(values["border"], values["outside"], values["edge"]) > 0.95
    assert values["area"] == pytest.approx(truth.mean())
