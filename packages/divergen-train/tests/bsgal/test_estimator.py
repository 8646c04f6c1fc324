from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from divergen_records.errors import ConfigError
from divergen_train.bsgal import ContributionEstimator, LossNotPerSample, ModelChanged, NothingObserved
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from .conftest import Batch, cross_entropy, make_batch, make_model


def per_sample_truth(model: nn.Module, real: Batch, generated: Batch, only: str = "") -> Tensor:
    """<gradient of the real loss, gradient of each sample's loss> by one backward pass for every sample."""
    reference = copy.deepcopy(model).train(False)
    named = {name: value.detach() for name, value in reference.named_parameters() if name.startswith(only)}

    def mean_loss(values: dict[str, Tensor], inputs: Tensor, labels: Tensor) -> Tensor:
        return nn.functional.cross_entropy(functional_call(reference, values, (inputs,)), labels)

    v = grad(mean_loss)(named, *real)

    def one(inputs: Tensor, label: Tensor) -> dict[str, Tensor]:
        return grad(mean_loss)(named, inputs[None], label[None])

    each = vmap(one)(*generated)
    return torch.stack([(each[name] * v[name]).flatten(1).sum(1) for name in named]).sum(0).detach()


def relative(found: Tensor, truth: Tensor) -> float:
    return float((found - truth).norm() / truth.norm())


@pytest.mark.parametrize("kind", ["mlp", "conv"])
@pytest.mark.parametrize(("derivative", "tolerance"), [("jvp", 1e-4), ("differences", 1e-2)])
def test_directional__equals_per_sample_gradients(kind: str, derivative: Any, tolerance: float) -> None:
    model, real, generated = make_model(kind), make_batch(16, 1), make_batch(9, 2)
    estimator = ContributionEstimator(model, cross_entropy, derivative=derivative)
    estimator.observe(real)
    found = estimator.estimate(generated)
    truth = per_sample_truth(model, real, generated)
    assert truth.std() > 0.01
    assert relative(found, truth) < tolerance
    if derivative == "differences":
        assert estimator.error is not None
        assert estimator.error < 1e-2


def test_gradient__is_the_mean_of_directional() -> None:
    model, real, generated = make_model("conv"), make_batch(16, 1), make_batch(9, 2)
    values = {}
    for mode in ("gradient", "directional"):
        estimator = ContributionEstimator(model, cross_entropy, mode=mode)  # type: ignore[arg-type]
        estimator.observe(real)
        values[mode] = estimator.estimate(generated)
    assert values["gradient"].unique().numel() == 1
    torch.testing.assert_close(values["gradient"][0], values["directional"].mean(), rtol=1e-4, atol=1e-7)


def test_cosine__is_between_minus_one_and_one_and_scale_free() -> None:
    model, real = make_model("mlp"), make_batch(16, 1)
    estimator = ContributionEstimator(model, cross_entropy, mode="gradient", normalize="cosine")
    estimator.observe(real)
    assert float(estimator.estimate(real)[0]) == pytest.approx(1, abs=1e-4)
    doubled = ContributionEstimator(model, lambda m, b: 2 * cross_entropy(m, b), mode="gradient", normalize="cosine")
    doubled.observe(real)
    generated = make_batch(5, 2)
    torch.testing.assert_close(doubled.estimate(generated), estimator.estimate(generated))


def test_direction__divides_by_the_norm_of_v() -> None:
    model, real, generated = make_model("mlp"), make_batch(16, 1), make_batch(5, 2)
    plain, unit = (
        ContributionEstimator(model, cross_entropy, normalize=kind)  # type: ignore[arg-type]
        for kind in ("none", "direction")
    )
    for estimator in (plain, unit):
        estimator.observe(real)
    size = torch.cat([value.flatten() for value in plain.state_dict()["cache"].values()]).norm()
    torch.testing.assert_close(unit.estimate(generated), plain.estimate(generated) / size)


@pytest.mark.parametrize("derivative", ["jvp", "differences"])
def test_loss__divides_by_each_samples_own(derivative: Any) -> None:
    model, real, generated = make_model("mlp").train(False), make_batch(16, 1), make_batch(5, 2)
    unit, relative_gain = (
        ContributionEstimator(model, cross_entropy, normalize=kind, derivative=derivative)  # type: ignore[arg-type]
        for kind in ("direction", "loss")
    )
    for estimator in (unit, relative_gain):
        estimator.observe(real)
    expected = unit.estimate(generated) / cross_entropy(model, generated).detach()
    torch.testing.assert_close(relative_gain.estimate(generated), expected, rtol=1e-4, atol=1e-6)


def test_momentum__keeps_its_share_of_the_old() -> None:
    model, first, second = make_model("mlp"), make_batch(8, 1), make_batch(8, 2)
    caches = []
    for batches, momentum in (([first], 0.1), ([second], 0.1), ([first, second], 0.1)):
        estimator = ContributionEstimator(model, cross_entropy, momentum=momentum)
        for batch in batches:
            estimator.observe(batch)
        caches.append(estimator.state_dict()["cache"]["1.weight"])
    torch.testing.assert_close(caches[2], 0.1 * caches[0] + 0.9 * caches[1])


