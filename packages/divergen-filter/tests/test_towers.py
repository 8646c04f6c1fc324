"""Every tower is a real, tiny model, saved and loaded as users do."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from divergen_filter.config import EmbedderConfig, build_embedder
from divergen_filter.embedder import Embedder, TextEmbedder
from divergen_filter.towers import Runner, check_device, describe
from divergen_records import ConfigError, WeightsError
from pydantic import TypeAdapter

TINY_CLIP = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 16},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
}
MEAN, STD = [0.48, 0.46, 0.41], [0.27, 0.26, 0.28]


@pytest.fixture(scope="session")
def clip_folder(tmp_path_factory):
    """A folder as ``open_clip.push_to_hf_hub`` lays it out."""
    open_clip = pytest.importorskip("open_clip")
    from safetensors.torch import save_file

    folder = tmp_path_factory.mktemp("tiny-clip")
    torch.manual_seed(0)
    model = open_clip.CLIP(**json.loads(json.dumps(TINY_CLIP)))
    config = {"model_cfg": TINY_CLIP, "preprocess_cfg": {"mean": MEAN, "std": STD, "interpolation": "bicubic"}}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    torch.save(model.state_dict(), folder / "weights.pt")
    return folder


@pytest.fixture(scope="session")
def timm_folder(tmp_path_factory):
    import timm

    folder = tmp_path_factory.mktemp("tiny-timm")
    torch.manual_seed(1)
    size = {"img_size": 32, "patch_size": 16, "embed_dim": 32, "depth": 1, "num_heads": 2}
    model = timm.create_model("vit_tiny_patch16_224", num_classes=3, **size)
    model.pretrained_cfg["input_size"] = (3, 32, 32)
    timm.models.save_for_hf(model, folder, model_args=size, safe_serialization=True)
    return folder


@pytest.fixture(scope="session")
def dino_folder(tmp_path_factory):
    transformers = pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("tiny-dino")
    torch.manual_seed(2)
    config = transformers.Dinov2Config(
        hidden_size=32, num_hidden_layers=1, num_attention_heads=2, image_size=28, patch_size=14
    )
    transformers.Dinov2Model(config).save_pretrained(folder)
    transformers.BitImageProcessor(size={"shortest_edge": 28}, crop_size=28).save_pretrained(folder)
    return folder


@pytest.fixture(params=["open-clip", "timm", "transformers"])
def settings(request):
    folders = {"open-clip": "clip_folder", "timm": "timm_folder", "transformers": "dino_folder"}
    folder = request.getfixturevalue(folders[request.param])
    prefix = "" if request.param == "transformers" else "local-dir:"
    return {"kind": request.param, "model": f"{prefix}{folder}", "batch": 4, "workers": 2}


def build(settings, **changes):
    return TypeAdapter(EmbedderConfig).validate_python({**settings, **changes}).build()


def pictures(count):
    return [np.random.default_rng(i).integers(0, 255, (20 + i, 45, 3), dtype=np.uint8) for i in range(count)]


def test_tower__keeps_the_contract(settings):
    tower, crops = build(settings), pictures(6)
    assert isinstance(tower, Embedder)
    assert tower([]).shape == (0, tower.dim)
    vectors = tower(crops)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(tower(crops[3:5])[0], vectors[3])
    np.testing.assert_array_equal(tower(crops[::-1])[::-1], vectors)
    assert np.abs(vectors[0] - vectors[1]).max() > 1e-3


def test_tower__identity_names_model_weights_and_preprocessing(settings):
    one, again, half = build(settings), build(settings, batch=7), build(settings, precision="bf16")
    name, weights = one.identity.split("/")[0].split("@")
    assert name.startswith(settings["kind"].replace("-", "_") + ":tiny-") and len(weights) == 12
    assert one.identity == again.identity != half.identity
    np.testing.assert_allclose(half(pictures(2)), one(pictures(2)), atol=0.05)


def test_tower__missing_weights_are_an_error(settings, tmp_path):
    for model in (settings["model"] + "-none", f"local-dir:{tmp_path}"):
        with pytest.raises(WeightsError, match=r"never random|does not exist|no model of transformers"):
            build(settings, model=model)


def test_open_clip__equals_open_clip(clip_folder):
    import open_clip
    from PIL import Image

    tower = build({"kind": "open-clip", "model": f"local-dir:{clip_folder}"})
    model, _, transform = open_clip.create_model_and_transforms(f"local-dir:{clip_folder}")
    model.eval()
    crop = pictures(1)[0]
    with torch.inference_mode():
        picture = model.encode_image(transform(Image.fromarray(crop))[None], normalize=True).numpy()
        text = model.encode_text(open_clip.tokenize(["a photo of a single cup"]), normalize=True).numpy()
    np.testing.assert_allclose(tower([crop]), picture, atol=1e-5)
    assert isinstance(tower, TextEmbedder)
    np.testing.assert_allclose(tower.texts(["a photo of a single cup"]), text, atol=1e-5)
    assert tower.texts([]).shape == (0, 16)


def test_open_clip__architecture_and_weights_file(clip_folder, tmp_path):
    import open_clip

    (tmp_path / "divergen-tiny.json").write_text(json.dumps(TINY_CLIP))
    open_clip.add_model_config(tmp_path / "divergen-tiny.json")
    settings = {"kind": "open-clip", "model": "divergen-tiny"}
    tower = build(settings, pretrained=str(clip_folder / "weights.pt"), resize="squash")
    assert "resize_mode=squash" in tower.identity
    with pytest.raises(WeightsError, match="no weights are named"):
        build(settings)
    with pytest.raises(WeightsError, match="not a known tag or valid file"):
        build(settings, pretrained="openai")
    torch.save({"conv1.weight": torch.zeros(1)}, tmp_path / "other.pt")
    with pytest.raises(WeightsError, match="cannot be loaded"):
        build(settings, pretrained=str(tmp_path / "other.pt"))


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning", "ignore::DeprecationWarning")
def test_open_clip__openai_publishes_scripts(clip_folder, tmp_path):
    import open_clip

    class Weights(torch.nn.Module):
        def forward(self, pixels):
            return pixels

    script = Weights()
    for name, tensor in torch.load(clip_folder / "weights.pt").items():
        module, (*path, last) = script, name.split(".")
        for part in path:
            if not hasattr(module, part):
                module.add_module(part, torch.nn.Module())
            module = getattr(module, part)
        module.register_buffer(last, tensor)
    torch.jit.save(torch.jit.trace(script, torch.zeros(1)), tmp_path / "ViT-L-14.pt")
    (tmp_path / "divergen-script.json").write_text(json.dumps(TINY_CLIP))
    open_clip.add_model_config(tmp_path / "divergen-script.json")
    tower = build({"kind": "open-clip", "model": "divergen-script"}, pretrained=str(tmp_path / "ViT-L-14.pt"))
    wanted = open_clip.create_model("divergen-script", str(clip_folder / "weights.pt"), force_quick_gelu=True)
    pixels = torch.zeros(1, 3, 32, 32)
    with torch.inference_mode():
        assert torch.allclose(tower.model.encode_image(pixels), wanted.eval().encode_image(pixels), atol=1e-5)


def test_open_clip__an_unknown_model_names_the_nearest():
    with pytest.raises(WeightsError, match="no such model; did you mean 'ViT-L-1"):
        build({"kind": "open-clip", "model": "ViT-L-15", "pretrained": "openai"})


def test_open_clip__weights_decide_the_identity(clip_folder, tmp_path):
    from safetensors.torch import load_file, save_file

    other = tmp_path / clip_folder.name
    other.mkdir()
    (other / "open_clip_config.json").write_bytes((clip_folder / "open_clip_config.json").read_bytes())
    state = load_file(clip_folder / "open_clip_model.safetensors")
    state["visual.proj"] = state["visual.proj"] + 0.01
    save_file(state, other / "open_clip_model.safetensors")
    towers = [build({"kind": "open-clip", "model": f"local-dir:{path}"}) for path in (clip_folder, other)]
    assert towers[0].identity != towers[1].identity


def test_timm__weights_file(timm_folder, tmp_path):
    import timm

    torch.save(timm.create_model("test_vit").state_dict(), tmp_path / "weights.pth")
    settings = {"kind": "timm", "model": "test_vit"}
    assert build(settings, weights=tmp_path / "weights.pth").identity.startswith("timm:test_vit@")
    with pytest.raises(WeightsError, match="no such weights"):
        build(settings, weights=tmp_path / "none.pth")
    with pytest.raises(WeightsError, match="brings its own"):
        build(settings, model=f"local-dir:{timm_folder}", weights=tmp_path / "weights.pth")


def test_transformers__a_checkpoint_that_lacks_a_tensor_is_refused(dino_folder, tmp_path):
    from safetensors.torch import load_file, save_file

    for file in dino_folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    state = load_file(dino_folder / "model.safetensors")
    del state["layernorm.weight"]
    save_file(state, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(WeightsError, match=r"lacks 1 tensors.*layernorm\.weight"):
        build({"kind": "transformers", "model": str(tmp_path)})


def test_transformers__clip_gives_its_image_features(tmp_path):
    transformers = pytest.importorskip("transformers")
    vision = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    text = {**vision, "vocab_size": 50}
    config = transformers.CLIPConfig(
        text_config=text, vision_config={**vision, "image_size": 32, "patch_size": 16}, projection_dim=24
    )
    transformers.CLIPModel(config).save_pretrained(tmp_path)
    transformers.CLIPImageProcessor(size={"shortest_edge": 32}, crop_size=32).save_pretrained(tmp_path)
    tower = build({"kind": "transformers", "model": str(tmp_path)})
    assert tower.dim == 24 and tower(pictures(2)).shape == (2, 24)


def save_tower(folder, model):
    import transformers

    model.save_pretrained(folder)
    transformers.ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    return {"kind": "transformers", "model": str(folder)}


VIT = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
VIT |= {"image_size": 32, "patch_size": 8}


def test_transformers__a_vit_without_its_pooler(tmp_path):
    transformers = pytest.importorskip("transformers")
    model = transformers.ViTModel(transformers.ViTConfig(**VIT), add_pooling_layer=False).eval()
    settings = save_tower(tmp_path, model)
    tower = build(settings)
    crop = np.zeros((32, 32, 3), np.uint8)
    with torch.inference_mode():
        token = model(pixel_values=torch.full((1, 3, 32, 32), -1.0)).last_hidden_state[:, 0]
    np.testing.assert_allclose(tower([crop]), torch.nn.functional.normalize(token).numpy(), atol=1e-5)
    assert tower.identity == build(settings).identity


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("ViTMAE", VIT, "gives equal pictures different vectors"),
        ("Bert", {**VIT, "vocab_size": 30}, "a BertModel gives no vector of a picture alone"),
    ],
)
def test_transformers__what_is_no_image_tower(tmp_path, name, settings, message):
    transformers = pytest.importorskip("transformers")
    model = getattr(transformers, f"{name}Model")(getattr(transformers, f"{name}Config")(**settings))
    with pytest.raises(ConfigError, match=message):
        build(save_tower(tmp_path, model))


def test_build_embedder__settings(clip_folder):
    tower = build_embedder("open-clip", (f"model=local-dir:{clip_folder}", "batch=3"))
    assert tower.identity.startswith("open_clip:tiny-clip")
    with pytest.raises(ConfigError, match="size: there is no such key; did you mean 'resize'"):
        build_embedder("open-clip", ("size=3",))
    with pytest.raises(ConfigError, match="expected key=value"):
        build_embedder("open-clip", ("cuda",))


def test_check_device__says_what_is_wrong():
    with pytest.raises(ConfigError, match="fp16 is for GPUs"):
        check_device("cpu", "fp16")
    with pytest.raises(ConfigError, match="'abacus' is none; there are"):
        check_device("abacus", "fp32")


def test_runner__needs_one_vector_per_picture():
    runner = Runner(lambda crop: torch.zeros(3, 4, 4), lambda batch: batch, device=torch.device("cpu"), workers=1)
    with pytest.raises(ConfigError, match="not one vector per picture"):
        runner(pictures(1))


def test_describe__is_short():
    assert describe(size=(224, 224), mean=[0.48145466], mode="x") == "size=224x224,mean=0.4815,mode=x"
