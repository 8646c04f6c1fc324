"""ResNet-50 and Swin of detectron2 under a feature pyramid, with weights that somebody chose."""

from __future__ import annotations

from typing import Any

from ..config import ResNet50Config, SwinConfig
from .install import known_warnings, needs_detectron2
from .weights import load_resnet50, load_swin

with needs_detectron2():
    from detectron2.modeling.backbone import FPN, BasicStem, ResNet, SwinTransformer

__all__ = ["LEVELS", "pyramid"]

LEVELS = ("res2", "res3", "res4", "res5")
"""Outputs of every bottom-up network here, of stride 4, 8, 16 and 32."""


def pyramid(config: ResNet50Config | SwinConfig, *, channels: int, levels: tuple[str, ...], top_block: Any) -> FPN:
    """Feature pyramid whose ``bottom_up`` is the pre-trained network.

    Args:
        config: The network and its weights.
        channels: Of each level of the pyramid.
        levels: Those of `LEVELS` that go into it, finest first.
        top_block: Makes the levels above p5.

    Raises:
        WeightsError: If the weights are missing or of another architecture.
    """
    bottom_up = _resnet(config, levels) if isinstance(config, ResNet50Config) else _swin(config, levels)
    names = list(levels if isinstance(config, ResNet50Config) else bottom_up.output_shape())
    return FPN(bottom_up=bottom_up, in_features=names, out_channels=channels, top_block=top_block)


def _resnet(config: ResNet50Config, levels: tuple[str, ...]) -> ResNet:
    stem = BasicStem(in_channels=3, out_channels=64, norm=config.norm)
    stages = ResNet.make_default_stages(50, norm=config.norm, stride_in_1x1=False)
    body = ResNet(stem, stages, out_features=list(levels))
    if config.weights != "none":
        load_resnet50(body, config.weights)
    body.freeze(config.frozen_stages)
    return body


def _swin(config: SwinConfig, levels: tuple[str, ...]) -> SwinTransformer:
    with known_warnings():
        body = SwinTransformer(
            embed_dim=config.embed_dim,
            depths=config.depths,
            num_heads=config.heads,
            window_size=config.window,
            drop_path_rate=config.drop_path,
            out_indices=[LEVELS.index(level) for level in levels],
            use_checkpoint=config.checkpointing,
        )
    if config.weights != "none":
        load_swin(body, config.weights)
    return body
