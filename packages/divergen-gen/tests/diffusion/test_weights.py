import json
import shutil
from contextlib import nullcontext
from pathlib import Path

import pytest
from divergen_gen import DiffusersConfig, DiffusersGenerator, Model
from divergen_gen.diffusion.needs import WholeModel
from divergen_gen.diffusion.sources import find_model
from divergen_gen.diffusion.weights import check_folder, check_single_file, identify
from divergen_gen.testing import planned_record
from divergen_records import ConfigError, WeightsError


@pytest.fixture
def folder(model, tmp_path):
    """A copy of a tiny Stable Diffusion to break."""
    return Path(shutil.copytree(model("sd"), tmp_path / "sd"))


def test_identify__same_weights_elsewhere_are_the_same(model, folder):
    assert identify(str(folder)) == identify(str(model("sd"))) != identify(str(model("sdxl")))


def test_identify__changes_with_weights_and_settings(folder):
    from safetensors.torch import load_file, save_file

    seen = [identify(str(folder))]
    file = folder / "unet" / "diffusion_pytorch_model.safetensors"
    weights = load_file(file)
    weights["conv_in.weight"] *= 1.001
    save_file(weights, file, {"format": "pt"})
    seen.append(identify(str(folder)))
    file = folder / "scheduler" / "scheduler_config.json"
    file.write_text(file.read_text().replace("0.012", "0.013"))
    seen.append(identify(str(folder)))
    assert len(set(seen)) == 3


def break_cut(folder):
    file = folder / "unet" / "diffusion_pytorch_model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])


def break_garbage(folder):
    (folder / "vae" / "diffusion_pytorch_model.safetensors").write_bytes(b"no weights at all")


def break_missing(folder):
    (folder / "text_encoder" / "model.safetensors").unlink()


def break_pickle(folder):
    file = folder / "unet" / "diffusion_pytorch_model.safetensors"
    file.rename(file.with_suffix(".bin"))


def break_index(folder):
    (folder / "model_index.json").unlink()


def break_shard(folder):
    index = {"weight_map": {"a": "diffusion_pytorch_model.safetensors", "b": "second.safetensors"}}
    (folder / "unet" / "diffusion_pytorch_model.safetensors.index.json").write_text(json.dumps(index))


def only_lora(folder):
    break_index(folder)
    (folder / "pytorch_lora_weights.safetensors").write_bytes(b"")


def only_a_part(folder):
    break_index(folder)
    (folder / "config.json").write_text('{"_class_name": "ControlNetModel"}')


def within(folder):
    break_index(folder)
    (folder / "inner").mkdir()
    (folder / "inner" / "model_index.json").write_text("{}")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (break_cut, "fetch it again"),
        (break_garbage, "is no safetensors file"),
        (break_missing, "has no weights"),
        (break_pickle, "pickle"),
        (break_index, "no model_index.json"),
        (only_lora, "It holds LoRA weights, .*: give them as lora="),
        (only_a_part, "It holds ControlNetModel alone"),
        (within, "give .*inner"),
        (break_shard, r"lacks second.safetensors \(1 of 2 files\)"),
    ],
)
def test_check_folder__says_what_is_wrong(folder, damage, message):
    damage(folder)
    with pytest.raises(WeightsError, match=message):
        check_folder(folder)


def test_check_folder__a_pickle_is_read_only_where_it_is_allowed(folder):
    import torch
    from safetensors.torch import load_file

    file = folder / "unet" / "diffusion_pytorch_model.safetensors"
    torch.save(load_file(file), file.with_suffix(".bin"))
    file.unlink()
    settings = {"steps": 1, "size": 32, "dtype": "float32", "batch_size": 1}
    refused = DiffusersGenerator(str(folder), **settings)
    with pytest.raises(WeightsError, match="allow_pickle"):
        refused([planned_record("cup", 1, refused)])
    allowed = DiffusersGenerator(str(folder), allow_pickle=True, **settings)
    assert allowed([planned_record("cup", 1, allowed)])[0].error is None


@pytest.mark.parametrize("name", ["/nowhere/at/all", "./nowhere", "nowhere"])
def test_generator__no_such_folder(name):
    with pytest.raises(WeightsError, match="does not exist"):
        DiffusersGenerator(name)


def test_generator__not_in_the_cache_and_offline():
    with pytest.raises(WeightsError, match="is not in the cache of the hub"):
        DiffusersGenerator("nobody/no-such-model")


def test_generator__reads_the_cache_of_the_hub(model, tmp_path, monkeypatch):
    commit = "0123456789abcdef0123456789abcdef01234567"
    cached = tmp_path / "models--me--tiny"
    shutil.copytree(model("sd"), cached / "snapshots" / commit)
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text(commit)
    for module in ("huggingface_hub.constants", "diffusers.pipelines.pipeline_utils"):
        monkeypatch.setattr(f"{module}.HF_HUB_CACHE", str(tmp_path), raising=False)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    assert identify("me/tiny") == commit[:12]
    assert find_model(Model(model="me/tiny")).path == cached / "snapshots" / commit


