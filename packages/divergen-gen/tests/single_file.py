"""A tiny Stable Diffusion as a single checkpoint, with the tensors' names that the authors' code gives them."""

from __future__ import annotations

import re
from pathlib import Path

LAYERS = 1
"""Residual blocks of a level in `tiny.unet`."""

RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
VAE = {"conv_shortcut": "nin_shortcut", "conv_norm_out": "norm_out", "mid_block.attentions.0": "mid.attn_1"}
VAE |= {"mid_block.resnets.0": "mid.block_1", "mid_block.resnets.1": "mid.block_2", "group_norm": "norm"}
VAE |= {"to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}
WHOLE = {
    "conv_in": "input_blocks.0.0",
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
}


def single_file(folder: Path, out: Path) -> Path:
    """Write the weights of a folder in the hub's layout as one safetensors file."""
    from safetensors.torch import load_file, save_file

    unet = load_file(folder / "unet" / "diffusion_pytorch_model.safetensors")
    vae = load_file(folder / "vae" / "diffusion_pytorch_model.safetensors")
    text = load_file(folder / "text_encoder" / "model.safetensors")
    tensors = {f"model.diffusion_model.{_unet(name, unet)}": tensor for name, tensor in unet.items()}
    tensors |= {f"first_stage_model.{_vae(name)}": tensor for name, tensor in vae.items()}
    tensors |= {
        f"cond_stage_model.transformer.text_model.{name.removeprefix('text_model.')}": tensor
        for name, tensor in text.items()
    }
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, out)
    return out


def _unet(name: str, names: object) -> str:
    for ours, theirs in WHOLE.items():
        if name.startswith(f"{ours}."):
            return name.replace(ours, theirs, 1)
    if found := re.match(r"mid_block\.(resnets|attentions)\.(\d)\.(.*)", name):
        place = 1 if found[1] == "attentions" else 2 * int(found[2])
        return f"middle_block.{place}.{_resnet(found[3])}"
    found = re.match(r"(down|up)_blocks\.(\d)\.(\w+)\.(\d)\.(.*)", name)
    assert found, name
    half, level, kind, at, rest = found[1], int(found[2]), found[3], int(found[4]), found[5]
    first = level * (LAYERS + 1)
    if kind == "downsamplers":
        return f"input_blocks.{first + LAYERS + 1}.0.{rest.replace('conv', 'op')}"
    if kind == "upsamplers":
        attends = any(str(one).startswith(f"up_blocks.{level}.attentions") for one in names)  # type: ignore[attr-defined]
        return f"output_blocks.{first + LAYERS}.{2 if attends else 1}.{rest}"
    block = f"input_blocks.{first + at + 1}" if half == "down" else f"output_blocks.{first + at}"
    return f"{block}.{int(kind == 'attentions')}.{_resnet(rest)}"


def _resnet(rest: str) -> str:
    part, dot, tail = rest.partition(".")
    return RESNET.get(part, part) + dot + tail


def _vae(name: str) -> str:
    for ours, theirs in VAE.items():
        name = name.replace(ours, theirs)
    name = re.sub(r"down_blocks\.(\d)\.resnets", r"down.\1.block", name)
    name = re.sub(r"down_blocks\.(\d)\.downsamplers\.0", r"down.\1.downsample", name)
    name = re.sub(r"up_blocks\.(\d)\.resnets", lambda m: f"up.{1 - int(m[1])}.block", name)
    return re.sub(r"up_blocks\.(\d)\.upsamplers\.0", lambda m: f"up.{1 - int(m[1])}.upsample", name)
