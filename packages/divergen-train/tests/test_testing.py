"""Our light detector keeps the contract; the check itself can fail."""

import pytest
from divergen_train.detectors.config import TorchvisionConfig
from divergen_train.testing import check_detector

TINY = TorchvisionConfig(weights="none", fpn_channels=16, box_features=16, mask_channels=8, detections=5)


def test_check_detector__torchvision():
    check_detector(TINY)


def test_check_detector__what_is_broken(monkeypatch):
    class Blind(TorchvisionConfig):
        def build(self, num_classes, image_counts=None):
            detector = super().build(num_classes, image_counts)
            monkeypatch.setattr(detector, "class_rows", lambda: {"nowhere": None})
            return detector

    with pytest.raises(AssertionError, match="'nowhere'"):
        check_detector(Blind(**TINY.model_dump()))
