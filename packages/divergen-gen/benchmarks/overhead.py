"""20 prompts x 50 pictures with a tiny Stable Diffusion, against a loop of `pipe(prompt)` per picture.

Both make the same pictures and store them as JPEG in an instance table. Prints the ratio, the calls of the text encoder
and the share of time outside denoiser and decoder.

OMP_NUM_THREADS=1 python packages/divergen-gen/benchmarks/overhead.py
"""

import tempfile
import time
import warnings
from pathlib import Path

import click
import kill_generate
from divergen_gen import DiffusersGenerator, generate, plan
from divergen_records import InstanceRecord, InstanceTable, PromptRecord
from divergen_records.images import encode_image

SETTINGS = {"height": 64, "width": 64, "num_inference_steps": 8}


class Loop:
    """What one writes first: the pipeline's call for each record."""

    name, revision = "loop", "loop-1"

    def __init__(self, model: Path) -> None:
        import torch
        from diffusers import StableDiffusionPipeline

        self.pipe = StableDiffusionPipeline.from_pretrained(model, dtype=torch.float32)
        self.pipe.set_progress_bar_config(disable=True)

    def __call__(self, records: list[InstanceRecord]) -> list[InstanceRecord]:
        return [self._one(record) for record in records]

    def _one(self, record: InstanceRecord) -> InstanceRecord:
        import numpy as np
        import torch

        source = torch.Generator("cpu").manual_seed(record.seed)
        image = np.asarray(self.pipe(record.prompt, generator=source, **SETTINGS).images[0])
        stored = {"image": encode_image(image), "image_format": "jpeg", "width": 64, "height": 64}
        return record.model_copy(update=stored)


def count_encodes() -> list[int]:
    """Grows with every call of a text encoder."""
    from transformers import CLIPTextModel

    calls: list[int] = []
    original = CLIPTextModel.forward

    def forward(self: object, *args: object, **kwargs: object) -> object:
        calls.append(1)
        return original(self, *args, **kwargs)

    CLIPTextModel.forward = forward
    return calls


@click.command(help=__doc__)
@click.option("--prompts", default=20, show_default=True, help="Prompts.")
@click.option("--each", default=50, show_default=True, help="Pictures of each.")
@click.option("--batch-size", default=16, show_default=True, help="Pictures at a time.")
def main(prompts: int, each: int, batch_size: int) -> None:
    warnings.simplefilter("ignore")
    calls = count_encodes()
    written = [
        PromptRecord(text=f"a {'old ' * (i % 5)}{'red ' * (i // 5)}cup", category_id=1, category="cup", source="t")
        for i in range(prompts)
    ]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        model = kill_generate.make_model(folder / "model")
        ours = DiffusersGenerator(str(model), steps=8, size=64, dtype="float32", batch_size=batch_size, device="cpu")
        spent = {}
        for generator in (ours, Loop(model)):
            planned = plan(written, [generator], counts=prompts * each)
            calls.clear()
            table = InstanceTable.create(folder / f"{generator.name}.lance")
            wall, cpu = time.perf_counter(), time.process_time()
            generate(table, planned, [generator], progress=False)
            spent[generator.name] = time.process_time() - cpu
            wall = time.perf_counter() - wall
            made = table.count("image IS NOT NULL")
            click.echo(
                f"{generator.name:10s} {made} pictures, {wall:6.1f} s, {spent[generator.name]:6.1f} s of CPU time, "
                f"{len(calls)} calls of the text encoder"
            )
    click.echo(f"ratio of CPU time: {spent['loop'] / spent['diffusers']:.2f}")
    outside = 1 - ours.device_seconds / ours.wall_seconds
    click.echo(f"outside denoiser and decoder, loading and prompts aside: {outside:.1%} of wall time")


if __name__ == "__main__":
    main()
