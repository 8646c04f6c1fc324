from __future__ import annotations

from pathlib import Path

import pytest
import timm
import torch
from divergen_records.errors import WeightsError
from divergen_records.lite0 import lite0_name, lite0_path
from divergen_train.detectors.weights import load_efficientnet_lite0


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("_conv_stem.weight", "conv_stem.weight"),
        ("_bn0.running_var", "bn1.running_var"),
        ("_blocks.0._bn2.bias", "blocks.0.0.bn2.bias"),
        ("_blocks.2._expand_conv.weight", "blocks.1.1.conv_pw.weight"),
        ("_blocks.15._bn2.weight", "blocks.6.0.bn3.weight"),
        ("_fc.bias", "classifier.bias"),
    ],
)
def test_lite0_name(key: str, name: str) -> None:
    assert lite0_name(key) == name


def test_load_efficientnet_lite0__every_tensor_of_the_file_has_its_place() -> None:
    body = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    load_efficientnet_lite0(body)
    file = torch.load(lite0_path(), weights_only=True)
    loaded = body.state_dict()
    assert {lite0_name(key) for key in file} == set(loaded)
    for key, value in file.items():
        assert torch.equal(loaded[lite0_name(key)], value)


def test_load_efficientnet_lite0__missing_file(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no such weights file"):
        load_efficientnet_lite0(torch.nn.Linear(1, 1), tmp_path / "none.pth")


@pytest.mark.parametrize(("content", "said"), [(b"not weights", "not a readable weights file"), (b"", "is empty")])
def test_load_efficientnet_lite0__corrupt_file(content: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "bad.pth").write_bytes(content)
    with pytest.raises(WeightsError, match=said):
        load_efficientnet_lite0(torch.nn.Linear(1, 1), tmp_path / "bad.pth")


def test_load_efficientnet_lite0__other_architecture(tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(2, 2)}, tmp_path / "other.pth")
    with pytest.raises(WeightsError, match="not the weights of tf_efficientnet_lite0: 2 tensors missing"):
        load_efficientnet_lite0(torch.nn.Linear(1, 1), tmp_path / "other.pth")
