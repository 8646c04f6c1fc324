"""The annotators without weights keep the contract; the check itself can fail."""

import numpy as np
import pytest
from divergen_annotate import BestOf, ColourKey, GrabCut, Prediction, TrueAlpha
from divergen_annotate.testing import check_annotator


@pytest.mark.parametrize("build", [GrabCut, ColourKey, TrueAlpha, lambda: BestOf([ColourKey(), GrabCut()])])
def test_check_annotator__ours(build):
    check_annotator(build)


class Broken(ColourKey):
    def __init__(self, fault):
        super().__init__()
        self.fault, self.calls = fault, 0

    def __call__(self, images):
        self.calls += 1
        results = super().__call__(images)
        if self.fault == "fewer":
            return results[:1]
        if self.fault == "shape":
            return [Prediction(one.mask.T, one.score) for one in results]
        if self.fault == "paints":
            for image in images:
                image[0, 0] = 0
        if self.fault == "batch":
            return [Prediction(np.roll(one.mask, len(images)), one.score) for one in results]
        return results


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("fewer", "one result for each"),
        ("shape", "height and width"),
        ("paints", "left as they are"),
        ("batch", "its picture only"),
    ],
)
def test_check_annotator__what_is_broken(fault, message):
    with pytest.raises(AssertionError, match=message):
        check_annotator(lambda: Broken(fault))
