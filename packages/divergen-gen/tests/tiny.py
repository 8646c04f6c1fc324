"""Tiny pipelines of the real classes, with fixed random weights, saved as the hub saves them; nothing is downloaded.

As a script: python tests/tiny.py sd model_folder
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

WORDS = ["a", "photo", "of", "single", "one", "red", "blue", "cup", "teapot", "car", "in", "the", "white", "background"]
WORDS += ["old", "small", "metal", "with", "on"]
TOKENS = 16
"""Longest prompt of the tiny CLIP models, tokens."""


def clip_tokenizer(folder: Path) -> Any:
    """A byte-level BPE tokenizer as CLIP's: all characters, and the words above as one token each."""
    from transformers import CLIPTokenizer

    letters = [chr(code) for code in [*range(33, 127), *range(161, 173), *range(174, 256)]]
    vocab = [*letters, *(letter + "</w>" for letter in letters)]
    merges: list[tuple[str, str]] = []
    for word in WORDS:
        parts = [*word[:-1], word[-1] + "</w>"]
        while len(parts) > 1:
            pair = (parts[0], parts[1])
            if pair not in merges:
                merges.append(pair)
                vocab.append(pair[0] + pair[1])
            parts = [pair[0] + pair[1], *parts[2:]]
    vocab = list(dict.fromkeys([*vocab, "<|startoftext|>", "<|endoftext|>"]))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps({token: i for i, token in enumerate(vocab)}))
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *(f"{a} {b}" for a, b in merges)]))
    return CLIPTokenizer.from_pretrained(folder, model_max_length=TOKENS)


def clip_text(tokenizer: Any, width: int = 32, *, projection: int | None = None) -> Any:
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=TOKENS,
        projection_dim=projection or width,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return (CLIPTextModelWithProjection if projection else CLIPTextModel)(config).eval()


def t5_tokenizer() -> Any:
    """A Unigram tokenizer as T5's: characters and the words above."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers import T5TokenizerFast

    pieces = ["<pad>", "</s>", "<unk>", "▁", *(f"▁{word}" for word in WORDS), *map(chr, range(33, 127))]
    backend = Tokenizer(models.Unigram([(piece, -float(i)) for i, piece in enumerate(pieces)], unk_id=2))
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    backend.decoder = decoders.Metaspace()
    backend.post_processor = processors.TemplateProcessing("$A </s>", special_tokens=[("</s>", 1)])
    return T5TokenizerFast(tokenizer_object=backend, extra_ids=0, model_max_length=77)


def t5_text(tokenizer: Any, width: int = 32) -> Any:
    from transformers import T5Config, T5EncoderModel

    config = T5Config(
        vocab_size=len(tokenizer),
        d_model=width,
        d_kv=8,
        d_ff=2 * width,
        num_layers=2,
        num_heads=2,
        pad_token_id=0,
        eos_token_id=1,
        tie_word_embeddings=False,
    )
    return T5EncoderModel(config).eval()


def autoencoder(**changes: Any) -> Any:
    from diffusers import AutoencoderKL

    return AutoencoderKL(
        block_out_channels=(8, 16),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        latent_channels=4,
        norm_num_groups=4,
        layers_per_block=1,
        sample_size=32,
        **changes,
    ).eval()


def unet(context: int = 32, **changes: Any) -> Any:
    from diffusers import UNet2DConditionModel

    settings: dict[str, Any] = {
        "block_out_channels": (8, 16),
        "layers_per_block": 1,
        "sample_size": 16,
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
        "cross_attention_dim": context,
        "attention_head_dim": 4,
        "norm_num_groups": 4,
    }
    made = UNet2DConditionModel(**{**settings, **changes}).eval()
    for name, parameter in made.named_parameters():
        if "attn2.to_" in name or "attentions.0.to_out" in name or "add_v_proj" in name:
            parameter.data *= 4  # so that prompts matter to weights that never learned
    return made


def stable_diffusion(folder: Path, **changes: Any) -> Path:
    from diffusers import DDIMScheduler, StableDiffusionPipeline

    _seed(0)
    tokenizer = clip_tokenizer(folder / "tokenizer")
    parts: dict[str, Any] = {
        "vae": autoencoder(),
        "text_encoder": clip_text(tokenizer),
        "tokenizer": tokenizer,
        "unet": unet(),
        "scheduler": DDIMScheduler(
            beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False, steps_offset=1
        ),
        "safety_checker": None,
        "feature_extractor": None,
        "requires_safety_checker": False,
    }
    StableDiffusionPipeline(**{**parts, **changes}).save_pretrained(folder)
    return folder


def layered_diffusion(folder: Path) -> Path:
    """A pipeline whose pictures have a fourth channel, as a transparent decoder's have."""
    _seed(5)
    return stable_diffusion(folder, vae=autoencoder(out_channels=4))


def stable_diffusion_xl(folder: Path) -> Path:
    from diffusers import EulerDiscreteScheduler, StableDiffusionXLPipeline

    _seed(1)
    tokenizer = clip_tokenizer(folder / "tokenizer")
    StableDiffusionXLPipeline(
        vae=autoencoder(),
        text_encoder=clip_text(tokenizer),
        text_encoder_2=clip_text(tokenizer, projection=32),
        tokenizer=tokenizer,
        tokenizer_2=tokenizer,
        unet=unet(
            64,
            addition_embed_type="text_time",
            addition_time_embed_dim=8,
            projection_class_embeddings_input_dim=6 * 8 + 32,
            transformer_layers_per_block=(1, 1),
            use_linear_projection=True,
        ),
        scheduler=EulerDiscreteScheduler(beta_schedule="scaled_linear", timestep_spacing="leading", steps_offset=1),
        add_watermarker=False,
    ).save_pretrained(folder)
    return folder