def test_observe_gradients__is_what_observe_sees() -> None:
    model = make_model("mlp").train(False)
    real, generated = make_batch(8, 1), make_batch(5, 2)
    first, second = (ContributionEstimator(model, cross_entropy) for _ in range(2))
    first.observe(real)
    cross_entropy(model, real).mean().backward()
    second.observe_gradients()
    torch.testing.assert_close(second.estimate(generated), first.estimate(generated))


MODES = ["directional", "differences", "gradient"]


def make_estimator(model: nn.Module, mode: str, loss: Any = cross_entropy) -> ContributionEstimator:
    if mode == "differences":
        return ContributionEstimator(model, loss, derivative="differences")
    return ContributionEstimator(model, loss, mode=mode)  # type: ignore[arg-type]


@pytest.mark.parametrize("mode", MODES)
def test_estimate__leaves_everything_as_it_was(mode: str) -> None:
    model, real, generated = make_model("conv", noise=True), make_batch(8, 1), make_batch(5, 2)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    cross_entropy(model, real).mean().backward()
    optimizer.step()
    estimator = make_estimator(model, mode)

    def everything() -> list[Tensor]:
        gradients = [p.grad for p in model.parameters() if p.grad is not None]
        state = [value for slots in optimizer.state.values() for value in slots.values()]
        flags = torch.tensor([module.training for module in model.modules()])
        return [torch.get_rng_state(), flags, *model.state_dict().values(), *gradients, *state]

    before = [tensor.clone() for tensor in everything()]
    storages = [parameter.data_ptr() for parameter in model.parameters()]
    estimator.observe(real)
    estimator.estimate(generated)
    after = everything()
    assert len(before) == len(after) > 20
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(before, after, strict=True))
    assert storages == [parameter.data_ptr() for parameter in model.parameters()]


@pytest.mark.parametrize("mode", ["directional", "differences"])
def test_estimate__all_evaluations_see_the_same_random_choices(mode: str) -> None:
    model, real, generated = make_model("mlp", noise=True), make_batch(8, 1), make_batch(5, 2)
    torch.manual_seed(11)
    estimator = make_estimator(model, mode)
    estimator.observe(real)
    first = estimator.estimate(generated)
    again = ContributionEstimator(model, cross_entropy, mode="gradient")
    again.observe(real)
    # The noise that `gradient` saw is the noise of both ends of the difference, or they would not agree.
    torch.testing.assert_close(first.mean(), again.estimate(generated)[0], rtol=1e-2, atol=1e-4)


def test_directional__falls_back_where_an_operator_has_no_forward_mode() -> None:
    class Square(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, values: Tensor) -> Tensor:
            ctx.save_for_backward(values)
            return values**2

        @staticmethod
        def backward(ctx: Any, upstream: Tensor) -> Tensor:
            (values,) = ctx.saved_tensors
            return 2 * values * upstream

    def loss(model: nn.Module, batch: Batch) -> Tensor:
        return Square.apply(cross_entropy(model, batch))  # type: ignore[no-any-return, no-untyped-call]

    model, real, generated = make_model("mlp"), make_batch(16, 1), make_batch(9, 2)
    estimator = ContributionEstimator(model, loss)
    estimator.observe(real)
    found = estimator.estimate(generated)
    assert estimator.derivative == "differences"
    gradient = ContributionEstimator(model, loss, mode="gradient")
    gradient.observe(real)
    torch.testing.assert_close(found.mean(), gradient.estimate(generated)[0], rtol=1e-2, atol=1e-4)
    with pytest.raises((NotImplementedError, RuntimeError)):
        strict = ContributionEstimator(model, loss, derivative="jvp")
        strict.observe(real)
        strict.estimate(generated)


@pytest.mark.parametrize("mode", MODES)
def test_estimate__empty_batch(mode: str) -> None:
    estimator = make_estimator(make_model("mlp"), mode)
    estimator.observe(make_batch(8, 1))
    assert estimator.estimate(make_batch(0, 2)).shape == (0,)


@pytest.mark.parametrize("mode", MODES)
def test_estimate__nan_is_skipped_and_counted(mode: str) -> None:
    model = make_model("mlp")
    inputs, labels = make_batch(5, 2)
    inputs[3] = torch.nan
    estimator = make_estimator(model, mode)
    estimator.observe(make_batch(8, 1))
    found = estimator.estimate((inputs, labels))
    if mode == "gradient":  # one gradient for all, and the NaN is in it
        assert not found.isfinite().any()
        assert estimator.skipped == 5
    else:
        assert found.isfinite().tolist() == [True, True, True, False, True]
        assert estimator.skipped == 1


