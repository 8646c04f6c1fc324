"""The command `divergen-minilvis`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from divergen_records.command import Group, answer, echo, next_step, note
from divergen_records.cores import usable_cores

__all__ = ["main", "make"]


@click.group(cls=Group)
@click.version_option(package_name="divergen-minilvis")
def main() -> None:
    """Everyday objects and scenes, drawn: a generator that needs no download, and a long-tailed dataset."""


@main.command()
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder to write.")
@click.option(
    "--box", default="classic", show_default=True, help="What things look like: classic, modes, or a YAML file."
)
@click.option("--train-images", type=click.IntRange(10), show_default="the box's", help="Scenes to train on.")
@click.option("--val-images", type=click.IntRange(10), show_default="the box's", help="Scenes to evaluate on.")
@click.option("--size", type=click.IntRange(64), show_default="the box's", help="Longer side, pixels.")
@click.option("--categories", show_default="the box's", help="How many, or names separated by commas.")
@click.option("--seed", type=int, default=0, show_default=True, help="Decides every scene.")
@click.option("--workers", type=click.IntRange(1), default=usable_cores, show_default="all cores", help="Processes.")
@click.option("--overwrite", is_flag=True, help="Replace a MiniLVIS that is there.")
def make(out: Path, categories: str | None, **options: Any) -> None:
    """Make MiniLVIS: a long-tailed instance segmentation dataset in LVIS v1 format, drawn, with exact masks.

    \b
    Example:
      divergen-minilvis make --out minilvis
      divergen-minilvis make --out modes --box modes
    """
    from .scenes import make_minilvis

    chosen: int | list[str] | None = None
    if categories is not None:
        chosen = int(categories) if categories.isdecimal() else categories.split(",")
    made = make_minilvis(out, categories=chosen, **options)
    answer(train=made.train, val=made.val)
    echo(f"{made.train}\n{made.val}")
    next_step("divergen", "run", "coco100", "--out", "RUN", f"data={out}")


@main.command()
def categories() -> None:
    """List the categories that the renderer knows, and its styles.

    \b
    Example:
      divergen-minilvis categories
    """
    from .renderer import STYLES, category_names

    names = category_names()
    answer(categories=names, styles=STYLES)
    echo("\n".join(names))
    note(f"{len(names)} categories, in the styles {', '.join(STYLES)}")
