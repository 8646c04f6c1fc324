from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from divergen_filter.config import EfficientNetLite0Config
from divergen_filter.efficientnet import EfficientNetLite0
from divergen_filter.embedder import Embedder
from divergen_records import ConfigError, WeightsError
from divergen_records.lite0 import lite0_name, lite0_path

SHARED = next(
    (p / "shared" / "data" for p in Path(__file__).resolve().parents if (p / "shared" / "data").is_dir()), None
)


@pytest.fixture(scope="module")
def network():
    return EfficientNetLite0Config().build()


def test_efficientnet__keeps_the_protocol(network):
    assert isinstance(network, Embedder)
    assert network.identity.startswith("tf_efficientnet_lite0@579344248a93/")
    assert network([]).shape == (0, 1280)


def test_efficientnet__a_crop_s_vector_does_not_depend_on_its_batch(network):
    crops = [np.random.default_rng(i).integers(0, 255, (40 + i, 90, 3), dtype=np.uint8) for i in range(18)]
    whole = network(crops)
    np.testing.assert_allclose(np.linalg.norm(whole, axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(network(crops[5:7])[0], whole[5])
    np.testing.assert_array_equal(network(crops[::-1])[::-1], whole)


@pytest.mark.skipif(SHARED is None, reason="needs shared/data")
@pytest.mark.parametrize(("category", "word"), [("zebra", "zebra"), ("broccoli", "broccoli"), ("bus", "school bus")])
def test_efficientnet__the_weights_recognise_photographs(category, word):
    import timm
    from divergen_records.images import read_image
    from timm.data import ImageNetInfo

    data = json.loads((SHARED / "coco100_train" / "annotations.json").read_text())
    number = next(row["id"] for row in data["categories"] if row["name"] == category)
    largest = max((row for row in data["annotations"] if row["category_id"] == number), key=lambda row: row["area"])
    name = next(row["file_name"] for row in data["images"] if row["id"] == largest["image_id"])
    x, y, width, height = map(int, largest["bbox"])
    crop = read_image(SHARED / "coco100_train" / "images" / name)[y : y + height, x : x + width]
    model = timm.create_model("tf_efficientnet_lite0").eval()
    state = torch.load(lite0_path(), weights_only=True)
    model.load_state_dict({lite0_name(key): value for key, value in state.items()}, strict=True)
    pixels = torch.from_numpy(crop.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
    with torch.inference_mode():
        logits = model(torch.nn.functional.interpolate(pixels, (224, 224), mode="bicubic", antialias=True))
    assert word in ImageNetInfo().index_to_description(int(logits.argmax()))


@pytest.mark.parametrize("device", ["cuda:99", "gpu"])
def test_efficientnet__a_device_that_is_not_there(device):
    with pytest.raises(ConfigError, match=f"device '{device}'.*cuda"):
        EfficientNetLite0(device=device)


def test_efficientnet__missing_weights_are_an_error(tmp_path):
    with pytest.raises(WeightsError, match="no such weights"):
        EfficientNetLite0(weights=tmp_path / "none.pth")


def test_efficientnet__damaged_or_foreign_weights_are_an_error(tmp_path):
    (tmp_path / "bad.pth").write_bytes(b"nothing")
    with pytest.raises(WeightsError, match="not a readable state dict"):
        EfficientNetLite0(weights=tmp_path / "bad.pth")
    torch.save({"layer.weight": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(WeightsError, match="not the weights of EfficientNet-Lite0"):
        EfficientNetLite0(weights=tmp_path / "other.pth")
    torch.save({"conv_stem.weight": torch.zeros(1)}, tmp_path / "part.pth")
    with pytest.raises(WeightsError, match="not the weights"):
        EfficientNetLite0(weights=tmp_path / "part.pth")
