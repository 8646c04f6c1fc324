from __future__ import annotations

import json
import re
import warnings

import numpy as np
import onnx
import pytest
import torch
from click.testing import CliRunner
from divergen_annotate import Saliency
from divergen_annotate.cli import main
from divergen_annotate.confidence import measure_map
from divergen_annotate.config import SaliencyConfig
from divergen_annotate.model_card import ModelCard, known_cards
from divergen_records import ConfigError, MaskError, WeightsError
from divergen_records.requirements import look
from onnx import TensorProto, helper
from PIL import Image

CARD = {"size": [24, 32], "mean": [0.9, 0.85, 0.8], "std": [0.2, 0.25, 0.5], "output": 1, "activation": "sigmoid"}
WEIGHTS = np.array([-1.0, -1.0, -0.5], np.float32).reshape(1, 3, 1, 1)


def save_onnx(path, *, batch="n", size=(24, 32), channels=1):
    """Two outputs: zeros, and a 1 x 1 convolution."""
    height, width = size
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["logits"]),
        helper.make_node("Sub", ["logits", "logits"], ["zeros"]),
    ]
    shape = [batch, 3, height, width]
    outputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [batch, channels, height, width])
        for name in ("zeros", "logits")
    ]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)]
    weight = helper.make_tensor("w", TensorProto.FLOAT, (channels, 3, 1, 1), np.tile(WEIGHTS.ravel(), channels))
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
        inside, outside = expected[expected > 0.5], expected[expected <= 0.5]
        assert prediction.score == pytest.approx(inside.sum() / (inside.size + outside.sum()), abs=1e-3)


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
    with pytest.raises(ConfigError, match="not valid YAML"):
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
    with pytest.raises(ConfigError, match=r"has 2 outputs \(zeros .*, logits .*\), the card asks for number 2"):
        Saliency.from_file(tmp_path / "net.onnx", tmp_path / "card.json")


@pytest.mark.parametrize(
    ("card", "message"),
    [
        ({"size": [24, 24]}, "takes pictures 32 pixels wide, the model card says 24"),
        ({"size": [320, 320]}, "takes pictures 24 pixels high, the model card says 320"),
        ({"mean": [128, 128, 128]}, "different units"),
        ({"std": [0.2, 0, 0.2]}, "above 0"),
        ({"activation": "none"}, "gives values from .* expected 0 to 1; if these are logits, set activation: sigmoid"),
    ],
)
def test_saliency__a_card_of_another_network_is_one_sentence(tmp_path, mixed, card, message):
    save_onnx(tmp_path / "net.onnx")
    (tmp_path / "net.json").write_text(json.dumps({**CARD, **card}))
    with pytest.raises(ConfigError, match=message) as caught:
        Saliency.from_file(tmp_path / "net.onnx", device="cpu")(mixed[:1])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"card": "u2net"}, "takes pictures 24 pixels high, the model card says 320"),
        ({"card": "nothing"}, "nothing: there is no such model card; write one with size"),
        ({}, r"net\.json: there is no such model card"),
        ({"model": "nothing", "weights": "net.onnx"}, "nothing: there is no such model card.* name one of"),
        ({"card": "wrong.yaml"}, r"wrong\.yaml: .*above 0"),
        ({"model": "half.onnx", "card": "right.yaml"}, r"half\.onnx: this is no ONNX network"),
        ({"card": "right.yaml"}, None),
    ],
)
def test_saliency_config__needs_a_network_that_fits_its_card(tmp_path, monkeypatch, settings, said):
    monkeypatch.chdir(tmp_path)
    save_onnx(tmp_path / "net.onnx")
    (tmp_path / "half.onnx").write_bytes((tmp_path / "net.onnx").read_bytes()[:100])
    (tmp_path / "wrong.yaml").write_text("std: [0, 0, 0]\n")
    (tmp_path / "right.yaml").write_text("size: [24, 32]\noutput: 1\n")
    needs = [look(need) for need in SaliencyConfig(**{"model": "net.onnx", **settings}).requirements()]
    problems = [found.text for found in needs if found is not None and found.problem]
    assert len(problems) == (said is not None)
    assert said is None or re.search(said, problems[0])


def test_saliency__probabilities_are_no_logits():
    network = Saliency(
        lambda inputs: [np.linspace(0, 1, 64, dtype=np.float32).reshape(1, 1, 8, 8)],
        ModelCard(size=(8, 8), activation="sigmoid"),
    )
    with pytest.raises(ConfigError, match="are probabilities already"):
        network([np.zeros((8, 8, 3), np.uint8)])


def test_saliency__an_output_of_features_is_no_map(tmp_path):
    save_onnx(tmp_path / "net.onnx", channels=64)
    (tmp_path / "net.json").write_text(json.dumps(CARD))
    with pytest.raises(ConfigError, match=r"'logits' is .*expected one map"):
        Saliency.from_file(tmp_path / "net.onnx")


