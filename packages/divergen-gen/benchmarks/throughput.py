"""Pictures per second of the Stable Diffusion 1.5 architecture (random weights) against plain diffusers calls.

Needs a GPU: python packages/divergen-gen/benchmarks/throughput.py
Elsewhere --toy runs the same with a tiny model, to see that it works; its numbers mean nothing.
"""

import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import click
import kill_generate
from divergen_gen import DiffusersGenerator, plan
from divergen_records import PromptRecord


def make_model(folder: Path) -> Path:
    """Stable Diffusion 1.5 as it is configured, with weights that never learned and the tests' small vocabulary."""
    import torch
    from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    tokenizer = StableDiffusionPipeline.from_pretrained(kill_generate.make_model(folder / "tiny")).tokenizer
    torch.manual_seed(0)
    text = CLIPTextConfig(
        vocab_size=49408,
        hidden_size=768,
        intermediate_size=3072,
        num_hidden_layers=12,
        num_attention_heads=12,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    tokenizer.model_max_length = 77
    StableDiffusionPipeline(
        vae=AutoencoderKL(
            block_out_channels=(128, 256, 512, 512),
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            layers_per_block=2,
            sample_size=512,
        ),
        text_encoder=CLIPTextModel(text),
        tokenizer=tokenizer,
        unet=UNet2DConditionModel(
            cross_attention_dim=768, sample_size=64, block_out_channels=(320, 640, 1280, 1280), attention_head_dim=8
        ),
        scheduler=DDIMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(folder / "sd15")
    return folder / "sd15"


def plain(model: Path, batch: int, count: int, settings: dict[str, Any], device: str, compiled: bool) -> float:
    """Pictures per second of `pipe(prompts)`, encoded as JPEG after each batch."""
    import numpy as np
    import torch
    from diffusers import StableDiffusionPipeline
    from divergen_records.images import encode_image

    pipe = StableDiffusionPipeline.from_pretrained(model, dtype=getattr(torch, settings["dtype"])).to(device)
    pipe.set_progress_bar_config(disable=True)
    if compiled:
        pipe.unet = torch.compile(pipe.unet)
    size = settings["size"]

    def draw() -> None:
        sources = [torch.Generator("cpu").manual_seed(seed) for seed in range(batch)]
        images = pipe(
            ["a red cup"] * batch, generator=sources, num_inference_steps=settings["steps"], height=size, width=size
        ).images
        for image in images:
            encode_image(np.asarray(image))

    draw()
    start = time.perf_counter()
    for _ in range(count // batch):
        draw()
    return count // batch * batch / (time.perf_counter() - start)


def ours(
    model: Path, batch: int, count: int, settings: dict[str, Any], device: str, compiled: bool
) -> tuple[float, float]:
    """Pictures per second, and the device's share of the time."""
    generator = DiffusersGenerator(str(model), batch_size=batch, device=device, compile=compiled, **settings)
    prompts = [PromptRecord(text=f"a {c} cup", category_id=1, category="cup", source="t") for c in ("red", "blue")]
    records = list(plan(prompts, [generator], counts=count + batch))
    generator(records[:batch])
    device_before, wall_before = generator.device_seconds, generator.wall_seconds
    start = time.perf_counter()
    made = generator(records[batch:])
    rate = len(made) / (time.perf_counter() - start)
    spent = generator.wall_seconds - wall_before
    return rate, (generator.device_seconds - device_before) / spent


@click.command(help=__doc__)
@click.option("--toy", is_flag=True, help="A tiny model on the CPU.")
@click.option("--steps", default=30, show_default=True, help="Denoising steps.")
@click.option("--pictures", default=64, show_default=True, help="Pictures of a measurement.")
def main(toy: bool, steps: int, pictures: int) -> None:
    import torch

    warnings.simplefilter("ignore")
    if not (toy or torch.cuda.is_available()):
        click.echo("no GPU here; --toy shows that it works")
        return
    device, sizes = ("cpu", (1, 4)) if toy else ("cuda", (1, 8, 32))
    settings = {"steps": 2 if toy else steps, "size": 32 if toy else 512, "dtype": "float32" if toy else "float16"}
    count = 8 if toy else pictures
    with tempfile.TemporaryDirectory() as temporary:
        model = kill_generate.make_model(Path(temporary) / "m") if toy else make_model(Path(temporary))
        click.echo("batch  compiled  diffusers/s  divergen-gen/s  device share")
        for compiled in (False,) if toy else (False, True):
            for batch in sizes:
                first = plain(model, batch, count, settings, device, compiled)
                rate, share = ours(model, batch, count, settings, device, compiled)
                click.echo(f"{batch:5d}  {compiled!s:8s}  {first:11.2f}  {rate:14.2f}  {share:12.1%}")


if __name__ == "__main__":
    main()
