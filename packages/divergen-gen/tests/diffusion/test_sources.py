"""The forms in which people have a model: the hub's cache, a variant, a single checkpoint, parts left out."""

import importlib.util
import json
import shutil
from pathlib import Path

import pytest
import torch
from divergen_gen import DiffusersGenerator
from divergen_gen.diffusion.hub import commit_of
from divergen_gen.diffusion.weights import identify
from divergen_gen.testing import planned_record
from divergen_records import ConfigError, WeightsError

COMMIT = "0123456789abcdef0123456789abcdef01234567"
SETTINGS = {"steps": 1, "size": 32, "dtype": "float32", "batch_size": 1, "device": "cpu"}


@pytest.fixture
def folder(model, tmp_path):
    return Path(shutil.copytree(model("sd"), tmp_path / "sd"))


@pytest.fixture
def checkpoint(model, tmp_path):
    spec = importlib.util.spec_from_file_location("single_file", Path(__file__).parent.parent / "single_file.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.single_file(Path(model("sd")), tmp_path / "mine.safetensors")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """The hub's cache, with no network beyond it."""
    import huggingface_hub
    from divergen_records.hub import transport_errors

    network_error = next(kind for kind in transport_errors()[0].__subclasses__() if kind.__name__ == "NetworkError")

    def unreached(*_, **__):
        raise network_error("[Errno -2] Name or service not known")

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", unreached)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    commit_of.cache_clear()
    return tmp_path / "cache"


def put_into(cache, folder, name="me/tiny"):
    place = cache / f"models--{name.replace('/', '--')}"
    shutil.copytree(folder, place / "snapshots" / COMMIT)
    (place / "refs").mkdir()
    (place / "refs" / "main").write_text(COMMIT)


def picture(model, **changes):
    generator = DiffusersGenerator(str(model), **{**SETTINGS, **changes})
    (record,) = generator([planned_record("cup", 1, generator)])
    assert record.error is None
    return record.image


@pytest.mark.parametrize("revision", [None, COMMIT])
def test_generator__a_cached_model_works_without_network(model, cache, caplog, monkeypatch, revision):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    put_into(cache, model("sd"))
    assert picture("me/tiny", hub_revision=revision) == picture(model("sd"))
    assert ("the hub cannot be reached" in caplog.text) == (revision is None)


@pytest.mark.parametrize("revision", [None, COMMIT])
def test_generator__what_is_not_cached_is_a_sentence(cache, revision):
    with pytest.raises(WeightsError, match=r"me/other is not in the cache .* the hub cannot be reached"):
        picture("me/other", hub_revision=revision)


def test_generator__a_folders_only_variant_is_taken_and_one_of_several_is_named(folder):
    for file in folder.rglob("*.safetensors"):
        file.rename(file.with_suffix(".fp16.safetensors"))
    assert picture(folder) == picture(folder, variant="fp16")
    with pytest.raises(WeightsError, match=r"of variant 'fp16' only, and none of variant 'bf16'"):
        picture(folder, variant="bf16")
    for file in [*folder.rglob("*.fp16.safetensors")]:
        shutil.copy(file, file.with_name(file.name.replace("fp16", "bf16")))
    with pytest.raises(WeightsError, match=r"of variant 'bf16', 'fp16' only, and none without; set variant=bf16"):
        picture(folder)


@pytest.mark.parametrize("left", [(), ("config.json",)])
def test_generator__without_the_checkers_files(folder, model, left):
    index = folder / "model_index.json"
    parts = json.loads(index.read_text())
    parts["safety_checker"] = ["stable_diffusion", "StableDiffusionSafetyChecker"]
    parts["feature_extractor"] = ["transformers", "CLIPImageProcessor"]
    index.write_text(json.dumps({**parts, "requires_safety_checker": True}))
    for name in left:
        (folder / "safety_checker").mkdir()
        (folder / "safety_checker" / name).write_text("{}")
    assert picture(folder, safety_checker=False) == picture(model("sd"))
    with pytest.raises(WeightsError, match="safety_checker"):
        picture(folder)


def test_single_file__gives_the_pictures_of_the_folder(model, checkpoint):
    assert picture(checkpoint, config=str(model("sd"))) == picture(model("sd"))


def test_single_file__revision_is_of_its_content_and_configuration(model, checkpoint, tmp_path):
    other = shutil.copy(checkpoint, tmp_path / "renamed.safetensors")
    first, again, plain = (
        DiffusersGenerator(str(path), config=config).revision
        for path, config in ((checkpoint, str(model("sd"))), (other, str(model("sd"))), (checkpoint, None))
    )
    assert first == again != plain
    assert identify(str(checkpoint)) in plain


def test_single_file__a_part_of_a_model_and_a_config_of_another(model, checkpoint):
    from safetensors.torch import load_file, save_file

    with pytest.raises(WeightsError, match="name a model of its architecture with config="):
        picture(checkpoint, config=str(model("sdxl")))
    state = load_file(checkpoint)
    save_file({name: tensor for name, tensor in state.items() if name.startswith("model.diffusion_model")}, checkpoint)
    with pytest.raises(WeightsError, match=r"is a part of a model.* no weights of a CLIPTextModel; give the folder"):
        picture(checkpoint, config=str(model("sd")))


def test_single_file__takes_the_configuration_from_the_cache(model, checkpoint, cache):
    with pytest.raises(WeightsError, match=r"single checkpoint.*stable-diffusion-v1-5.*config="):
        picture(checkpoint)
    put_into(cache, model("sd"), "stable-diffusion-v1-5/stable-diffusion-v1-5")
    assert picture(checkpoint) == picture(model("sd"))


@pytest.mark.parametrize(
    ("name", "message"), [("a.ckpt", "pickle"), ("a.safetensors", "no safetensors file, or damaged")]
)
def test_single_file__damaged_or_a_pickle(tmp_path, name, message):
    (tmp_path / name).write_bytes(b"not what it says" * 4)
    with pytest.raises(WeightsError, match=message):
        picture(tmp_path / name)


@pytest.mark.parametrize(
    ("pipeline", "message"),
    [
        ("StableDiffusionXLPipeline", "has no text_encoder_2, tokenizer_2"),
        ("FluxPipeline", "transformer"),
        ("DDPMPipeline", "its unet is a UNet2DConditionModel"),
        ("StableDiffusionImg2ImgPipeline", "begins with a picture"),
    ],
)
def test_generator__a_wrong_class_is_a_sentence(model, pipeline, message):
    with pytest.raises(ConfigError, match=message):
        picture(model("sd"), pipeline=pipeline)


def test_generator__a_gpu_that_is_not_there(model, monkeypatch):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    with pytest.raises(ConfigError, match="there is no GPU"):
        picture(model("sd"), device="cuda:1")


KEPT = {
    "words": (),
    "settings alone": ("tokenizer_config.json",),
    "merges": ("tokenizer_config.json", "vocab.json"),
}
"""Of a tokenizer."""


def damaged(folder, what):
    """Take something away from a model, or put something else in its place."""
    import torch
    from safetensors.torch import save_file

    if what == "tokenizer":
        shutil.rmtree(folder / "tokenizer")
    elif what in KEPT:
        for file in (folder / "tokenizer").iterdir():
            if file.name not in KEPT[what]:
                file.unlink()
    elif what == "text encoder":
        file = folder / "text_encoder" / "config.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | {"hidden_size": "32"}))
    elif what == "another network":
        save_file({"nothing.weight": torch.zeros(2)}, folder / "unet" / "diffusion_pytorch_model.safetensors")
    elif what == "pointer":
        (folder / "unet" / "diffusion_pytorch_model.safetensors").write_text("version https://git-lfs.github.com/spec")
    elif what == "unfinished":
        file = folder / "unet" / "diffusion_pytorch_model.safetensors"
        file.rename(file.with_suffix(".safetensors.incomplete"))


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("tokenizer", "lacks the folder of its tokenizer; download the model again"),
        ("words", "holds no words"),
        ("settings alone", "holds no words"),
        ("merges", "merges.txt"),
        ("text encoder", "cannot be loaded: .*hidden_size.*32"),
        ("another network", "the weights of its unet are another network's: 208 of 208 tensors"),
        ("pointer", "is a pointer of Git LFS, .*git lfs pull"),
        ("unfinished", "has no weights"),
    ],
)
def test_generator__a_model_that_is_not_whole_is_a_sentence(folder, what, message):
    damaged(folder, what)
    with pytest.raises(WeightsError, match=message):
        picture(folder)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"call": {"guidance_reskale": 0.7}}, "no argument 'guidance_reskale'; did you mean 'guidance_rescale'"),
        ({"call": {"guidance_scale": 3}}, "'guidance_scale' is set by guidance"),
        ({"call": {"eta": "much"}}, "cannot draw with these settings"),
        ({"scheduler": {"name": "FlowMatchEulerDiscreteScheduler"}}, "cannot draw with these settings .*init_noise"),
        ({"device": "meta"}, "holds no values"),
    ],
)
def test_generator__settings_that_do_not_fit_are_a_sentence(model, settings, message):
    with pytest.raises(ConfigError, match=message):
        picture(model("sd"), **settings)


@pytest.mark.parametrize(
    ("name", "message"), [("m.gguf", r"quantised weights of one network \(GGUF\)"), ("m.ckpt", "as a pickle")]
)
def test_generator__a_file_that_is_no_checkpoint(tmp_path, name, message):
    (tmp_path / name).write_bytes(b"something else")
    with pytest.raises(WeightsError, match=message):
        picture(tmp_path / name)


@pytest.mark.parametrize(
    ("tensor", "message"),
    [
        ("lora_unet_down_blocks_0_proj_in.lora_down.weight", "holds LoRA weights, .* give them as lora="),
        ("emb_params", "holds a learned word: give it as textual_inversion="),
        ("control_model.input_blocks.0.0.weight", "holds a ControlNet"),
        ("image_proj.proj.weight", "holds an IP-Adapter"),
    ],
)
def test_generator__a_file_that_is_no_whole_model(tmp_path, tensor, message):
    from safetensors.torch import save_file

    save_file({tensor: torch.zeros(1, 8)}, tmp_path / "x.safetensors")
    with pytest.raises(WeightsError, match=message):
        picture(tmp_path / "x.safetensors")
