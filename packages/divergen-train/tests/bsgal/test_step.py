from __future__ import annotations

import copy
import runpy
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from divergen_records.errors import ConfigError
from divergen_train.bsgal import AcceptanceThreshold, ContributionEstimator, SelectiveStep
from divergen_train.bsgal.step import take_samples
from torch import nn

from .conftest import cross_entropy, make_batch, make_model


def make_step(model: nn.Module, mode: Any, threshold: AcceptanceThreshold, **rest: Any) -> SelectiveStep:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    return SelectiveStep(ContributionEstimator(model, cross_entropy, mode=mode), threshold, optimizer, **rest)


@pytest.mark.parametrize("mode", ["directional", "gradient"])
@pytest.mark.parametrize("accepts", [True, False])
def test_step__equals_a_plain_step_on_what_was_accepted(mode: str, accepts: bool) -> None:
    model = make_model("mlp").train(False)
    plain, real, generated = copy.deepcopy(model), make_batch(8, 1), make_batch(6, 2)
    threshold = AcceptanceThreshold(fixed=-1e9 if accepts else 1e9)
    result = make_step(model, mode, threshold, weight=0.5)(real, generated)
    loss = cross_entropy(plain, real).mean()
    if accepts:
        loss = loss + 0.5 * cross_entropy(plain, generated).mean()
    loss.backward()
    torch.optim.SGD(plain.parameters(), lr=0.1).step()
    assert result.accepted.tolist() == [accepts] * 6
    for ours, theirs in zip(model.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_step__a_rejected_sample_leaves_no_trace() -> None:
    first, real, generated = make_model("mlp").train(False), make_batch(8, 1), make_batch(6, 2)
    second = copy.deepcopy(first)
    contributions = make_step(copy.deepcopy(first), "directional", AcceptanceThreshold(fixed=0))(real, generated)
    cut = float(contributions.contributions.median())
    accepted = make_step(first, "directional", AcceptanceThreshold(fixed=cut))(real, generated).accepted
    assert 0 < int(accepted.sum()) < 6
    changed = generated[0].clone()
    changed[~accepted] = torch.nan
    result = make_step(second, "directional", AcceptanceThreshold(fixed=cut))(real, (changed, generated[1]))
    assert torch.equal(result.accepted, accepted)
    for ours, theirs in zip(first.parameters(), second.parameters(), strict=True):
        assert ours.isfinite().all()
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("mode", ["directional", "gradient"])
def test_step__empty_generated_batch(mode: str) -> None:
    step = make_step(make_model("mlp"), mode, AcceptanceThreshold(rate=0.5, per="category"))
    result = step(make_batch(8, 1), make_batch(0, 2), [])
    assert result.contributions.shape == result.accepted.shape == (0,)


def test_step__clips() -> None:
    model = make_model("mlp")
    step = make_step(model, "directional", AcceptanceThreshold(fixed=0), max_norm=1e-3)
    step(make_batch(8, 1), make_batch(4, 2))
    norm = torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None]).norm()
    assert float(norm) == pytest.approx(1e-3, rel=1e-3)


def test_step__a_real_gradient_that_is_not_finite_spoils_nothing() -> None:
    model = make_model("mlp")
    step = make_step(model, "directional", AcceptanceThreshold(fixed=-1e9))
    step(make_batch(8, 1), make_batch(4, 2))
    spoilt = make_batch(8, 3)
    spoilt[0][0] = float("nan")
    result = step(spoilt, make_batch(4, 4))
    assert result.loss != result.loss
    assert step.estimator.skipped_real == 1
    assert result.accepted.all()
    assert all(parameter.isfinite().all() for parameter in model.parameters())


def test_step__optimizer_of_another_model() -> None:
    model, other = make_model("mlp"), make_model("mlp")
    estimator = ContributionEstimator(model, cross_entropy)
    with pytest.raises(ConfigError, match="of another model"):
        SelectiveStep(estimator, AcceptanceThreshold(fixed=0), torch.optim.SGD(other.parameters(), lr=0.1))


def test_step__lookahead_is_refused() -> None:
    model = make_model("mlp")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    estimator = ContributionEstimator(model, cross_entropy, mode="lookahead", optimizer=optimizer)
    with pytest.raises(ConfigError, match="lookahead"):
        SelectiveStep(estimator, AcceptanceThreshold(fixed=0), optimizer)


def test_take_samples__of_anything_with_tensors() -> None:
    accepted = torch.tensor([True, False, True])
    batch = {"pair": (torch.arange(3), [torch.eye(3)])}
    taken = take_samples(batch, accepted)
    assert taken["pair"][0].tolist() == [0, 2]
    assert taken["pair"][1][0].shape == (2, 3)
    with pytest.raises(ConfigError, match="holds a str: give take="):
        take_samples(["a"], accepted)


@pytest.mark.slow
def test_step__two_processes_match_one(tmp_path: Path) -> None:
    script = Path(__file__).with_name("two_processes.py")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    started = [
        subprocess.Popen([sys.executable, script, str(rank), str(world), str(port), tmp_path])
        for rank, world in ((0, 2), (1, 2))
    ]
    alone = runpy.run_path(str(script))["train"]
    for mode in ("directional", "random-projection"):
        alone(0, 1, mode, str(tmp_path))
    assert [process.wait(timeout=300) for process in started] == [0, 0]
    for mode in ("directional", "random-projection"):
        one, first, second = (
            torch.load(tmp_path / f"{mode}-{name}.pt", weights_only=True) for name in ("1-0", "2-0", "2-1")
        )
        assert first["threshold"] == second["threshold"]
        for key in first["model"]:
            assert torch.equal(first["model"][key], second["model"][key])
            torch.testing.assert_close(first["model"][key], one["model"][key], rtol=1e-4, atol=1e-6)
        for key in (key for key in first["cache"] if key != "seed"):
            torch.testing.assert_close(first["cache"][key], one["cache"][key], rtol=1e-4, atol=1e-6)
        assert torch.equal(torch.cat([first["accepted"], second["accepted"]], dim=1), one["accepted"])
        assert 0 < int(one["accepted"].sum()) < one["accepted"].numel()
