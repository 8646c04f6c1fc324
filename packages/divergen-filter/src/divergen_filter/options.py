"""Options that several commands of `divergen-filter` share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from divergen_records.backends import backend_kinds

from .config import EmbedderConfig

__all__ = [
    "MAYBE_REFERENCES",
    "OVERWRITE",
    "REFERENCES",
    "RULES",
    "SHARD",
    "TABLE",
    "crop_options",
    "embedder_options",
]

TABLE = click.argument("table", type=click.Path(path_type=Path))
REFERENCES = click.option(
    "--references", type=click.Path(path_type=Path), required=True, help="File that embed-real wrote."
)
MAYBE_REFERENCES = click.option(
    "--references", type=click.Path(path_type=Path), help="Needed for calibrated thresholds."
)
SHARD = click.option("--shard", default="0/1", show_default=True, help="Do part i of n of the rows.")
RULES = click.option(
    "--rules", type=click.Path(path_type=Path), help="JSON file of rules (RulesConfig); the default rules without it."
)
OVERWRITE = click.option("--overwrite", is_flag=True, help="Replace what is there.")


Decorated = TypeVar("Decorated", bound=Callable[..., Any])


def embedder_options(command: Decorated) -> Decorated:
    """Which embedder, and its settings."""
    command = click.option(
        "--set", "settings", multiple=True, metavar="KEY=VALUE", help="A setting of the embedder: model=ViT-L-14."
    )(command)
    return click.option(
        "--embedder",
        default="efficientnet-lite0",
        show_default=True,
        help=f"{', '.join(backend_kinds(EmbedderConfig))}.",
    )(command)


def crop_options(fill: str, min_side: int) -> Callable[[Decorated], Decorated]:
    """Options of a crop, with these defaults."""

    def add(command: Decorated) -> Decorated:
        command = click.option("--square", is_flag=True, help="Widen the crop's shorter side to the longer.")(command)
        command = click.option(
            "--min-side",
            type=click.IntRange(0),
            default=min_side,
            show_default=True,
            help="Least length of the crop's sides, pixels.",
        )(command)
        command = click.option(
            "--margin",
            type=click.IntRange(0),
            default=0,
            show_default=True,
            help="Room on each side of the object's box, pixels.",
        )(command)
        return click.option(
            "--fill",
            type=click.Choice(["blur", "black", "white", "original"]),
            default=fill,
            show_default=True,
            help="What replaces the pixels outside the mask.",
        )(command)

    return add
