"""The options that say which annotator makes the masks and what repairs them, and what they mean."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click
from divergen_records import ConfigError
from divergen_records.backends import backend_kinds

from .config import AnnotatorConfig

if TYPE_CHECKING:
    from .annotator import Annotator
    from .stage import Repair

__all__ = ["DEFAULT", "annotator_options", "build_all", "build_one", "build_repair"]

DEFAULT = "grabcut"
"""The annotator where none is named."""


def annotator_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Options that say which annotator, with which settings."""
    for option in (
        click.option("--no-repair", is_flag=True, help="Leave the masks as the annotator makes them."),
        click.option(
            "--set",
            "settings",
            multiple=True,
            metavar="[NAME.]KEY=VALUE",
            help="A setting, for example size=160; with a name only of that annotator, for example grabcut.size=160, "
            "or of the repair, for example repair.keep_share=1.",
        ),
        click.option(
            "--checkpoint",
            help="Weights of sam-background, clipseg, sam3, grounded-sam or saliency: a file, a folder or a hub id.",
        ),
        click.option(
            "--annotator",
            "names",
            multiple=True,
            metavar="NAME[,KEY=VALUE…]",
            help=f"{', '.join(backend_kinds(AnnotatorConfig))}; {DEFAULT} where none is named. With settings of its "
            "own, for example saliency,model=u2net.onnx.",
        ),
    ):
        function = option(function)
    return function


def _build(spec: str, specs: tuple[str, ...], settings: tuple[str, ...], checkpoint: str | None) -> Annotator:
    """An annotator with the settings that its own words and ``--set`` have for it."""
    from divergen_records.settings import split_pairs

    from .config import build_annotator

    name, *own = split_pairs(spec)
    names = tuple(other.partition(",")[0] for other in specs)
    meant = [
        rest for setting in settings if not setting.startswith(_REPAIR) for rest in _meant_for(name, names, setting)
    ]
    if checkpoint is not None and name in _WEIGHTS:
        meant.append(f"{_WEIGHTS[name]}={checkpoint}")
    return build_annotator(name, [*meant, *own])


def _meant_for(name: str, names: tuple[str, ...], setting: str) -> list[str]:
    """The setting without its prefix, or nothing where the prefix is another of the annotators that are asked for."""
    target, dot, rest = setting.partition(".")
    if not dot or target not in names:
        return [setting]
    return [rest] if target == name else []


_REPAIR = "repair."


def build_repair(settings: tuple[str, ...], no_repair: bool) -> Repair | None:
    """The repair with the settings that are meant for it; None where none is wished."""
    from divergen_records.settings import apply_settings

    from .config import RepairConfig

    pairs = [setting.removeprefix(_REPAIR) for setting in settings if setting.startswith(_REPAIR)]
    if no_repair and pairs:
        raise ConfigError("--no-repair leaves masks as they are; leave out --set repair.…")
    config: RepairConfig = apply_settings(RepairConfig, {}, pairs, where="repair")
    return None if no_repair else config.build()


_WEIGHTS = {
    "sam-background": "checkpoint",
    "clipseg": "model",
    "sam3": "model",
    "grounded-sam": "sam",
    "saliency": "weights",
}
"""Which setting of an annotator ``--checkpoint`` is."""


def build_all(names: tuple[str, ...], settings: tuple[str, ...], checkpoint: str | None) -> list[Annotator]:
    """The annotators that ``--annotator`` names, the default one where it names none."""
    names = names or (DEFAULT,)
    return [_build(name, names, settings, checkpoint) for name in names]


def build_one(names: tuple[str, ...], settings: tuple[str, ...], checkpoint: str | None) -> Annotator:
    """The one annotator that ``--annotator`` names, or the default one.

    Raises:
        UsageError: If several are named.
    """
    if len(names) > 1:
        raise click.UsageError("give one --annotator here; to compare several, see divergen-annotate compare")
    return build_all(names, settings, checkpoint)[0]
