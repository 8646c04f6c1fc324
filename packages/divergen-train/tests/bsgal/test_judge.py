"""The judge in somebody's own loop: what is given wrongly is said, or taken for what is meant."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from divergen_train.bsgal import Candidates, Judge, Seen, softmax_activations

IDS = ["a", "b", "c", "d"]
TRUTH = torch.tensor([0, 1, 0, 1, 0, 1, 0, 1])
SOURCES = [None, None, None, None, *IDS]


def candidates() -> Candidates:
    return Candidates(IDS, [1, 2, 1, 2], ["x", "x", "y", "y"], [None] * 4)


def judged(
    labels: Any = None, sources: Any = None, change: Callable[[torch.Tensor], torch.Tensor] = lambda x: x
) -> Judge:
    """After one step of a network with given weights."""
    head = torch.nn.Linear(3, 2)
    torch.nn.init.ones_(head.bias)
    with torch.no_grad():
        head.weight.copy_(torch.tensor([[1.0, 0.5, -1.0], [0.2, -1.0, 1.0]]))
    features = change(torch.arange(24.0).reshape(8, 3) / 10)
    seen = softmax_activations(features, change(head(features.float())), TRUTH, change(head.weight))
    judge = Judge(candidates(), half_life=5)
    judge.observe(0, Seen(seen, (TRUTH + 1).tolist() if labels is None else labels, sources or SOURCES))
    return judge


@pytest.mark.parametrize("labels", [TRUTH + 1, (TRUTH + 1).numpy()])
def test_observe__labels_of_any_kind(labels: Any) -> None:
    assert judged(labels).skipped == 0
    assert np.array_equal(judged(labels).belief.means(), judged().belief.means())


def test_observe__half_precision_with_its_graph() -> None:
    found = judged(change=torch.Tensor.half).belief.means()
    assert np.allclose(found, judged().belief.means(), atol=1e-2)


def test_observe__sources_that_are_no_candidates_are_counted() -> None:
    assert judged(sources=[*[None] * 4, "a", "b", "z", "z"]).skipped == 2


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"labels": [1, 2]}, "8 objects, 2 labels and 8 sources"),
        ({"sources": [None, "a"]}, "8 objects, 8 labels and 2 sources"),
    ],
)
def test_observe__another_number(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        judged(**given)


def test_softmax_activations__weights_the_other_way() -> None:
    with pytest.raises(ValueError, match=r"weights are \(3, 2\), expected \(2, 3\)"):
        softmax_activations(torch.zeros(8, 3), torch.zeros(8, 2), TRUTH, torch.zeros(3, 2))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"half_life": 0}, "half_life is 0"),
        ({"half_life": 5, "floor": 2}, "floor is 2"),
        ({"half_life": 5, "prior": np.ones(3)}, "3 scores for 4 candidates"),
    ],
)
def test_judge__settings_without_a_meaning(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Judge(candidates(), **given)
