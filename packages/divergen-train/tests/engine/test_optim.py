from __future__ import annotations

from typing import Any

import pytest
import torch
from divergen_train import TrainConfig
from divergen_train.engine.optim import MovingAverage, clip_gradients


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


def detector() -> torch.nn.Sequential:
    return torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))


def learn(network: torch.nn.Sequential) -> None:
    with torch.no_grad():
        for value in network.state_dict().values():
            value.add_(torch.randn_like(value) if value.is_floating_point() else 1)


def test_moving_average__by_its_formula_and_goes_on_from_a_checkpoint() -> None:
    torch.manual_seed(0)
    network = detector()
    average, expected = MovingAverage(network, 0.6), {k: v.clone() for k, v in network.state_dict().items()}
    for iteration in range(9):
        if iteration == 5:  # stopped, and resumed
            average, stopped = MovingAverage(network, 0.6), average
            average.load(stopped.state)
        learn(network)
        average.update(iteration)
        decay = min(0.6, (1 + iteration) / (10 + iteration))
        for name, value in network.state_dict().items():
            expected[name] = expected[name].lerp(value, 1 - decay) if value.is_floating_point() else value.clone()
    assert list(average.state) == list(expected)
    assert all(torch.equal(average.state[name], value) for name, value in expected.items())


def test_moving_average__without_decay_is_the_weights_and_applied_leaves_training_alone() -> None:
    network = detector()
    average = MovingAverage(network, 0)
    learn(network)
    average.update(0)
    assert all(torch.equal(average.state[name], value) for name, value in network.state_dict().items())
    learn(network)
    with average.applied() as shown:
        assert not shown.training
        assert not torch.equal(shown[0].weight, network[0].weight)
    assert network.training


def test_moving_average__what_is_not_trained_stays_the_detectors_own() -> None:
    network = detector()
    network[0].requires_grad_(False)
    average = MovingAverage(network, 0.6)
    before = network[0].weight.clone()
    learn(network)  # a frozen one does not change; if it did, the average would not look
    average.update(4)
    assert torch.equal(average.state["0.weight"], before)
    assert not torch.equal(average.state["1.weight"], torch.ones(2))
    assert not any(value.requires_grad for value in average.state.values())
