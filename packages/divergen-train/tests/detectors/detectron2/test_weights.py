from __future__ import annotations

from pathlib import Path

import pytest
import timm
import torch
from divergen_records.errors import WeightsError
from divergen_train.detectors.config import CenterNet2Config, Detectron2MaskRCNNConfig, ResNet50Config, SwinConfig
from divergen_train.detectors.detectron2.weights import load_resnet50, rename_resnet_key
from pydantic import ValidationError


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("conv1.weight", "stem.conv1.weight"),
        ("bn1.running_mean", "stem.conv1.norm.running_mean"),
        ("layer1.0.conv2.weight", "res2.0.conv2.weight"),
        ("layer4.2.bn3.bias", "res5.2.conv3.norm.bias"),
        ("layer2.0.downsample.0.weight", "res3.0.shortcut.weight"),
        ("layer2.0.downsample.1.running_var", "res3.0.shortcut.norm.running_var"),
        ("res3.1.conv1.norm.bias", "res3.1.conv1.norm.bias"),
        ("fc.weight", "fc.weight"),
    ],
)
def test_rename_resnet_key(key: str, name: str) -> None:
    assert rename_resnet_key(key) == name


@pytest.mark.detectron2
def test_resnet50__features_of_timm(tmp_path: Path) -> None:
    torch.manual_seed(0)
    whole = timm.create_model("resnet50", pretrained=False).eval()
    for module in whole.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-0.1, 0.1)
            module.running_var.uniform_(0.8, 1.2)
    torch.save({"state_dict": whole.state_dict()}, tmp_path / "resnet50.pth")
    backbone = ResNet50Config(weights=tmp_path / "resnet50.pth")
    detector = CenterNet2Config(backbone=backbone, fpn_channels=32, box_features=8, mask_channels=8).build(3)
    image = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        found = detector.backbone(image)["res5"]
        torch.testing.assert_close(found, whole.forward_features(image), rtol=1e-3, atol=1e-3)


@pytest.mark.detectron2
@pytest.mark.parametrize("kind", [CenterNet2Config, Detectron2MaskRCNNConfig])
def test_swin__published_names(
    tmp_path: Path, centernet2: CenterNet2Config, kind: type[CenterNet2Config] | type[Detectron2MaskRCNNConfig]
) -> None:
    small = {"fpn_channels": 32, "box_features": 8, "mask_channels": 8}
    torch.manual_seed(0)
    state = kind(backbone=centernet2.backbone, **small).build(3).backbone.state_dict()
    file = {name: value for name, value in state.items() if not name.startswith("norm")}
    file |= {
        "head.weight": torch.zeros(5, 2),
        "norm.weight": torch.zeros(3),
        "layers.0.blocks.1.attn_mask": torch.ones(1),
    }
    torch.save({"model": file}, tmp_path / "swin.pth")
    backbone = centernet2.backbone.model_copy(update={"weights": tmp_path / "swin.pth"})
    torch.manual_seed(1)
    found = kind(backbone=backbone, **small).build(3).backbone.state_dict()
    assert all(torch.equal(found[name], value) for name, value in state.items() if name in file)
    with pytest.raises(
        WeightsError, match=r"not the weights of this Swin Transformer: 0 tensors missing .* of another"
    ):
        kind(backbone=backbone.model_copy(update={"window": 7}), **small).build(3)


def test_load_resnet50__missing_file(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"no such weights file\. Files that fit: torchvision's .* weights=none"):
        load_resnet50(torch.nn.Linear(1, 1), tmp_path / "resnet50.pth")


def test_config__weights_are_a_choice() -> None:
    with pytest.raises(ValidationError, match=r"weights\n  Field required"):
        CenterNet2Config.model_validate({"backbone": {"kind": "swin"}})
    with pytest.raises(ValidationError, match="norm=GN: ImageNet weights are those of batch norm"):
        ResNet50Config(weights=Path("resnet50.pth"), norm="GN")
    with pytest.raises(ValidationError, match="stage 0 has 192 channels"):
        SwinConfig(weights="none", heads=(7, 12, 24, 48))