def test_generator__refuses_what_is_not_text_to_image(model, folder):
    generator = DiffusersGenerator(str(model("if")[1]), dtype="float32")
    with pytest.raises(ConfigError, match="text-to-image"):
        generator([planned_record("cup", 1, generator)])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"pipeline": "NoSuchPipeline"}, "has no such pipeline"),
        ({"scheduler": "NoSuchScheduler"}, "has no such scheduler"),
        ({"scheduler": {"name": "DDIMScheduler", "options": {"beta_max": 1}}}, "no option 'beta_max'"),
        ({"scheduler": "EulerDiscreteSheduler"}, "did you mean 'EulerDiscreteScheduler'"),
        ({"device": "tpu"}, "device 'tpu' is none"),
        ({"negative_prompt": "old", "guidance": 1}, "heeds it only with guidance above 1"),
    ],
)
def test_generator__says_which_setting_is_wrong(build, settings, message):
    generator = build(**settings)
    with pytest.raises(ConfigError, match=message):
        generator([planned_record("cup", 1, generator)])


def test_generator__a_negative_prompt_that_nobody_heeds(build):
    generator = build("flux", negative_prompt="old")
    with pytest.raises(ConfigError, match=r"FluxPipeline heeds it only with call=\{true_cfg_scale: 4\}"):
        generator([planned_record("cup", 1, generator)])
    heeding = build("flux", negative_prompt="old", call={"true_cfg_scale": 4.0})
    assert heeding([planned_record("cup", 1, heeding)])[0].error is None


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ({"guidance": 3}, r"guidance: Odd takes no guidance_scale; set call=\{prior_guidance_scale: …\}"),
        ({"size": 64}, "size: Odd takes no height; leave it out"),
    ],
)
def test_generator__a_setting_that_nobody_heeds(model, monkeypatch, setting, said):
    import diffusers

    class Odd(diffusers.StableDiffusionPipeline):
        def __call__(self, prompt=None, prompt_embeds=None, num_inference_steps=2, prior_guidance_scale=1):
            raise NotImplementedError

    monkeypatch.setattr(diffusers, "Odd", Odd, raising=False)
    generator = DiffusersGenerator(str(model("sd")), pipeline="Odd", dtype="float32", device="cpu", **setting)
    with pytest.raises(ConfigError, match=said):
        generator([planned_record("cup", 1, generator)])


@pytest.mark.parametrize(
    ("name", "expected", "changed"),
    [
        ("DPM++ 2M Karras", "DPMSolverMultistepScheduler", {"use_karras_sigmas": True}),
        ("dpmpp_2m_sde", "DPMSolverMultistepScheduler", {"algorithm_type": "sde-dpmsolver++"}),
        ("Euler a", "EulerAncestralDiscreteScheduler", {}),
        ("euler_ancestral", "EulerAncestralDiscreteScheduler", {}),
        ("UniPCMultistep", "UniPCMultistepScheduler", {}),
        ("ddim", "DDIMScheduler", {}),
    ],
)
def test_build_scheduler__by_the_names_that_others_have(name, expected, changed):
    import diffusers
    from divergen_gen.diffusion.model import Scheduler
    from divergen_gen.diffusion.schedulers import build_scheduler

    made = build_scheduler(diffusers, Scheduler(name=name), diffusers.DDIMScheduler())
    assert type(made).__name__ == expected
    assert {key: made.config[key] for key in changed} == changed


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("https://huggingface.co/stabilityai/sdxl-turbo", r"the hub id \(stabilityai/sdxl-turbo\)"),
        ("https://civitai.com/models/1", "download it"),
    ],
)
def test_identify__an_address_is_a_sentence(name, said):
    with pytest.raises(WeightsError, match=said):
        identify(name)


@pytest.mark.parametrize("form", ["pil", "array", "tensors"])
def test_to_drawn__alpha_in_whatever_form_a_pipeline_gives_it(form):
    import numpy as np
    import torch
    from divergen_gen.diffusion.picture_half import to_drawn
    from PIL import Image

    pixels = np.random.default_rng(0).integers(0, 256, (2, 4, 6, 4), dtype=np.uint8)
    shares = pixels.astype(np.float32) / 255
    given = {
        "pil": [Image.fromarray(one, "RGBA") for one in pixels],
        "array": shares,
        "tensors": [torch.from_numpy(one).permute(2, 0, 1) for one in shares],
    }[form]
    assert np.array_equal(to_drawn(None, given).pixels.numpy(), pixels)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda folder: shutil.rmtree(folder / "vae"), "lacks the folder of its vae"),
        (lambda folder: (folder / "model_index.json").write_text('{"_class_name": null}'), "does not name a pipeline"),
        (break_shard, "lacks"),
        (break_pickle, "as a pickle"),
    ],
)
def test_whole_model__is_said_before_a_run(folder, damage, said):
    assert WholeModel(str(folder)).look() is None
    damage(folder)
    found = set(DiffusersConfig(model=str(folder)).requirements())
    with pytest.raises(WeightsError, match=said):
        [one.look() for one in found]


@pytest.mark.parametrize(
    ("name", "said"), [("m.onnx", "is no model"), ("m.bin", "as a pickle"), ("m.gguf", "GGUF"), ("m.safetensors", "")]
)
def test_check_single_file(tmp_path, name, said):
    with pytest.raises(WeightsError, match=said) if said else nullcontext():
        check_single_file(tmp_path / name, None, allow_pickle=False)
    with pytest.raises(WeightsError, match="name a model of its architecture"):
        check_single_file(tmp_path / "m.ckpt", None, allow_pickle=True)


def test_check_folder__entries_that_are_no_parts(folder):
    path = folder / "model_index.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "scales": [], "sizes": [1, 2], "tagger": [None, None]}))
    check_folder(folder)
