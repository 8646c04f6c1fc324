from __future__ import annotations

from typing import Any

import pytest
import torch
from divergen_train import TrainConfig
from divergen_train.engine.optim import clip_gradients


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"clip_norm": 1.0}, [0.6, -0.8]),
        ({"clip_norm": None, "clip_value": 3.5}, [3.0, -3.5]),
        ({"clip_norm": 1.0, "clip_value": 3.0}, [0.5**0.5, -(0.5**0.5)]),  # first each number, then the whole
        ({"clip_norm": None}, [3.0, -4.0]),
    ],
)
def test_clip_gradients(settings: dict[str, Any], expected: list[float]) -> None:
    parameter, unused = torch.nn.Parameter(torch.zeros(2)), torch.nn.Parameter(torch.zeros(1))
    parameter.grad = torch.tensor([3.0, -4.0])
    clip_gradients(iter([parameter, unused]), TrainConfig(**settings))
    torch.testing.assert_close(parameter.grad, torch.tensor(expected), rtol=1e-5, atol=1e-5)
