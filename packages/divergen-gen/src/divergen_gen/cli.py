"""The command `divergen-gen`."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from divergen_records.command import Group, answer, echo, next_step, note
from divergen_records.data_options import on_problem_option, open_dataset
from divergen_records.formats import OnProblem
from divergen_records.losses import Losses, finish, finish_rows, losses_options
from divergen_records.stores.arguments import AddressPath

__all__ = ["main"]


@click.group(cls=Group)
@click.version_option(package_name="divergen-gen")
def main() -> None:
    """Prompts to pictures: plan what to generate, generate it into an instance table, look at it.

    \b
    A generator is given as its kind and settings:
      -g diffusers,name=sd15,model=FOLDER_OR_HUB_ID,steps=30,size=512
      -g if,stage1=DeepFloyd/IF-I-XL-v1.0,stage2=DeepFloyd/IF-II-L-v1.0,swap=true
      -g diffusers,model=CHECKPOINT.safetensors,config=FOLDER_OR_HUB_ID
      -g 'diffusers,model=FOLDER_OR_HUB_ID,image={from: real-crops, strength: 0.6}' --crops train.json
      -g openai-images,model=gpt-image-1,price_picture=0.011,max_cost=5
      -g comfyui,workflow=WORKFLOW_WITH_{prompt}.json,base_url=http://127.0.0.1:8188
      -g procedural,name=cgi,style=cgi                  with divergen-minilvis installed
    Several -g share each category's pictures.
    """


def _plan_options(command: Any) -> Any:
    for option in reversed(
        [
            click.argument("prompts", type=click.Path(exists=True, dir_okay=False, path_type=Path)),
            click.option(
                "-g",
                "--generator",
                "generators",
                multiple=True,
                required=True,
                help="KIND[,KEY=VALUE…]; once per generator.",
            ),
            click.option(
                "--dataset",
                type=click.Path(exists=True, dir_okay=False, path_type=Path),
                help="LVIS or COCO file whose categories to generate for; without it, those of the prompts.",
            ),
            click.option(
                "--per-category", type=click.IntRange(0), help="Pictures for each category; 4 without any count."
            ),
            click.option("--per-frequency", metavar="r=N,c=N,f=N", help="Pictures for each category of a group."),
            click.option("--total", type=click.IntRange(0), help="Pictures over all; the rarest get most."),
            click.option("--floor", type=click.IntRange(0), default=0, help="With --total: at least so many for each."),
            click.option("--weight", "weights", multiple=True, metavar="NAME=W", help="Share of a generator."),
            click.option("--seed", type=int, default=0, show_default=True, help="Seed of the run."),
            click.option(
                "--crops",
                type=click.Path(exists=True, path_type=Path),
                help="Data set whose objects pictures stay near, where a generator has image={from: real-crops}.",
            ),
            click.option(
                "--images",
                type=click.Path(exists=True, file_okay=False, path_type=Path),
                help="Folder of its pictures.",
            ),
            on_problem_option,
        ]
    ):
        command = option(command)
    return command


@main.command()
@_plan_options
@click.option("--dry-run", is_flag=True, help="Also estimate time and disk from a few pictures made now.")
@click.option("--rate", "rates", multiple=True, metavar="[NAME=]R", help="Pictures per second, instead of measuring.")
@click.option(
    "--picture-kb", type=click.FloatRange(0, min_open=True), help="Size of a picture; with --rate nothing is loaded."
)
@click.option("--devices", type=click.IntRange(1), default=1, show_default=True, help="Devices that share the work.")
def plan(dry_run: bool, rates: Sequence[str], picture_kb: float | None, devices: int, **options: Any) -> None:
    """Print how many pictures there will be of what; makes none of them.

    \b
    Example:
      divergen-gen plan prompts.jsonl --dataset train.json --per-frequency r=50,c=20 -g procedural --dry-run
    """
    from .command import make_plan, plan_tables

    planned, configs = make_plan(**options)
    answer(pictures=len(planned), per_category=planned.per_category())
    echo(plan_tables(planned))
    if dry_run:
        from .command import estimate_table

        echo(estimate_table(planned, configs, rates=rates, picture_kb=picture_kb, devices=devices))


@main.command()
@_plan_options
@click.option("--table", required=True, type=AddressPath(), help="Instance table, s3://… too; made if it is not there.")
@click.option("--shard", help="i/n: do part i of n; under torchrun, each process does its own part without it.")
@click.option(
    "--batch-size",
    type=click.IntRange(1),
    default=16,
    show_default=True,
    help="Pictures at a time; a diffusion model has its own batch_size.",
)
@losses_options
def run(table: Path, shard: str | None, batch_size: int, **options: Any) -> None:
    """Make the planned pictures that the table lacks; killed at any time, run it again and it continues.

    \b
    Example:
      divergen-gen run prompts.jsonl --table instances.lance --per-category 20 \\
        -g procedural,name=photo,style=photo -g procedural,name=cgi,style=cgi

    \b
    On four GPUs, one process each, into the same table:
      torchrun --nproc-per-node 4 --no-python divergen-gen run prompts.jsonl --table instances.lance \\
        --per-category 1000 -g diffusers,model=stable-diffusion-v1-5/stable-diffusion-v1-5
    """
    from divergen_records import InstanceTable, Shard

    from .command import build, make_plan
    from .execution import account_file, generate, shard_from_environment, truncations_file
    from .protocol import PaidGenerator

    planned, configs = make_plan(**options)
    part = Shard.parse(shard) if shard else shard_from_environment()
    instances = InstanceTable.create(table, exist_ok=True)
    models = build(configs)
    reports = generate(instances, planned, models, shard=part, batch_size=batch_size)
    answer(table=table, generators=reports)
    for model, report in zip(models, reports, strict=True):
        echo(
            f"{report.name}: {report.done} made, {report.failed} failed, {report.skipped} were there, "
            f"{report.seconds:.1f} s"
        )
        if isinstance(model, PaidGenerator) and model.note():
            echo(f"  {model.note()} ({account_file(instances)})")
    if truncations_file(instances).exists():
        echo(f"  some prompts are longer than a model reads: {truncations_file(instances)}")
    next_step("divergen-annotate", "table", table)
    if instances.count("error_stage = 'gen'"):
        again = shlex.join(("divergen-records", "table", "retry", str(table), "--stage", "gen"))
        note(f"failed rows stay as they are; {again}, then this command, makes them again")
    finish_rows(instances, "width IS NULL")


@main.command()
@_plan_options
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="A .jpg or .png file.")
@click.option("-c", "--category", "categories", multiple=True, help="Category to show; the first six without it.")
@click.option("--each", type=click.IntRange(1), default=3, show_default=True, help="Pictures per cell.")
@click.option("--overwrite", is_flag=True, help="Replace OUT.")
@losses_options
def preview(out: Path, categories: Sequence[str], each: int, overwrite: bool, **options: Any) -> None:
    """A contact sheet: a few categories, the generators side by side.

    \b
    Example:
      divergen-gen preview prompts.jsonl --out sheet.jpg -c teapot -c bicycle \\
        -g procedural,name=photo,style=photo -g procedural,name=watercolor,style=watercolor
    """
    from .command import build, make_plan, write_sheet

    options["per_category"] = options["per_category"] or each * len(options["generators"])
    planned, configs = make_plan(**options)
    shown = list(categories) or list(planned.per_category())[:6]
    losses = Losses()
    made = write_sheet(out, planned.only(categories=shown), build(configs), each, overwrite, losses)
    answer(out=out, pictures=made)
    echo(out)
    finish(losses, came=made, went=made - len(losses), out=out)


@main.command()
@click.argument("dataset", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--images", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Folder of its pictures.")
@click.option("--model", required=True, help="Stable Diffusion 1.x: a hub id, or a folder in the hub's layout.")
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="Folder of the weights.")
@click.option("-c", "--category", "categories", multiple=True, help="Category by name; all of them without it.")
@click.option(
    "--method",
    type=click.Choice(["perfusion", "lora"]),
    default="perfusion",
    show_default=True,
    help="Perfusion edits what a word looks like, about 60 kB a category; LoRA changes all attention, about 3 MB.",
)
@click.option("--steps", type=click.IntRange(1), default=400, show_default=True, help="Optimizer steps a category.")
@click.option("--batch-size", type=click.IntRange(1), default=4, show_default=True, help="Crops at a time.")
@click.option("--lr", type=click.FloatRange(0, min_open=True), help="Learning rate; 0.03, with LoRA 0.0001.")
@click.option("--size", type=click.IntRange(16), default=512, show_default=True, help="Side of the crops, pixels.")
@click.option("--crops", type=click.IntRange(1), default=64, show_default=True, help="At most so many, the largest.")
@click.option("--seed", type=int, default=0, show_default=True, help="Decides noise and batches.")
@click.option("--device", default="auto", show_default=True, help="For example cuda:1.")
@on_problem_option
@losses_options
def personalize(
    dataset: Path,
    images: Path | None,
    method: Any,
    steps: int,
    batch_size: int,
    lr: float | None,
    on_problem: OnProblem,
    **options: Any,
) -> None:
    """Learn from a category's real crops what it looks like; a small file per category.

    Use the files with -g diffusers,model=…,personal=OUT: pictures of these categories are then made with them, and all
    others exactly as before. Prompts must name the category. Killed at any time, run it again and it goes on with the
    category that it was at; delete a file to train it anew.

    \b
    Example:
      divergen-gen personalize train.json --images train2017 --out personal -c teapot -c bow_(weapon) \\
        --model stable-diffusion-v1-5/stable-diffusion-v1-5
      divergen-gen run prompts.jsonl --table instances.lance --per-category 100 \\
        -g diffusers,model=stable-diffusion-v1-5/stable-diffusion-v1-5,personal=personal
    """
    from divergen_records import require_extra

    from .diffusion.model import LEARNING_RATES

    with require_extra("divergen-gen", "diffusers"):
        from .personalize.run import personalize as train
        from .personalize.training import Training
    training = Training(method, steps, batch_size, lr or LEARNING_RATES[method])
    made = train(open_dataset(dataset, images, split="train", on_problem=on_problem), training=training, **options)
    told, losses = [], Losses()
    for one in made:
        told.append({name: getattr(one, name) for name in ("category", "path", "crops", "last", "error")})
        if one.error:
            losses.add(one.category, one.error)
        elif one.crops:
            echo(
                f"{one.path}: {one.crops} crops, loss {one.first:.4f} -> {one.last:.4f}, "
                f"{one.path.stat().st_size / 1000:.0f} kB"
            )
        else:
            echo(f"{one.path}: was there")
    answer(made=told)
    finish(losses, came=len(made), went=len(made) - len(losses), unit="categories", out=options["out"])