def test_observe__nan_is_skipped_and_counted() -> None:
    estimator = ContributionEstimator(make_model("mlp"), lambda m, b: cross_entropy(m, b) * float("nan"))
    estimator.observe(make_batch(8, 1))
    assert estimator.skipped_real == 1
    with pytest.raises(NothingObserved, match=r"1 gradients were left out: not finite\); call observe"):
        estimator.estimate(make_batch(4, 2))


def test_observe__every_sample_of_several_batches_counts_the_same() -> None:
    model, small, large = make_model("mlp"), make_batch(3, 1), make_batch(9, 2)
    apart, together = (ContributionEstimator(model, cross_entropy) for _ in range(2))
    apart.observe(small, make_batch(0, 4), large)
    together.observe((torch.cat([small[0], large[0]]), torch.cat([small[1], large[1]])))
    torch.testing.assert_close(apart.estimate(make_batch(5, 3)), together.estimate(make_batch(5, 3)))


def test_observe__nothing_is_no_direction() -> None:
    estimator = ContributionEstimator(make_model("mlp"), cross_entropy)
    estimator.observe(make_batch(0, 1))
    assert not estimator.ready
    with pytest.raises(NothingObserved, match=r"no gradient in \.grad"):
        estimator.observe_gradients()


@pytest.mark.parametrize("mode", MODES)
def test_estimate__loss_not_per_sample(mode: str) -> None:
    estimator = make_estimator(make_model("mlp"), mode, lambda m, b: cross_entropy(m, b).mean())
    with pytest.raises(LossNotPerSample, match=r"shape \(\).*reduction='none'"):
        estimator.observe(make_batch(8, 1))
        estimator.estimate(make_batch(4, 2))


def test_parameters__without_gradient_are_left_out() -> None:
    model, real, generated = make_model("mlp"), make_batch(8, 1), make_batch(5, 2)
    model[1].requires_grad_(False)  # type: ignore[index]
    model.register_parameter("unused", nn.Parameter(torch.ones(3)))
    estimator = ContributionEstimator(model, cross_entropy)
    estimator.observe(real)
    assert set(estimator.parameters.shapes) == {"unused", "4.weight", "4.bias"}
    assert relative(estimator.estimate(generated), per_sample_truth(model, real, generated, only="4.")) < 1e-4
    with pytest.raises(ConfigError, match="no parameter that is trained"):
        ContributionEstimator(model.requires_grad_(False), cross_entropy)


@pytest.mark.parametrize("mode", ["directional", "gradient"])
def test_estimate__model_changed_since_it_was_observed(mode: str) -> None:
    model, generated = make_model("mlp"), make_batch(5, 2)
    estimator = make_estimator(model, mode)
    estimator.observe(make_batch(8, 1))
    for parameter in model.parameters():
        parameter.data.mul_(1.01)
    estimator.estimate(generated)
    torch.manual_seed(9)
    other = nn.Sequential(nn.Flatten(), nn.Linear(64, 24), nn.Tanh(), nn.Dropout(0.3), nn.Linear(24, 4))
    model.load_state_dict(other.state_dict())
    with pytest.raises(ModelChanged, match=r"moved by 1\d\d%"):
        estimator.estimate(generated)
    estimator.observe(make_batch(8, 1))
    estimator.estimate(generated)
    model[1].requires_grad_(False)  # type: ignore[index]
    with pytest.raises(ModelChanged, match=r"not those of the beginning: 1\.bias, 1\.weight"):
        estimator.estimate(generated)


@pytest.mark.parametrize("mode", ["directional", "differences", "gradient"])
def test_state_dict__exact_resume(mode: str, tmp_path: Any) -> None:
    model, generated = make_model("mlp"), make_batch(5, 2)
    estimator = make_estimator(model, mode)
    estimator.observe(make_batch(8, 1))
    estimator.estimate(generated)
    torch.save(estimator.state_dict(), tmp_path / "state.pt")
    resumed = make_estimator(model, mode)
    resumed.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    for each in (estimator, resumed):
        each.observe(make_batch(8, 4))
    assert torch.equal(estimator.estimate(generated), resumed.estimate(generated))
    assert resumed.error == estimator.error


def test_load_state_dict__of_something_else() -> None:
    model = make_model("mlp")
    estimator = ContributionEstimator(model, cross_entropy)
    estimator.observe(make_batch(8, 1))
    with pytest.raises(ConfigError, match="of mode 'directional', not 'gradient'"):
        make_estimator(model, "gradient").load_state_dict(estimator.state_dict())
    with pytest.raises(ModelChanged, match="other parameters"):
        ContributionEstimator(make_model("conv"), cross_entropy).load_state_dict(estimator.state_dict())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mode": "magic"}, "mode='magic': unknown; there are directional, gradient"),
        ({"momentum": 1.0}, "momentum=1.0"),
        ({"normalize": "cosine"}, "needs mode='gradient'"),
    ],
)
def test_estimator__bad_settings(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ContributionEstimator(make_model("mlp"), cross_entropy, **arguments)
