from __future__ import annotations

import math

import pytest
import torch
from divergen_train.detectors.classifiers import (
    SigmoidClassifier,
    SoftmaxClassifier,
    federated_categories,
    federated_weights,
)
from divergen_train.detectors.config import TorchvisionConfig
from pydantic import ValidationError

LOGITS = torch.tensor([[0.0, 2.0, -1.0, 0.5], [1.0, 0.0, 3.0, -2.0]])


def test_softmax__is_cross_entropy() -> None:
    labels = torch.tensor([1, 0])
    classifier = SoftmaxClassifier()
    expected = torch.nn.functional.cross_entropy(LOGITS, labels)
    assert torch.equal(classifier.loss(LOGITS, labels), expected)
    assert torch.equal(classifier.scores(LOGITS), LOGITS.softmax(-1)[:, 1:])


def test_sigmoid__by_hand() -> None:
    # Region 1 shows category 2 (logit -1), region 2 is background: the background's own logit plays no part.
    wanted = {(0, 2): 1.0}
    total = 0.0
    for row in range(2):
        for column in range(1, 4):
            p = 1 / (1 + math.exp(-float(LOGITS[row, column])))
            total -= math.log(p) if wanted.get((row, column)) else math.log(1 - p)
    loss = SigmoidClassifier(torch.ones(3), 0).loss(LOGITS, torch.tensor([2, 0]))
    assert float(loss) == pytest.approx(total / 2, rel=1e-5)


def test_sigmoid__federated_leaves_out_what_is_not_drawn() -> None:
    # Only category 3 may be drawn beside the one shown: the logits of category 1 get no gradient.
    logits = LOGITS.clone().requires_grad_()
    SigmoidClassifier(torch.tensor([0.0, 0.0, 1.0]), 2).loss(logits, torch.tensor([2, 0])).backward()
    assert logits.grad is not None
    assert [bool(column.any()) for column in logits.grad.T] == [False, False, True, True]


def test_sigmoid__no_regions() -> None:
    loss = SigmoidClassifier(torch.ones(3), 2).loss(torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64))
    assert float(loss) == 0


def test_sigmoid__starts_low() -> None:
    layer = torch.nn.Linear(2, 4)
    SigmoidClassifier(torch.ones(3), 0).start(layer)
    torch.testing.assert_close(layer.bias.sigmoid(), torch.full((4,), 0.01))


@pytest.mark.parametrize(
    ("labels", "weights", "count", "size"),
    [
        ([0, 2, 2, 0], [1.0, 1.0, 1.0], 2, 2),  # one shown, one drawn
        ([1, 2, 3], [1.0, 1.0, 1.0], 2, 3),  # more shown than asked for
        ([0], [0.0, 1.0, 1.0], 3, 2),  # one of no weight is not drawn
        ([1], [0.0, 0.0, 0.0], 3, 1),  # shown though its weight is 0
    ],
)
def test_federated_categories__count(labels: list[int], weights: list[float], count: int, size: int) -> None:
    shown = {label - 1 for label in labels if label}
    found = federated_categories(torch.tensor(labels), torch.tensor(weights), count).tolist()
    assert len(found) == len(set(found)) == size
    assert shown <= set(found)
    assert all(weights[index] for index in set(found) - shown)


def test_federated_categories__drawn_by_weight() -> None:
    torch.manual_seed(0)
    drawn = [int(federated_categories(torch.tensor([0]), torch.tensor([1.0, 3.0]), 1)) for _ in range(2000)]
    assert sum(drawn) / len(drawn) == pytest.approx(0.75, abs=0.04)


def test_federated_weights__root_and_extra_categories() -> None:
    assert federated_weights(3, [4, 0, 9], 0.5).tolist() == [2, 0, 3]
    assert federated_weights(2, None, 0.5).tolist() == [1, 1]
    assert federated_weights(3, [4, 0, 9], 0.0).tolist() == [1, 0, 1]


def test_config__federated_needs_sigmoid() -> None:
    with pytest.raises(ValidationError, match="needs classifier=sigmoid"):
        TorchvisionConfig(federated_categories=50)
