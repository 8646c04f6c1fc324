"""The commands ``divergen-train recipes`` and ``divergen-train truncate``."""

from __future__ import annotations

from pathlib import Path

import click
from divergen_records.command import answer, echo
from divergen_records.files import refuse_existing

__all__ = ["pasting_notice", "recipes", "truncate"]

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("name", required=False)
def recipes(name: str | None) -> None:
    """List the shipped recipes, or print the one called NAME as YAML, to change and give to --preset.

    \b
    divergen-train recipes divergen-swin-l > mine.yaml
    divergen-train fit train.json --out run --preset mine.yaml
    """
    from ..training.recipe import recipe, recipe_names, recipe_text

    if name is not None:
        answer(recipe=name, text=recipe_text(name))
        echo(recipe_text(name), nl=False)
        return
    answer(recipes={known: recipe(known).summary for known in recipe_names()})
    for known in recipe_names():
        found = recipe(known)
        echo(f"{known}\n  {found.summary}\n  needs {found.hardware}")
        if found.expected is not None:
            echo(f"  AP on LVIS v1 val: {found.expected} ({found.expected.source})")


@click.command()
@click.argument("checkpoint", type=_FILE)
@click.option("--categories", type=_FILE, required=True, help="LVIS or COCO file with the categories to keep.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="The new checkpoint.")
@click.option("--overwrite", is_flag=True, help="Replace the file if it exists.")
def truncate(checkpoint: Path, categories: Path, out: Path, overwrite: bool) -> None:
    """Cut CHECKPOINT down to some of its categories, with equal scores for them: what extra categories need.

    \b
    divergen-train truncate run/checkpoint.pt --categories lvis_v1_val.json --out base.pt
    """
    refuse_existing(out, overwrite=overwrite)
    from ..training.truncate import truncate as cut

    result = cut(checkpoint, categories, out)
    answer(out=out, categories=len(result.categories))
    echo(f"{out}: {len(result.categories)} categories")


def pasting_notice(preset: str) -> str | None:
    """What a recipe wants pasted, which this command cannot do; None where it wants nothing."""
    from ..training.recipe import find_recipe

    found = find_recipe(preset)
    if found is None or found.pastes is None:
        return None
    classes = "" if found.classes is None else f"{found.classes:,} classes and "
    return (
        f"{preset} is made for {classes}images with {found.pastes}. This command pastes nothing: `divergen run` "
        "does, or `divergen-paste bake` writes such images to disk"
    )
