from __future__ import annotations

import json

import numpy as np
import pytest
import torch
import transformers
from divergen_annotate.points import background_points
from divergen_annotate.sam import SamBackground, load_predictor
from divergen_records import WeightsError
from models import save_hub_sam, save_hub_sam2
from safetensors.torch import load_file, save_file

SAVERS = {
    "sam": save_hub_sam,
    "sam-hq": lambda folder: save_hub_sam(folder, hq=True),
    "sam2": save_hub_sam2,
}


@pytest.fixture(scope="module", params=SAVERS)
def folder(request, tmp_path_factory):
    return SAVERS[request.param](tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="module")
def parts(folder):
    """Our predictor, and the model and processor as transformers loads them."""
    model = CLASSES[transformers.AutoConfig.from_pretrained(folder).model_type].from_pretrained(folder)
    return load_predictor(folder, device="cpu"), model, transformers.AutoProcessor.from_pretrained(folder)


def reference(model, processor, image, layout="corners"):
    """Low-resolution logits, IoU and masks (M, H, W) of the model's own processor, one picture at a time."""
    points = background_points(*image.shape[:2], layout=layout).tolist()
    inputs = processor(images=image, input_points=[[points]], input_labels=[[[1] * len(points)]], return_tensors="pt")
    sizes, inside = inputs.pop("original_sizes"), inputs.pop("reshaped_input_sizes", None)
    inputs["input_points"] = inputs["input_points"].float()
    with torch.no_grad():
        out = model(**inputs, multimask_output=True)
    padded = () if inside is None else (inside,)
    settings = {} if inside is None else {"pad_size": {"height": 128, "width": 128}}
    masks = processor.post_process_masks(out.pred_masks, sizes, *padded, **settings)[0][0]
    return out.pred_masks[0, 0], out.iou_scores[0, 0], masks.numpy()


CLASSES = {"sam": transformers.SamModel, "sam_hq": transformers.SamHQModel, "sam2": transformers.Sam2Model}


@pytest.mark.parametrize("layout", ["corners", "ring"])
def test_decode__equals_the_processor_picture_by_picture(parts, mixed, layout):
    predictor, model, processor = parts
    encoded = predictor.encode([predictor.prepare(image) for image in mixed])
    points = np.stack([background_points(*image.shape[:2], layout=layout) for image in mixed])
    decoded = predictor.decode(encoded, points)
    for number, image in enumerate(mixed):
        logits, iou, masks = reference(model, processor, image, layout)
        assert torch.allclose(decoded.logits[number], logits, rtol=1e-4, atol=1e-3)
        assert torch.allclose(decoded.iou[number], iou, rtol=1e-4, atol=1e-4)
        ours = predictor.upscale(decoded.logits[number], decoded.frames[number]).numpy() > 0
        assert ours.shape == masks.shape and np.mean(ours != masks) < 1e-3


def test_sam_background__inverts_the_widest_candidate(parts, mixed):
    predictor, model, processor = parts
    for prediction, image in zip(SamBackground(predictor)(mixed), mixed, strict=True):
        logits, _, masks = reference(model, processor, image)
        taken = int(prediction.note[5])
        assert np.mean(prediction.mask != ~masks[taken]) < 1e-3
        by_area = int((logits > 0).sum((1, 2)).argmax())
        assert taken == (by_area if isinstance(model, transformers.SamHQModel) else len(logits) - 1)


def test_sam_background__pictures_of_one_pixel_and_of_one_line(parts, thin):
    assert [result.mask.shape for result in SamBackground(parts[0])(thin)] == [image.shape[:2] for image in thin]


def test_hub__loads_without_a_word(folder, capfd):
    load_predictor(folder, device="cpu")
    assert capfd.readouterr() == ("", "")


def test_hub__sam2_is_published_with_the_config_of_its_video_model(tmp_path, mixed):
    save_hub_sam2(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    expected = SamBackground(load_predictor(tmp_path))(mixed[:1])[0]
    (tmp_path / "config.json").write_text(json.dumps({**config, "model_type": "sam2_video"}))
    assert np.array_equal(SamBackground(load_predictor(tmp_path))(mixed[:1])[0].mask, expected.mask)


@pytest.mark.parametrize("form", ["model.fp16.safetensors", "pytorch_model.bin"])
def test_hub__the_forms_in_which_people_have_weights(tmp_path, form):
    weights = load_file(save_hub_sam(tmp_path) / "model.safetensors")
    (tmp_path / "model.safetensors").unlink()
    save = torch.save if form.endswith(".bin") else save_file
    save({name: tensor.half() for name, tensor in weights.items()}, tmp_path / form)
    loaded = load_predictor(str(tmp_path), device="cpu")
    assert loaded.model.dtype == torch.float32


def test_hub__missing_weights_are_never_random(tmp_path):
    save_hub_sam(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    weights.pop("mask_decoder.iou_token.weight")
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(WeightsError, match=r"1 weights of SamModel.*iou_token.*would be random"):
        load_predictor(tmp_path)


@pytest.mark.parametrize("damage", ["model.safetensors", "config.json", "preprocessor_config.json"])
def test_hub__damaged_or_missing_files(tmp_path, damage):
    save_hub_sam(tmp_path)
    for path in tmp_path.glob(f"*{damage.removeprefix('pre')}"):
        path.write_text("nothing")
    with pytest.raises(WeightsError, match=r"cannot be loaded|is no safetensors file"):
        load_predictor(tmp_path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"quantization_config": {"quant_method": "bitsandbytes", "load_in_8bit": True}}, "requires"),
        ({"vision_config": {"patch_size": "16"}}, "patch_size"),
        ({"dtype": "float99"}, "float99"),
    ],
)
def test_hub__a_config_that_cannot_be_used_is_a_sentence(tmp_path, change, said):
    config = json.loads((save_hub_sam(tmp_path) / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | change))
    with pytest.raises(WeightsError, match=f"cannot be loaded: .*{said}"):
        load_predictor(tmp_path)


def test_hub__no_such_model(tmp_path):
    with pytest.raises(WeightsError, match="hub"):
        load_predictor("nobody/has-this-model")


def test_hub__a_model_of_another_kind(tmp_path):
    transformers.BertConfig(hidden_size=8).save_pretrained(tmp_path)
    with pytest.raises(WeightsError, match="'bert'; known are sam, sam2"):
        load_predictor(tmp_path)