def ip_adapter(folder: Path, model: Path, name: str = "ip-adapter_sd15.safetensors") -> Path:
    """An IP-Adapter for a tiny model with a unet, as its authors' repository lies on the hub."""
    import torch
    from diffusers import UNet2DConditionModel
    from safetensors.torch import save_file
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    _seed(6)
    net = UNet2DConditionModel.from_pretrained(model, subfolder="unet")
    width, tokens, vision = int(net.config.cross_attention_dim), 4, 16
    state = {
        "image_proj.proj.weight": torch.randn(tokens * width, vision),
        "image_proj.proj.bias": torch.zeros(tokens * width),
        "image_proj.norm.weight": torch.ones(width),
        "image_proj.norm.bias": torch.zeros(width),
    }
    crossing = [key for key in net.attn_processors if key.endswith("attn2.processor")]
    for number, key in enumerate(crossing):
        inner = net.get_submodule(key.removesuffix(".processor")).to_k.out_features
        for part in ("to_k_ip", "to_v_ip"):
            state[f"ip_adapter.{2 * number + 1}.{part}.weight"] = torch.randn(inner, width) / 4
    encoder = CLIPVisionConfig(
        hidden_size=32,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=32,
        patch_size=16,
        projection_dim=vision,
    )
    (folder / "models").mkdir(parents=True)
    save_file(state, folder / "models" / name)
    CLIPVisionModelWithProjection(encoder).eval().save_pretrained(folder / "models" / "image_encoder")
    return folder


def stable_diffusion_3(folder: Path) -> Path:
    from diffusers import FlowMatchEulerDiscreteScheduler, SD3Transformer2DModel, StableDiffusion3Pipeline

    _seed(2)
    clip, t5 = clip_tokenizer(folder / "tokenizer"), t5_tokenizer()
    transformer = SD3Transformer2DModel(
        sample_size=16,
        patch_size=2,
        in_channels=4,
        num_layers=1,
        attention_head_dim=8,
        num_attention_heads=2,
        joint_attention_dim=64,
        caption_projection_dim=16,
        pooled_projection_dim=64,
        out_channels=4,
        pos_embed_max_size=16,
    ).eval()
    StableDiffusion3Pipeline(
        transformer=transformer,
        scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=autoencoder(shift_factor=0.1),
        text_encoder=clip_text(clip, projection=32),
        tokenizer=clip,
        text_encoder_2=clip_text(clip, projection=32),
        tokenizer_2=clip,
        text_encoder_3=t5_text(t5, 64),
        tokenizer_3=t5,
    ).save_pretrained(folder)
    return folder


def flux(folder: Path) -> Path:
    from diffusers import FlowMatchEulerDiscreteScheduler, FluxPipeline, FluxTransformer2DModel

    _seed(3)
    clip, t5 = clip_tokenizer(folder / "tokenizer"), t5_tokenizer()
    transformer = FluxTransformer2DModel(
        patch_size=1,
        in_channels=16,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=32,
        pooled_projection_dim=32,
        guidance_embeds=True,
        axes_dims_rope=(4, 4, 8),
    ).eval()
    FluxPipeline(
        transformer=transformer,
        scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=autoencoder(shift_factor=0.1),
        text_encoder=clip_text(clip),
        tokenizer=clip,
        text_encoder_2=t5_text(t5),
        tokenizer_2=t5,
    ).save_pretrained(folder)
    return folder


def deepfloyd(folder: Path) -> tuple[Path, Path]:
    """Stage I (16 px) and stage II (32 px)."""
    from diffusers import DDPMScheduler, IFPipeline, IFSuperResolutionPipeline

    _seed(4)
    tokenizer = t5_tokenizer()
    text = t5_text(tokenizer)
    attention: dict[str, Any] = {
        "down_block_types": ("ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"),
        "mid_block_type": "UNetMidBlock2DSimpleCrossAttn",
        "up_block_types": ("SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"),
        "encoder_hid_dim": 32,
        "resnet_time_scale_shift": "scale_shift",
        "cross_attention_norm": "group_norm",
        "only_cross_attention": True,
        "addition_embed_type": "text",
        "addition_embed_type_num_heads": 2,
        "act_fn": "gelu",
    }
    noise: dict[str, Any] = {
        "beta_schedule": "squaredcos_cap_v2",
        "variance_type": "learned_range",
        "prediction_type": "epsilon",
        "thresholding": True,
        "dynamic_thresholding_ratio": 0.95,
        "sample_max_value": 1.5,
    }
    nothing = {"safety_checker": None, "feature_extractor": None, "watermarker": None, "requires_safety_checker": False}
    IFPipeline(
        tokenizer=tokenizer,
        text_encoder=text,
        unet=unet(32, in_channels=3, out_channels=6, **attention),
        scheduler=DDPMScheduler(**noise),
        **nothing,
    ).save_pretrained(folder / "stage1")
    IFSuperResolutionPipeline(
        tokenizer=tokenizer,
        text_encoder=text,
        unet=unet(32, in_channels=6, out_channels=6, sample_size=32, class_embed_type="timestep", **attention),
        scheduler=DDPMScheduler(**noise),
        image_noising_scheduler=DDPMScheduler(beta_schedule="squaredcos_cap_v2"),
        **nothing,
    ).save_pretrained(folder / "stage2")
    return folder / "stage1", folder / "stage2"


def _seed(number: int) -> None:
    import torch

    torch.manual_seed(number)


MODELS = {
    "sd": stable_diffusion,
    "layered": layered_diffusion,
    "sdxl": stable_diffusion_xl,
    "sd3": stable_diffusion_3,
    "flux": flux,
    "if": deepfloyd,
}

if __name__ == "__main__":
    print(MODELS[sys.argv[1]](Path(sys.argv[2])))
