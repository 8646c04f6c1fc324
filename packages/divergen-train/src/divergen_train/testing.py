"""For tests: the contract that every detector keeps."""

from __future__ import annotations

from typing import Any

import torch

from .detectors.protocol import Detector, Target

__all__ = ["check_detector"]


def check_detector(config: Any, *, size: int = 64) -> None:
    """Check what every detector and its configuration promise; raises `AssertionError` with what is broken.

    Args:
        config: A configuration with ``build(num_classes, image_counts)``, and ``untrained()`` where it loads weights;
            what it builds should be small.
        size: Side of the test's images, pixels.
    """
    categories, light = 3, config.untrained() if hasattr(config, "untrained") else config
    torch.manual_seed(0)
    detector = light.build(categories, [5, 2, 1])
    assert isinstance(detector, Detector), "has backbone, class_rows and what torch.nn.Module has"
    images = [torch.randint(0, 256, (3, size, size), dtype=torch.uint8) for _ in range(2)]
    detector.train(True)
    losses = detector(images, [_target(1, size), _target(2, size)])
    assert losses, "training mode gives losses by name"
    assert all(loss.ndim == 0 and torch.isfinite(loss) for loss in losses.values()), "losses are finite scalars"
    sum(losses.values()).backward()
    assert any(weight.grad is not None for weight in detector.parameters()), "the losses reach the weights"
    _check_class_rows(detector, categories)
    detector.train(False)
    with torch.no_grad():
        found = detector(images)
        assert len(found) == len(images), "evaluation mode gives detections for each image"
        for one in found:
            _check_detections(one, categories)
        again = light.build(categories, [5, 2, 1])
        again.load_state_dict(detector.state_dict())
        again.train(False)
        for one, other in zip(found, again(images), strict=True):
            assert torch.equal(one["scores"], other["scores"]), "the state holds all that decides detections"


def _target(label: int, size: int) -> Target:
    masks = torch.zeros((1, size, size), dtype=torch.uint8)
    masks[0, size // 4 : 3 * size // 4, size // 4 : 3 * size // 4] = 1
    box = torch.tensor([[size / 4, size / 4, 3 * size / 4, 3 * size / 4]])
    return {"boxes": box, "labels": torch.tensor([label]), "masks": masks, "image_id": label, "sources": (None,)}


def _check_class_rows(detector: Detector, categories: int) -> None:
    state = detector.state_dict()
    for name, rows in detector.class_rows().items():
        assert name in state, f"class_rows names {name!r}, which the state does not have"
        assert len(state[name]) >= rows.first + categories * rows.each, f"{name!r} has rows for every category"


def _check_detections(found: Any, categories: int) -> None:
    count = len(found["scores"])
    assert found["boxes"].shape == (count, 4), "boxes are (N, 4)"
    assert found["masks"].ndim == 3 and len(found["masks"]) == count, "masks are (N, M, M)"
    assert bool(((found["labels"] >= 1) & (found["labels"] <= categories)).all()), "labels are 1 to the categories"
    assert bool(((found["scores"] >= 0) & (found["scores"] <= 1)).all()), "scores are 0 to 1"
    assert bool((found["scores"].diff() <= 0).all()), "the highest score is first"
