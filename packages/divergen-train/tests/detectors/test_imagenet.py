from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from divergen_records.errors import WeightsError
from divergen_train.detectors.backbone import BackboneFPN
from divergen_train.detectors.config import TorchvisionConfig
from divergen_train.detectors.imagenet import read_weights
from pydantic import ValidationError
from safetensors.torch import save_file


class Harmful:
    """Runs code where it is unpickled the usual way."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("the file ran code",)


def test_read_weights__detectron2_pickle(tmp_path: Path) -> None:
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    data = {"model": {"stem.weight": array}, "__author__": "somebody", "matching_heuristics": True}
    for protocol in (2, 4, 5):
        (tmp_path / "weights.pkl").write_bytes(pickle.dumps(data, protocol=protocol))
        found = read_weights(tmp_path / "weights.pkl")
        assert list(found) == ["stem.weight"]
        assert np.array_equal(found["stem.weight"].numpy(), array)


def test_read_weights__pickle_of_old_numpy(tmp_path: Path) -> None:
    written = pickle.dumps({"model": {"a": np.ones(2, np.float32)}}, protocol=2)
    (tmp_path / "weights.pkl").write_bytes(written.replace(b"numpy._core.multiarray", b"numpy.core.multiarray"))
    assert read_weights(tmp_path / "weights.pkl")["a"].tolist() == [1, 1]


def test_read_weights__pickle_with_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "weights.pkl").write_bytes(pickle.dumps({"model": Harmful()}))
    with pytest.raises(WeightsError, match=r"it holds builtins.print, only numpy arrays are read"):
        read_weights(tmp_path / "weights.pkl")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("wrapper", [None, "state_dict", "model"])
def test_read_weights__torch(tmp_path: Path, wrapper: str | None) -> None:
    tensors = {"a": torch.ones(2)}
    torch.save(tensors if wrapper is None else {wrapper: tensors, "epoch": 3}, tmp_path / "weights.pth")
    assert list(read_weights(tmp_path / "weights.pth")) == ["a"]


def test_read_weights__safetensors(tmp_path: Path) -> None:
    save_file({"a": torch.ones(2)}, tmp_path / "weights.safetensors")
    assert list(read_weights(tmp_path / "weights.safetensors")) == ["a"]


@pytest.mark.parametrize("name", ["weights.pkl", "weights.pth", "weights.safetensors"])
def test_read_weights__damaged_and_missing(tmp_path: Path, name: str) -> None:
    with pytest.raises(WeightsError, match=r"no such weights file\. From the shop\. Give the path"):
        read_weights(tmp_path / name, "From the shop")
    (tmp_path / name).write_bytes(b"not weights")
    with pytest.raises(WeightsError, match=r"not a readable weights file|is no safetensors file"):
        read_weights(tmp_path / name)


def test_resnet50__weights_of_timm_and_torchvision(tmp_path: Path) -> None:
    torch.manual_seed(0)
    whole = timm.create_model("resnet50", pretrained=False).eval()
    torch.save(whole.state_dict(), tmp_path / "resnet50.pth")
    backbone = BackboneFPN(8, name="resnet50", min_stride=8, frozen_stages=1, weights=tmp_path / "resnet50.pth")
    image = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        expected = whole.forward_features(image)
        found = backbone.body(image)[-1]
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)
    trained = {name.split(".")[0] for name, p in backbone.body.named_parameters() if p.requires_grad}
    assert trained == {"layer2", "layer3", "layer4"}
    levels = backbone(backbone.normalise(torch.zeros(1, 3, 64, 64, dtype=torch.uint8)))
    assert [tuple(level.shape) for level in levels.values()] == [(1, 8, 64 // s, 64 // s) for s in (8, 16, 32)]


def test_resnet50__other_architecture(tmp_path: Path) -> None:
    torch.save({"conv1.weight": torch.zeros(64, 3, 7, 7)}, tmp_path / "resnet18.pth")
    with pytest.raises(WeightsError, match=r"not the weights of ResNet-50: .* tensors missing"):
        BackboneFPN(8, name="resnet50", min_stride=4, frozen_stages=0, weights=tmp_path / "resnet18.pth")


def test_config__resnet50_has_no_silent_random_weights() -> None:
    with pytest.raises(ValidationError, match="give the file of ResNet-50's ImageNet weights, or none"):
        TorchvisionConfig(backbone="resnet50")
    assert TorchvisionConfig(backbone="resnet50", weights="none").weights == "none"
