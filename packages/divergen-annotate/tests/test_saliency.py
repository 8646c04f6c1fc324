from __future__ import annotations

import json
import warnings

import numpy as np
import onnx
import pytest
import torch
from divergen_annotate import Saliency
from divergen_annotate.config import SaliencyConfig
from divergen_annotate.saliency import ModelCard
from divergen_records import ConfigError, WeightsError
from onnx import TensorProto, helper
from PIL import Image

CARD = {"size": [24, 32], "mean": [0.9, 0.85, 0.8], "std": [0.2, 0.25, 0.5], "output": 1, "activation": "sigmoid"}
WEIGHTS = np.array([-1.0, -1.0, -0.5], np.float32).reshape(1, 3, 1, 1)


def save_onnx(path, *, batch="n"):
    """Two outputs: zeros, and a 1 x 1 convolution."""
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["logits"]),
        helper.make_node("Sub", ["logits", "logits"], ["zeros"]),
    ]
    shape = [batch, 3, 24, 32]
    outputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [batch, 1, 24, 32]) for name in ("zeros", "logits")
    ]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)]
    weight = helper.make_tensor("w", TensorProto.FLOAT, WEIGHTS.shape, WEIGHTS.ravel())
    graph = helper.make_graph(nodes, "saliency", inputs, outputs, [weight])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 1, 1, bias=False)
        self.conv.weight.data = torch.from_numpy(WEIGHTS.copy())

    def forward(self, x):
        logits = self.conv(x)
        return torch.zeros_like(logits), logits


def save_torchscript(path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.trace(Net(), torch.zeros(1, 3, 24, 32)).save(str(path))


@pytest.fixture(params=["net.onnx", "fixed.onnx", "net.pt"])
def network(request, tmp_path):
    path = tmp_path / request.param
    if path.suffix == ".pt":
        save_torchscript(path)
    else:
        save_onnx(path, batch=1 if "fixed" in path.name else "n")
    path.with_suffix(".json").write_text(json.dumps(CARD))
    return path


def by_hand(image):
    """The probabilities (24, 32) by the formula."""
    small = np.asarray(Image.fromarray(image).resize((32, 24), Image.Resampling.BILINEAR), np.float64) / 255
    normal = (small - CARD["mean"]) / CARD["std"]
    return 1 / (1 + np.exp(-(normal @ WEIGHTS.reshape(3).astype(np.float64))))


def test_saliency__equals_the_formula_for_every_format(network, mixed):
    import cv2

    annotator = Saliency.from_file(network, device="cpu")
    assert annotator.name == f"saliency:{network.stem}"
    for prediction, image in zip(annotator(mixed), mixed, strict=True):
        expected = cv2.resize(by_hand(image), image.shape[1::-1], interpolation=cv2.INTER_LINEAR)
        assert prediction.mask.shape == image.shape[:2]
        assert np.mean(prediction.mask != (expected > 0.5)) < 2e-3
        assert 0.05 < prediction.mask.mean() < 0.95
        assert prediction.score == pytest.approx(expected[expected > 0.5].mean(), abs=1e-3)


def test_saliency__as_u2net_does_it(mixed):
    seen = []

    def network(inputs):
        seen.append(inputs)
        return [np.linspace(0.2, 0.4, inputs[:, :1].size, dtype=np.float32).reshape(inputs[:, :1].shape)]

    card = ModelCard(size=(8, 8), scale="maximum", mean=(0, 0, 0), std=(1, 1, 1), stretch=True)
    prediction = Saliency(network, card)(mixed[:1])[0]
    assert seen[0].max() == 1
    assert prediction.mask.mean() == pytest.approx(0.5, abs=0.05)


def test_model_card__json_and_yaml(tmp_path):
    (tmp_path / "card.yaml").write_text("size: [320, 320]\noutput: 2\nstretch: true\n")
    assert ModelCard.read(tmp_path / "card.yaml") == ModelCard(output=2, stretch=True)
    (tmp_path / "card.json").write_text('{"size": [320, 320], "outputs": 2}')
    with pytest.raises(ConfigError, match="outputs"):
        ModelCard.read(tmp_path / "card.json")
    (tmp_path / "card.yaml").write_text("size: [320")
    with pytest.raises(ConfigError, match="no model card"):
        ModelCard.read(tmp_path / "card.yaml")


@pytest.mark.parametrize("name", ["broken.onnx", "broken.pt"])
def test_saliency__broken_files(tmp_path, name):
    (tmp_path / name).write_bytes(b"nothing")
    (tmp_path / "broken.json").write_text("{}")
    with pytest.raises(WeightsError, match="is no"):
        SaliencyConfig(model=str(tmp_path / name)).build()


def test_saliency__no_file_no_card_no_such_output(tmp_path, mixed):
    with pytest.raises(WeightsError, match="there is no such network"):
        SaliencyConfig(model=str(tmp_path / "u2net.onnx")).build()
    save_onnx(tmp_path / "net.onnx")
    with pytest.raises(ConfigError, match="no such model card"):
        Saliency.from_file(tmp_path / "net.onnx")
    (tmp_path / "card.json").write_text(json.dumps({**CARD, "output": 2}))
    with pytest.raises(ConfigError, match="has 2 outputs, the card asks for number 2"):
        Saliency.from_file(tmp_path / "net.onnx", tmp_path / "card.json")(mixed[:1])
