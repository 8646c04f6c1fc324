import torch
from divergen_train.bsgal.frozen import at_rest
from torch import nn
from torchvision.ops import StochasticDepth


class DropPath(nn.Module):
    """As in timm and detectron2: drops whole samples while training."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * (torch.rand(len(x), 1) > 0.5) if self.training else x


def test_at_rest__nothing_random_and_no_statistics_change():
    model = nn.Sequential(nn.BatchNorm1d(4), nn.Dropout(0.5), StochasticDepth(0.5, "row"), DropPath(), nn.Linear(4, 4))
    model[1].eval()  # as it was, also afterwards
    before = [module.training for module in model.modules()]
    x = torch.randn(16, 4)
    with at_rest(model):
        assert model.training
        assert model[4].training
        assert torch.equal(model(x), model(x))
        torch.testing.assert_close(model(x)[:3], model(x[:3]))  # other sizes may be summed in another order
    assert [module.training for module in model.modules()] == before
    assert model[0].num_batches_tracked == 0
    assert not torch.equal(model(x), model(x))
