"""Families whose prompts are unlike Stable Diffusion's: a default negative prompt, masks that are None, true CFG.

Some give what their ``encode_prompt`` makes in a form of their own, or have none, and read their prompts themselves.
"""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from divergen_gen import DiffusersGenerator
from divergen_gen.testing import planned_record
from divergen_records import ConfigError, WeightsError

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


def qwen_tokenizer(folder: Path) -> Any:
    from transformers import Qwen2Tokenizer

    words = folder.with_name("qwen-words")
    words.mkdir()
    letters = [chr(code) for code in [*range(33, 127), *range(161, 173), *range(174, 512)]]
    vocabulary = {letter: number for number, letter in enumerate([*letters, "<|endoftext|>"])}
    (words / "vocab.json").write_text(json.dumps(vocabulary))
    (words / "merges.txt").write_text("#version: 0.2\n")
    tokenizer = Qwen2Tokenizer.from_pretrained(words)
    tokenizer.chat_template = "{% for one in messages %}{{ one['content'] }}{% endfor %}"
    return tokenizer


def qwen(_: ModuleType, folder: Path) -> Path:
    import torch
    from diffusers import (
        AutoencoderKLQwenImage,
        FlowMatchEulerDiscreteScheduler,
        QwenImagePipeline,
        QwenImageTransformer2DModel,
    )
    from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

    torch.manual_seed(8)
    tokenizer = qwen_tokenizer(folder)
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


