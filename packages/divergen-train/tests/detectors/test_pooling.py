from __future__ import annotations

import pytest
import torch
from divergen_train.detectors.pooling import GatheredRoIAlign
from torch import Tensor
from torchvision.ops import MultiScaleRoIAlign


def pyramid(strides: tuple[int, ...], size: tuple[int, int]) -> dict[str, Tensor]:
    torch.manual_seed(0)
    return {
        str(index): torch.randn(2, 5, size[0] // stride, size[1] // stride, dtype=torch.float64).requires_grad_()
        for index, stride in enumerate(strides)
    }


@pytest.mark.parametrize("strides", [(8, 16, 32), (4, 8, 16, 32)])
@pytest.mark.parametrize("size", [(192, 192), (96, 160)])
def test_gathered_roi_align__is_torchvisions_forward_and_backward(
    strides: tuple[int, ...], size: tuple[int, int]
) -> None:
    features = pyramid(strides, size)
    corners = torch.rand(2, 40, 2, dtype=torch.float64) * 150 - 10  # some lie outside
    sides = torch.rand(2, 40, 2, dtype=torch.float64) ** 2 * 180
    boxes = list(torch.cat([corners, corners + sides], 2).clamp(max=190))
    boxes[1] = boxes[1][:7]
    sizes = [(size[0], size[1])] * 2
    theirs = MultiScaleRoIAlign(list(features), 7, sampling_ratio=1)(features, boxes, sizes)
    ours = GatheredRoIAlign(list(features), 7)(features, boxes, sizes)
    assert ours.shape == theirs.shape == (47, 5, 7, 7)
    torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-6)
    gradient = torch.randn(ours.shape, dtype=ours.dtype)
    for mine, other in zip(
        torch.autograd.grad(ours, list(features.values()), gradient),
        torch.autograd.grad(theirs, list(features.values()), gradient),
        strict=True,
    ):
        torch.testing.assert_close(mine, other, rtol=1e-6, atol=1e-6)


def test_gathered_roi_align__no_region() -> None:
    features = pyramid((8, 16, 32), (64, 64))
    empty = [torch.zeros(0, 4, dtype=torch.float64)] * 2
    assert GatheredRoIAlign(list(features), 14)(features, empty, [(64, 64)] * 2).shape == (0, 5, 14, 14)
