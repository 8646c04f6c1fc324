from __future__ import annotations

import pytest
import torch
from divergen_records.errors import ConfigError
from divergen_train.bsgal import References, sigmoid_activations, softmax_activations
from divergen_train.detectors.activations import Activations, Objects
from torch import Tensor, nn


def seen(layer: nn.Linear, labels: list[int], seed: int, kind: str = "softmax") -> tuple[Activations, Tensor]:
    features = torch.randn(len(labels), layer.in_features, generator=torch.Generator().manual_seed(seed))
    act = softmax_activations if kind == "softmax" else sigmoid_activations
    with torch.no_grad():
        return act(features, layer(features), torch.tensor(labels) - 1, layer.weight), features


@pytest.mark.parametrize("kind", ["softmax", "sigmoid"])
def test_contributions__are_products_of_the_last_layers_gradients(kind: str) -> None:
    torch.manual_seed(0)
    layer = nn.Linear(6, 4)
    (real, real_features), (generated, features) = seen(layer, [2, 2, 2], 1, kind), seen(layer, [2, 2], 2, kind)
    references = References()
    references.add(real.objects, [2, 2, 2])
    found = references.contributions(generated.objects, [2, 2], generated.weights)

    def gradient(inputs: Tensor) -> tuple[Tensor, Tensor]:
        labels = torch.full((len(inputs),), 1)
        act = softmax_activations if kind == "softmax" else sigmoid_activations
        loss = act(inputs, layer(inputs), labels, layer.weight).objects.losses.mean()
        parts = torch.autograd.grad(loss, list(layer.parameters()))
        return torch.cat([part.flatten() for part in parts]), loss

    direction, _ = gradient(real_features)
    for value, row in zip(found, features, strict=True):
        own, loss = gradient(row[None])
        expected = direction @ own / direction.norm() / loss
        torch.testing.assert_close(value, expected.detach(), rtol=5e-3, atol=1e-4)


def test_contributions__of_too_few_are_against_the_nearest_and_then_all() -> None:
    layer = nn.Linear(6, 4)
    layer.weight.data = torch.eye(4, 6) + torch.tensor([0.0, 0, 0, 0.1, 0, 0])
    layer.weight.data[3] = layer.weight.data[1]
    references = References(count=4, least=2)
    (generated, _), (real, _) = seen(layer, [2], 0), seen(layer, [4, 4, 1], 1)
    assert references.contributions(generated.objects, [2], generated.weights).isnan().all(), "nothing real was seen"
    references.add(real.objects.at([2]), [1])
    assert references.contributions(generated.objects, [2], generated.weights).isfinite().all()
    references.add(real.objects.at([0, 1]), [4, 4])
    near = references.contributions(generated.objects, [2], generated.weights)
    assert references.used == {"own": 0, "nearest": 1, "all": 1}
    alone = References()
    alone.add(real.objects.at([0, 1]), [4, 4])
    assert torch.equal(near, alone.contributions(generated.objects, [4], generated.weights))


def test_references__keep_the_last_ones_and_pass_over_what_is_not_finite() -> None:
    layer = nn.Linear(6, 4)
    real, _ = seen(layer, [1] * 5, 0)
    broken = real.objects._replace(losses=torch.tensor([1.0, float("nan"), 1, 1, float("inf")]))
    references = References(count=2, least=1)
    references.add(broken, [1] * 5)
    errors, _ = references.state_dict()["kept"][1]
    assert torch.equal(errors, real.objects.errors[[2, 3]].half())
    resumed = References(count=2, least=1)
    resumed.load_state_dict(references.state_dict())
    generated, _ = seen(layer, [1, 2], 3)
    both = [some.contributions(generated.objects, [1, 2], generated.weights) for some in (references, resumed)]
    assert torch.equal(*both)


def test_contributions__a_loss_that_is_no_number_has_none() -> None:
    layer = nn.Linear(6, 4)
    real, _ = seen(layer, [1, 1], 0)
    references = References()
    references.add(real.objects, [1, 1])
    generated = Objects(real.objects.features, real.objects.errors, torch.tensor([float("nan"), 1.0]))
    assert references.contributions(generated, [1, 1], real.weights).isnan().tolist() == [True, False]


def test_references__bad_settings() -> None:
    with pytest.raises(ConfigError, match="no more than are kept"):
        References(count=2, least=3)
