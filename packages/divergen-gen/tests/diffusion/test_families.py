"""Families whose prompts are unlike Stable Diffusion's: a default negative prompt, masks that are None, true CFG."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import pytest
from divergen_gen import DiffusersGenerator
from divergen_gen.testing import planned_record

SHORT, LONG = "a red cup", "a photo of a single small blue metal cup in the white background"


def pixart(tiny: ModuleType, folder: Path) -> Path:
    import torch
    from diffusers import DDIMScheduler, PixArtAlphaPipeline, PixArtTransformer2DModel

    torch.manual_seed(7)
    words = tiny.t5_tokenizer()
    transformer = PixArtTransformer2DModel(
        sample_size=16,
        num_layers=1,
        attention_head_dim=8,
        num_attention_heads=2,
        caption_channels=32,
        in_channels=4,
        out_channels=8,
        cross_attention_dim=16,
    ).eval()
    PixArtAlphaPipeline(
        transformer=transformer,
        vae=tiny.autoencoder(),
        text_encoder=tiny.t5_text(words),
        tokenizer=words,
        scheduler=DDIMScheduler(),
    ).save_pretrained(folder)
    return folder


def qwen(_: ModuleType, folder: Path) -> Path:
    import torch
    from diffusers import (
        AutoencoderKLQwenImage,
        FlowMatchEulerDiscreteScheduler,
        QwenImagePipeline,
        QwenImageTransformer2DModel,
    )
    from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration, Qwen2Tokenizer

    torch.manual_seed(8)
    words = folder.with_name("qwen-words")
    words.mkdir()
    letters = [chr(code) for code in [*range(33, 127), *range(161, 173), *range(174, 512)]]
    vocabulary = {letter: number for number, letter in enumerate([*letters, "<|endoftext|>"])}
    (words / "vocab.json").write_text(json.dumps(vocabulary))
    (words / "merges.txt").write_text("#version: 0.2\n")
    tokenizer = Qwen2Tokenizer.from_pretrained(words)
    size = len(tokenizer) + 8
    text = {
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "rope_scaling": {"mrope_section": [1, 1, 2], "rope_type": "default", "type": "default"},
        "vocab_size": size,
        "bos_token_id": 0,
        "eos_token_id": 0,
    }
    vision = {"depth": 1, "hidden_size": 16, "intermediate_size": 16, "num_heads": 2, "out_hidden_size": 16}
    config = Qwen2_5_VLConfig(text_config=text, vision_config=vision)
    vae = AutoencoderKLQwenImage(
        base_dim=24,
        z_dim=4,
        dim_mult=[1, 2, 4],
        num_res_blocks=1,
        temperal_downsample=[False, True],
        latents_mean=[0.0] * 4,
        latents_std=[1.0] * 4,
    )
    transformer = QwenImageTransformer2DModel(
        in_channels=16,
        out_channels=4,
        num_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=16,
        axes_dims_rope=(8, 4, 4),
    )
    QwenImagePipeline(
        transformer=transformer.eval(),
        vae=vae.eval(),
        text_encoder=Qwen2_5_VLForConditionalGeneration(config).eval(),
        tokenizer=tokenizer,
        scheduler=FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True),
    ).save_pretrained(folder)
    return folder


FAMILIES = {
    "pixart": (pixart, {"call": {"use_resolution_binning": False}}),
    "qwen": (qwen, {}),
    "qwen, negative": (qwen, {"negative_prompt": "old"}),
}


@pytest.mark.parametrize("name", FAMILIES)
def test_generator__prompts_of_other_families(name: str, tiny: ModuleType, tmp_path: Path) -> None:
    make, settings = FAMILIES[name]
    folder = make(tiny, tmp_path / "model")
    generator = DiffusersGenerator(str(folder), steps=2, size=32, dtype="float32", batch_size=2, **settings)
    planned = [planned_record("cup", seed, generator, text) for seed, text in enumerate((SHORT, LONG), 1)]
    done = generator(planned)
    assert [row.error for row in done] == [None, None]
    assert done[0].image != done[1].image
