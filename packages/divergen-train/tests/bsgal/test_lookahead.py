from __future__ import annotations

import pytest
import torch
from divergen_train.bsgal.lookahead import undone
from torch import Tensor, nn

from .conftest import cross_entropy, make_batch, make_model


def _step(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    cross_entropy(model, make_batch(8, 1)).mean().backward()  # type: ignore[no-untyped-call]
    optimizer.step()


def _everything(model: nn.Module, optimizer: torch.optim.Optimizer) -> list[Tensor]:
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    slots = [value for slots in optimizer.state.values() for value in slots.values()]
    return [tensor.clone() for tensor in [*model.state_dict().values(), *gradients, *slots]]


def test_undone__not_a_bit_is_left() -> None:
    model = make_model("conv")
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    _step(model, optimizer)
    before = _everything(model, optimizer)
    with undone(model, optimizer):
        _step(model, optimizer)
        assert not torch.equal(next(model.parameters()), before[0])
    after = _everything(model, optimizer)
    assert len(before) == len(after) > 20
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(before, after, strict=True))


def test_undone__the_first_step_of_a_fresh_optimizer() -> None:
    model = make_model("conv")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    with undone(model, optimizer):
        _step(model, optimizer)
    assert not optimizer.state
    assert all(parameter.grad is None for parameter in model.parameters())


def test_undone__where_the_step_fails() -> None:
    model = make_model("mlp")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    before = _everything(model, optimizer)
    with pytest.raises(KeyboardInterrupt), undone(model, optimizer):
        _step(model, optimizer)
        raise KeyboardInterrupt
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(before, _everything(model, optimizer), strict=True))
