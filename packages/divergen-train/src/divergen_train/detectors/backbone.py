"""A pre-trained network, made quick on a CPU, under a feature pyramid."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any

import timm
import torch
import torch.nn.functional as F
from divergen_records.errors import WeightsError
from timm.layers import Conv2dSame, conv2d_same
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights
from torchvision.ops import FeaturePyramidNetwork

from .imagenet import RESNET50, read_weights
from .weights import load_efficientnet_lite0, load_tensors

__all__ = ["BackboneFPN", "fold_batch_norms", "pad_within"]


def fold_batch_norms(module: nn.Module) -> None:
    """Fold each frozen batch norm into the convolution before it, in place.

    A fine-tuned detector keeps its batch statistics; folded, they cost nothing (CPU: half the time of a step).
    """
    before: nn.Module | None = None
    for name, child in list(module.named_children()):
        if isinstance(child, nn.BatchNorm2d) and isinstance(before, nn.Conv2d):
            mean, var = child.running_mean, child.running_var
            assert mean is not None and var is not None
            weight, bias = fuse_conv_bn_weights(
                before.weight, before.bias, mean, var, child.eps, child.weight, child.bias
            )
            before.weight, before.bias = nn.Parameter(weight.detach()), nn.Parameter(bias.detach())
            setattr(module, name, getattr(child, "act", nn.Identity()))
        else:
            fold_batch_norms(child)
        before = child


class _Same(nn.Conv2d):
    """TensorFlow's "same" convolution at stride 2, without its padded copy of the input.

    An even side is padded by one pixel more at its end than at its start, which timm does in memory first. Padded
    alike at both ends by two pixels more than at the start, all falls one output later: that one is cut off.
    """

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, H, W) to (B, out, ceil(H / 2), ceil(W / 2))."""
        if images.shape[-2] % 2 or images.shape[-1] % 2:
            same: Tensor = conv2d_same(images, self.weight, self.bias, (2, 2), (0, 0), (1, 1), self.groups)
            return same
        start = (self.kernel_size[0] - 2) // 2
        padded = F.conv2d(images, self.weight, self.bias, 2, start + 2, 1, self.groups)
        return padded[:, :, 1 : 1 + images.shape[-2] // 2, 1 : 1 + images.shape[-1] // 2]


def pad_within(body: nn.Module) -> None:
    """Give timm's "same" convolutions of stride 2 and odd kernels the quicker `_Same` (CPU: a third of the trunk)."""
    known = [((side, side), (2, 2), (1, 1)) for side in (3, 5)]
    for module in body.modules():
        conv: Any = module
        if type(module) is Conv2dSame and (conv.kernel_size, conv.stride, conv.dilation) in known:
            conv.__class__ = _Same


class BackboneFPN(nn.Module):
    """Feature pyramid on a pre-trained network: levels of stride 4 (or 8) to 32.

    Args:
        channels: Channels of each level.
        name: ``efficientnet-lite0`` or ``resnet50``.
        min_stride: 4 or 8.
        frozen_stages: The stem and this many stages are not trained.
        weights: ImageNet weights; the installed package's of EfficientNet-Lite0 by default. ``"none"``: random ones.
    """

    def __init__(
        self,
        channels: int,
        *,
        name: str = "efficientnet-lite0",
        min_stride: int,
        frozen_stages: int,
        weights: Path | str | None = None,
    ) -> None:
        super().__init__()
        self.strides = tuple(stride for stride in (4, 8, 16, 32) if stride >= min_stride)
        levels = (1, 2, 3, 4)[-len(self.strides) :]
        self.body = _efficientnet(levels, weights) if name == "efficientnet-lite0" else _resnet(levels, weights)
        fold_batch_norms(self.body)
        pad_within(self.body)
        for module in _stages(self.body)[: 1 + frozen_stages] if frozen_stages else []:
            module.requires_grad_(False)
        self.fpn = FeaturePyramidNetwork(self.body.feature_info.channels(), channels)
        self.out_channels = channels
        mean, std = (torch.tensor(self.body.default_cfg[key]).view(3, 1, 1) * 255 for key in ("mean", "std"))
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", mean, persistent=False)
        self.register_buffer("std", std, persistent=False)

    def normalise(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) uint8 to the network's value range, channels last in memory (the layout CPUs are quick in)."""
        scaled: Tensor = (images - self.mean) / self.std
        return scaled.contiguous(memory_format=torch.channels_last)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Levels ``"0"``, ``"1"``, …, finest first, each (B, channels, H / stride, W / stride).

        Args:
            images: (B, 3, H, W), normalised.
        """
        levels: dict[str, Any] = OrderedDict((str(i), level) for i, level in enumerate(self.body(images)))
        return dict(self.fpn(levels))


def _efficientnet(levels: tuple[int, ...], weights: Path | str | None) -> Any:
    body = timm.create_model("tf_efficientnet_lite0", pretrained=False, features_only=True, out_indices=levels)
    if weights != "none":
        load_efficientnet_lite0(body, None if weights is None else Path(weights))
    return body


def _resnet(levels: tuple[int, ...], weights: Path | str | None) -> Any:
    body = timm.create_model("resnet50", pretrained=False, features_only=True, out_indices=levels)
    if weights is None:
        raise WeightsError(f"resnet50: no weights given. {RESNET50}")
    if weights != "none":
        path = Path(weights)
        load_tensors(body, read_weights(path, RESNET50), path, "ResNet-50", RESNET50, fresh=r".*num_batches_tracked")
    return body


def _stages(body: Any) -> list[nn.Module]:
    """The stem and the stages, first to last."""
    if hasattr(body, "conv_stem"):
        return [body.conv_stem, *body.blocks]
    return [body.conv1, body.layer1, body.layer2, body.layer3, body.layer4]