def hunyuan_dit(tiny: ModuleType, folder: Path) -> Path:
    """Two encoders, each read by a call of its own."""
    from diffusers import AutoencoderKL, DDPMScheduler, HunyuanDiT2DModel, HunyuanDiTPipeline
    from transformers import BertConfig, BertModel, BertTokenizer

    words = folder.with_name("bert-words.txt")
    words.write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *tiny.WORDS]))
    bert = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    t5 = tiny.t5_tokenizer()
    transformer = HunyuanDiT2DModel(
        sample_size=16,
        num_layers=2,
        patch_size=2,
        attention_head_dim=8,
        num_attention_heads=3,
        in_channels=4,
        cross_attention_dim=32,
        cross_attention_dim_t5=32,
        pooled_projection_dim=16,
        hidden_size=24,
    )
    vae = AutoencoderKL(
        block_out_channels=(8,) * 4,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        norm_num_groups=4,
    )
    HunyuanDiTPipeline(
        transformer=transformer.eval(),
        vae=vae.eval(),
        scheduler=DDPMScheduler(),
        text_encoder=BertModel(BertConfig(vocab_size=64, **bert)).eval(),
        tokenizer=BertTokenizer(str(words), model_max_length=77),
        text_encoder_2=tiny.t5_text(t5),
        tokenizer_2=t5,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(folder)
    return folder


def z_image(tiny: ModuleType, folder: Path) -> Path:
    """Embeddings are a list, each of its own length."""
    from diffusers import FlowMatchEulerDiscreteScheduler, ZImagePipeline, ZImageTransformer2DModel

    transformer = ZImageTransformer2DModel(
        in_channels=4,
        dim=32,
        n_layers=2,
        n_refiner_layers=1,
        n_heads=2,
        n_kv_heads=2,
        cap_feat_dim=16,
        axes_dims=[8, 4, 4],
        axes_lens=[2048, 64, 64],
    )
    for token in (transformer.x_pad_token, transformer.cap_pad_token):
        token.data.fill_(1)
    tokenizer = qwen_tokenizer(folder)
    ZImagePipeline(
        transformer=transformer.eval(),
        vae=tiny.autoencoder(shift_factor=0.1),
        scheduler=FlowMatchEulerDiscreteScheduler(),
        text_encoder=qwen3(tokenizer, layers=2).model,
        tokenizer=tokenizer,
    ).save_pretrained(folder)
    return folder


def qwen3(tokenizer: Any, layers: int) -> Any:
    from transformers import Qwen3Config, Qwen3ForCausalLM

    config = Qwen3Config(
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=layers,
        num_attention_heads=2,
        num_key_value_heads=2,
        vocab_size=len(tokenizer) + 8,
        max_position_embeddings=512,
    )
    return Qwen3ForCausalLM(config).eval()


def flux_2_klein(_: ModuleType, folder: Path) -> Path:
    """Guided, by an empty negative prompt, though nothing takes a negative prompt."""
    from diffusers import (
        AutoencoderKLFlux2,
        FlowMatchEulerDiscreteScheduler,
        Flux2KleinPipeline,
        Flux2Transformer2DModel,
    )

    transformer = Flux2Transformer2DModel(
        patch_size=1,
        in_channels=16,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=48,
        axes_dims_rope=[4, 4, 4, 4],
        guidance_embeds=False,
    )
    vae = AutoencoderKLFlux2(
        block_out_channels=(4, 8),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=1,
    )
    tokenizer = qwen_tokenizer(folder)
    Flux2KleinPipeline(
        transformer=transformer.eval(),
        vae=vae.eval(),
        scheduler=FlowMatchEulerDiscreteScheduler(),
        text_encoder=qwen3(tokenizer, layers=28),
        tokenizer=tokenizer,
    ).save_pretrained(folder)
    return folder


def chroma(tiny: ModuleType, folder: Path) -> Path:
    """Returns ids of the text between embeddings and mask."""
    from diffusers import ChromaPipeline, ChromaTransformer2DModel, FlowMatchEulerDiscreteScheduler

    transformer = ChromaTransformer2DModel(
        patch_size=1,
        in_channels=16,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=32,
        axes_dims_rope=[4, 4, 8],
        approximator_hidden_dim=32,
        approximator_layers=1,
        approximator_num_channels=16,
    )
    t5 = tiny.t5_tokenizer()
    ChromaPipeline(
        transformer=transformer.eval(),
        vae=tiny.autoencoder(shift_factor=0.1),
        scheduler=FlowMatchEulerDiscreteScheduler(),
        text_encoder=tiny.t5_text(t5),
        tokenizer=t5,
    ).save_pretrained(folder)
    return folder


def movq(levels: int = 2) -> Any:
    from diffusers import VQModel

    return VQModel(
        block_out_channels=[32] * levels,
        down_block_types=["DownEncoderBlock2D"] * levels,
        up_block_types=["UpDecoderBlock2D"] * levels,
        latent_channels=4,
        norm_num_groups=8,
        norm_type="spatial",
        num_vq_embeddings=12,
        vq_embed_dim=4,
    ).eval()


def kandinsky_22(tiny: ModuleType, folder: Path) -> Path:
    """Prior and decoder in one, which cannot be loaded by halves."""
    from diffusers import DDIMScheduler, KandinskyV22CombinedPipeline, PriorTransformer, UnCLIPScheduler
    from transformers import CLIPImageProcessor, CLIPVisionConfig, CLIPVisionModelWithProjection

    words = tiny.clip_tokenizer(folder.with_name("clip-words"))
    prior = PriorTransformer(
        num_attention_heads=2, attention_head_dim=12, embedding_dim=32, num_layers=1, num_embeddings=tiny.TOKENS
    )
    prior.clip_std.data.fill_(1)
    vision = CLIPVisionConfig(
        hidden_size=32, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2, projection_dim=32
    )
    unet = tiny.unet(
        32,
        out_channels=8,
        addition_embed_type="image",
        down_block_types=("ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"),
        mid_block_type="UNetMidBlock2DSimpleCrossAttn",
        up_block_types=("SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"),
        encoder_hid_dim=32,
        encoder_hid_dim_type="image_proj",
        resnet_time_scale_shift="scale_shift",
    )
    KandinskyV22CombinedPipeline(
        unet=unet,
        scheduler=DDIMScheduler(clip_sample=False),
        movq=movq(),
        prior_prior=prior.eval(),
        prior_image_encoder=CLIPVisionModelWithProjection(vision).eval(),
        prior_text_encoder=tiny.clip_text(words, projection=32),
        prior_tokenizer=words,
        prior_scheduler=UnCLIPScheduler(variance_type="fixed_small_log", prediction_type="sample"),
        prior_image_processor=CLIPImageProcessor(),
    ).save_pretrained(folder)
    return folder


def kandinsky_3(tiny: ModuleType, folder: Path) -> Path:
    """Its mask of the prompt is called otherwise."""
    from diffusers import DDPMScheduler, Kandinsky3Pipeline, Kandinsky3UNet

    t5 = tiny.t5_tokenizer()
    unet = Kandinsky3UNet(
        time_embedding_dim=4,
        groups=2,
        attention_head_dim=4,
        block_out_channels=(32, 64),
        cross_attention_dim=4,
        encoder_hid_dim=32,
    )
    Kandinsky3Pipeline(
        unet=unet.eval(), scheduler=DDPMScheduler(), movq=movq(4), text_encoder=tiny.t5_text(t5), tokenizer=t5
    ).save_pretrained(folder)
    return folder


def sd3_without_t5(tiny: ModuleType, folder: Path) -> Path:
    from diffusers import StableDiffusion3Pipeline

    whole = tiny.stable_diffusion_3(folder.with_name("with-t5"))
    StableDiffusion3Pipeline.from_pretrained(whole, text_encoder_3=None, tokenizer_3=None).save_pretrained(folder)
    return folder


TINY: dict[str, Any] = {"steps": 2, "size": 32, "dtype": "float32", "batch_size": 2}
FAMILIES: dict[str, Any] = {
    "pixart": (pixart, {"call": {"use_resolution_binning": False}}),
    "qwen": (qwen, {}),
    "qwen, negative": (qwen, {"negative_prompt": "old"}),
    "hunyuan": (hunyuan_dit, {"call": {"use_resolution_binning": False}}),
    "z-image": (z_image, {}),
    "flux 2 klein": (flux_2_klein, {}),
    "chroma": (chroma, {}),
    "kandinsky 2.2": (kandinsky_22, {}),
    "kandinsky 3": (kandinsky_3, {"size": 64}),
    "sd3 without t5": (sd3_without_t5, {}),
}


@pytest.mark.parametrize("name", FAMILIES)
def test_generator__prompts_of_other_families(name: str, tiny: ModuleType, tmp_path: Path) -> None:
    make, settings = FAMILIES[name]
    folder = make(tiny, tmp_path / "model")
    generator = DiffusersGenerator(str(folder), **{**TINY, **settings})
    planned = [planned_record("cup", seed, generator, text) for seed, text in enumerate((SHORT, LONG), 1)]
    done = generator(planned)
    assert [row.error for row in done] == [None, None]
    assert done[0].image != done[1].image


def test_generator__a_size_that_the_model_does_not_make(tiny: ModuleType, tmp_path: Path) -> None:
    generator = DiffusersGenerator(str(kandinsky_3(tiny, tmp_path / "model")), **TINY)
    with pytest.raises(ConfigError, match=r"size=32x32: the model makes pictures of 64x64 .*set size=64x64"):
        generator([planned_record("cup", 1, generator)])


def test_generator__half_of_a_model_names_what_it_lacks(tiny: ModuleType, tmp_path: Path) -> None:
    from diffusers import KandinskyV22CombinedPipeline, KandinskyV22Pipeline

    whole = KandinskyV22CombinedPipeline.from_pretrained(kandinsky_22(tiny, tmp_path / "model"))
    KandinskyV22Pipeline(unet=whole.unet, scheduler=whole.scheduler, movq=whole.movq).save_pretrained(tmp_path / "half")
    generator = DiffusersGenerator(str(tmp_path / "half"), **TINY)
    with pytest.raises(WeightsError, match=r"lacks the prior_image_encoder, .* that a KandinskyV22CombinedPipeline is"):
        generator([planned_record("cup", 1, generator)])


def test_generator__films_are_no_pictures(tiny: ModuleType, tmp_path: Path) -> None:
    from diffusers import AutoencoderKLWan, FlowMatchEulerDiscreteScheduler, WanPipeline, WanTransformer3DModel

    t5 = tiny.t5_tokenizer()
    transformer = WanTransformer3DModel(
        num_attention_heads=2, attention_head_dim=12, text_dim=32, ffn_dim=32, num_layers=1, rope_max_seq_len=32
    )
    vae = AutoencoderKLWan(base_dim=3, dim_mult=[1, 1, 1, 1], num_res_blocks=1)
    WanPipeline(
        transformer=transformer.eval(),
        vae=vae.eval(),
        scheduler=FlowMatchEulerDiscreteScheduler(),
        text_encoder=tiny.t5_text(t5),
        tokenizer=t5,
    ).save_pretrained(tmp_path / "model")
    generator = DiffusersGenerator(str(tmp_path / "model"), **TINY, call={"num_frames": 1})
    with pytest.raises(ConfigError, match="WanPipeline makes frames, no pictures"):
        generator([planned_record("cup", 1, generator)])
