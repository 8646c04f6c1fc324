from __future__ import annotations

from pathlib import Path

import pytest
import timm
import torch
from divergen_records.errors import WeightsError
from divergen_train.detectors.weights import efficientnet_lite0_path, load_efficientnet_lite0, rename_efficientnet_key


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
def test_rename_efficientnet_key(key: str, name: str) -> None:
    assert rename_efficientnet_key(key) == name


def test_load_efficientnet_lite0__every_tensor_of_the_file_has_its_place() -> None:
    body = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    load_efficientnet_lite0(body)
    file = torch.load(efficientnet_lite0_path(), weights_only=True)
    loaded = body.state_dict()
    assert {rename_efficientnet_key(key) for key in file} == set(loaded)
    for key, value in file.items():
        assert torch.equal(loaded[rename_efficientnet_key(key)], value)


def test_load_efficientnet_lite0__missing_file(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no such weights file"):
        load_efficientnet_lite0(torch.nn.Linear(1, 1), tmp_path / "none.pth")


def test_load_efficientnet_lite0__corrupt_file(tmp_path: Path) -> None:
    (tmp_path / "bad.pth").write_bytes(b"not weights")
    with pytest.raises(WeightsError, match="not a readable weights file"):
        load_efficientnet_lite0(torch.nn.Linear(1, 1), tmp_path / "bad.pth")


def test_load_efficientnet_lite0__other_architecture(tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(2, 2)}, tmp_path / "other.pth")
    with pytest.raises(WeightsError, match="not the weights of tf_efficientnet_lite0: 2 tensors missing"):
        load_efficientnet_lite0(torch.nn.Linear(1, 1), tmp_path / "other.pth")