def test_saliency__known_networks_by_name(tmp_path):
    assert {"u2net", "u2netp", "isnet", "birefnet", "silueta"} <= set(known_cards())
    assert all(card.source.startswith(("https://", "npm package")) for card in known_cards().values())
    save_onnx(tmp_path / "u2netp.onnx", size=(320, 320))
    assert Saliency.from_file(tmp_path / "u2netp.onnx").card == known_cards()["u2netp"]
    save_onnx(tmp_path / "mine.onnx", size=(1024, 1024))
    assert SaliencyConfig(model="isnet", weights=str(tmp_path / "mine.onnx")).build().card == known_cards()["isnet"]
    assert SaliencyConfig(model=str(tmp_path / "mine.onnx"), card="isnet").build().card == known_cards()["isnet"]
    with pytest.raises(WeightsError, match=r"weights=FILE\.onnx. It is published at https://github.com/xuebinqin/DIS"):
        SaliencyConfig(model="isnet").build()
    with pytest.raises(ConfigError, match="takes pictures 1024 pixels high, the model card says 320"):
        SaliencyConfig(model="u2net", weights=str(tmp_path / "mine.onnx")).build()
    with pytest.raises(ConfigError, match="neither a file nor a network that is known; there are u2net"):
        SaliencyConfig(model="u3net", weights=str(tmp_path / "mine.onnx")).build()


def test_saliency__what_is_unverified_of_a_card_is_told_where_it_fails(tmp_path, mixed):
    """`bria-rmbg` is the name that rembg gives to RMBG 2.0, not to 1.4; here its file gives logits."""
    assert known_cards()["bria-rmbg"] == known_cards()["rmbg-2.0"] != known_cards()["rmbg-1.4"]
    save_onnx(tmp_path / "bria-rmbg.onnx", size=(1024, 1024))
    with pytest.raises(ConfigError, match=r"set activation: sigmoid .*an export of your own may give logits"):
        Saliency(*logits_of(tmp_path / "bria-rmbg.onnx"))(mixed[:1])


def logits_of(path):
    """The network's second output in place of the first."""
    annotator = Saliency.from_file(path, device="cpu")
    return (lambda inputs: annotator.network(inputs)[::-1]), annotator.card


def test_saliency__a_calibrated_card_gives_the_expected_iou(tmp_path, mixed):
    save_onnx(tmp_path / "net.onnx")
    calibration = {"weights": [1, 2, -3, 0.5, -1, 0.25, 2], "bias": -1.5}
    plain = Saliency.from_file(tmp_path / "net.onnx", card_file(tmp_path, "plain"), device="cpu")
    calibrated = card_file(tmp_path, "calibrated", calibration=calibration)
    fitted = Saliency.from_file(tmp_path / "net.onnx", calibrated, device="cpu")
    for one, other, image in zip(plain(mixed), fitted(mixed), mixed, strict=True):
        assert np.array_equal(one.mask, other.mask)
        measures = measure_map(image, one.mask, one.score)
        logit = measures @ np.array(calibration["weights"]) + calibration["bias"]
        assert other.score == pytest.approx(1 / (1 + np.exp(-logit)))
        assert measures[0] == one.score and (measures >= 0).all() and (measures <= 1).all()
    with pytest.raises(ConfigError, match="expected 7 weights, for sure, largest"):
        ModelCard.read(card_file(tmp_path, "short", calibration={"weights": [1], "bias": 0}))


def card_file(folder, name, **more):
    path = folder / f"{name}.json"
    path.write_text(json.dumps({**CARD, **more}))
    return path


def test_images__a_score_of_numpy_goes_into_the_journal(tmp_path, mixed):
    save_onnx(tmp_path / "net.onnx")
    (tmp_path / "net.json").write_text(json.dumps(CARD))
    (tmp_path / "pictures").mkdir()
    Image.fromarray(mixed[0]).save(tmp_path / "pictures" / "a.png")
    annotator = f"saliency,model={tmp_path / 'net.onnx'},device=cpu"
    arguments = ["images", str(tmp_path / "pictures"), "--annotator", annotator, "--out", str(tmp_path / "coco.json")]
    assert CliRunner().invoke(main, arguments, catch_exceptions=False).exit_code == 0


def test_saliency__a_stretched_map_without_an_object_is_refused(mixed):
    card = ModelCard(size=(24, 32), stretch=True)
    noise = np.random.default_rng(0).uniform(0, 0.1, (1, 1, 24, 32)).astype(np.float32)
    result = Saliency(lambda inputs: [noise], card, name="u2net", batch_size=1)(mixed[:1])[0]
    assert isinstance(result, MaskError) and "nothing stands out: saliency:u2net's map" in str(result)
    assert Saliency(lambda inputs: [noise * 9], card, batch_size=1)(mixed[:1])[0].mask.any()


def test_model_card__mean_and_std_in_either_unit():
    pixels = np.random.default_rng(0).integers(0, 256, (4, 5, 3)).astype(np.float32)
    small = ModelCard(mean=(0.5, 0.4, 0), std=(0.2, 0.3, 1))
    large = ModelCard(mean=(127.5, 102, 0), std=(51, 76.5, 255))
    assert np.allclose(small.normalise(pixels), large.normalise(pixels), atol=1e-5)
    imgly = known_cards()["isnet-imgly"].normalise(pixels)
    assert np.allclose(imgly, ((pixels - 128) / 256).transpose(2, 0, 1), atol=1e-6)
