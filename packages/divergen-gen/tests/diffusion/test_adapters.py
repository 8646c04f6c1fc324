import numpy as np
import pytest
import torch
from divergen_gen.diffusion.adapters import identify_lora
from divergen_gen.diffusion.model import Lora
from divergen_gen.testing import planned_record
from divergen_records import WeightsError
from divergen_records.images import read_image
from safetensors.torch import save_file


def write_lora(model, path, *, text=False, scale=2.0):
    """LoRA weights of rank 2 for the attention of the tiny Stable Diffusion."""
    from diffusers import StableDiffusionPipeline

    pipe = StableDiffusionPipeline.from_pretrained(model("sd"))
    part, prefix, names = (pipe.unet, "unet", ("to_q", "to_v"))
    if text:
        part, prefix, names = (pipe.text_encoder, "text_encoder", ("q_proj", "v_proj"))
    torch.manual_seed(7)
    state = {}
    for name, module in part.named_modules():
        if name.endswith(names):
            state[f"{prefix}.{name}.lora_A.weight"] = torch.randn(2, module.in_features)
            state[f"{prefix}.{name}.lora_B.weight"] = scale * torch.randn(module.out_features, 2)
    save_file(state, path)
    return path


def image(generator, category="cup", seed=1):
    record = generator([planned_record(category, seed, generator)])[0]
    assert record.error is None
    return read_image(record.image).astype(int)


@pytest.mark.parametrize("text", [False, True])
def test_generator__lora_as_the_pipeline_loads_it(build, model, tmp_path, text):
    from diffusers import StableDiffusionPipeline

    path = write_lora(model, tmp_path / "lora.safetensors", text=text)
    generator = build(lora=[Lora(path=str(path), scale=0.5)], image_format="png", batch_size=1)
    record = planned_record("cup", 1, generator)
    pipe = StableDiffusionPipeline.from_pretrained(model("sd"))
    pipe.load_lora_weights(str(path), adapter_name="x")
    pipe.set_adapters("x", 0.5)
    pipe.set_progress_bar_config(disable=True)
    source = torch.Generator().manual_seed(1)
    wanted = pipe(record.prompt, generator=source, num_inference_steps=2, height=32, width=32, output_type="np")
    made = image(generator)
    assert np.abs(np.round(wanted.images[0] * 255) - made).max() <= 1
    plain = build(image_format="png", batch_size=1)
    assert plain.revision != generator.revision
    assert np.abs(image(plain) - made).max() > 2


def test_generator__category_lora_changes_its_category_only(build, model, tmp_path):
    path = write_lora(model, tmp_path / "cup.safetensors")
    plain, own = build(), build(personal={"cup": path})
    names = ("car", "cup", "car", "cup", "cup")
    records = [planned_record(name, seed, plain) for seed, name in enumerate(names)]
    same = [one.image == other.image for one, other in zip(plain(records), own(records), strict=True)]
    assert same == [True, False, True, False, False]


@pytest.mark.parametrize("halves", [("A", "B"), ("A",)], ids=["another model's", "one half of it"])
def test_generator__lora_that_does_not_fit(build, tmp_path, halves):
    path = tmp_path / "other.safetensors"
    save_file({f"unet.nothing.lora_{half}.weight": torch.zeros(2, 2) for half in halves}, path)
    generator = build(lora=[Lora(path=str(path))])
    with pytest.raises(WeightsError, match="LoRA"):
        image(generator)


@pytest.mark.parametrize(
    ("name", "tensor", "message"),
    [
        ("pytorch_lora_weights.bin", "unet.x.lora_A.weight", "is no .safetensors file"),
        ("adapter_model.safetensors", "base_model.model.x.lora_A.weight", "in the form of peft's save_pretrained"),
    ],
)
def test_identify_lora__files_that_no_pipeline_loads(tmp_path, name, tensor, message):
    save_file({tensor: torch.zeros(2, 2)}, tmp_path / name)
    with pytest.raises(WeightsError, match=message):
        identify_lora(Lora(path=str(tmp_path / name)))


def test_identify_lora__one_of_several_files(tmp_path):
    for name in ("epoch-1.safetensors", "epoch-2.safetensors"):
        save_file({"unet.x.lora_A.weight": torch.zeros(2, 2)}, tmp_path / name)
    with pytest.raises(WeightsError, match=r"holds 2 files of weights .*weight_name"):
        identify_lora(Lora(path=str(tmp_path)))
    assert identify_lora(Lora(path=str(tmp_path), weight_name="epoch-2.safetensors"))[1] == "epoch-2.safetensors"


def test_generator__textual_inversion_gives_a_word_its_meaning(build, model, tmp_path):
    from diffusers import StableDiffusionPipeline

    pipe = StableDiffusionPipeline.from_pretrained(model("sd"))
    token = pipe.tokenizer("cup", add_special_tokens=False).input_ids[0]
    path = tmp_path / "word.safetensors"
    save_file({"word": pipe.text_encoder.get_input_embeddings().weight[token].detach().clone()[None]}, path)
    generator = build(textual_inversion={"<mine>": path})
    mine, cup = (planned_record("cup", 1, generator, f"a red {word}") for word in ("<mine>", "cup"))
    one, other = generator([mine, cup])
    assert one.image == other.image


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"clip_l": (1, 32), "clip_g": (1, 32)}, "has no attribute 'text_encoder_2'"),
        ({"emb_params": (2, 768)}, r"the shape \(2, 768\) where the model's words have 32 numbers"),
    ],
)
def test_generator__textual_inversion_of_another_model(build, tmp_path, tensors, message):
    save_file({name: torch.zeros(shape) for name, shape in tensors.items()}, tmp_path / "word.safetensors")
    with pytest.raises(WeightsError, match=f"'<mine>' does not fit StableDiffusionPipeline: .*{message}"):
        image(build(textual_inversion={"<mine>": tmp_path / "word.safetensors"}))
