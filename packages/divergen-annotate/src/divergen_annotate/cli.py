"""The command ``divergen-annotate``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from divergen_records import ConfigError, Shard, short_hash
from divergen_records.backends import backend_kinds
from divergen_records.command import Group, echo
from divergen_records.data_options import on_problem_option
from divergen_records.files import refuse_existing, write_bytes
from divergen_records.formats import OnProblem
from divergen_records.losses import Losses, finish, finish_rows, finishing, losses_options

from .config import AnnotatorConfig

if TYPE_CHECKING:
    from .annotator import Annotator
    from .stage import Repair

_DEFAULT = "grabcut"
_PATH = click.Path(path_type=Path)


def _settings(function: Callable[..., Any]) -> Callable[..., Any]:
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
            "--checkpoint", help="Weights of sam-background, clipseg, sam3 or saliency: a file, a folder or a hub id."
        ),
        click.option(
            "--annotator",
            "names",
            multiple=True,
            metavar="NAME[,KEY=VALUE…]",
            help=f"{', '.join(backend_kinds(AnnotatorConfig))}; {_DEFAULT} where none is named. With settings of its "
            "own, for example saliency,model=u2net.onnx.",
        ),
    ):
        function = option(function)
    return function


@click.group(cls=Group)
def main() -> None:
    """Masks for pictures of one object on a plain background."""


@main.command()
@click.argument("folder", type=_PATH)
@_settings
@click.option("--out", type=_PATH, required=True, help="COCO file to write.")
@click.option("--png-masks", type=_PATH, help="Folder for the masks as PNG.")
@click.option("--preview", type=_PATH, help="HTML page of pictures with outlines to write.")
@click.option("--report", type=_PATH, help="JSON Lines to write: each picture's scores and measures, or its error.")
@click.option("--folders-are-categories", is_flag=True, help="A picture's category is the folder that it lies in.")
@click.option("--batch-size", default=16, show_default=True, type=click.IntRange(1), help="Pictures at a time.")
@click.option(
    "--max-pixels", default=89_478_485, show_default=True, type=click.IntRange(1), help="Refuse larger pictures."
)
@click.option("--overwrite", is_flag=True, help="Replace what this command wrote before.")
@losses_options
def images(
    folder: Path,
    names: tuple[str, ...],
    settings: tuple[str, ...],
    checkpoint: str | None,
    no_repair: bool,
    out: Path,
    **options: Any,
) -> None:
    """Annotate every picture in FOLDER and the folders in it; go on where it was interrupted.

    Where no annotator is named, a picture's own transparency is its mask, and GrabCut makes the others.

    Example: divergen-annotate images pictures --out coco.json --preview page.html
    """
    from .folder import annotate_folder

    annotator, repair = _build(_one(names), names or (_DEFAULT,), settings, checkpoint), _repair(settings, no_repair)
    resume = short_hash(str(folder.resolve()), *names, *settings, checkpoint, no_repair)
    losses = Losses()
    with finishing(losses, out=out):
        report = annotate_folder(
            folder, annotator, out, repair=repair, own_alpha=not names, resume=resume, losses=losses, **options
        )
    own = f" ({report.own_alpha} by their own transparency)" if report.own_alpha else ""
    echo(f"{out}: {report.done} pictures annotated{own}, {len(losses)} lost")
    finish(losses, came=report.done + len(losses), went=report.done, out=out)


@main.command()
@click.argument("table", type=_PATH)
@_settings
@click.option("--shard", default="0/1", show_default=True, help="Do part i of n of the rows.")
@click.option("--retry-errors", is_flag=True, help="Try rows again that failed here before.")
@losses_options
def table(
    table: Path,
    names: tuple[str, ...],
    settings: tuple[str, ...],
    checkpoint: str | None,
    no_repair: bool,
    shard: str,
    retry_errors: bool,
) -> None:
    """Fill the mask columns of an instance table; go on where it was interrupted.

    Example: divergen-annotate table run/instances.lance --annotator grabcut
    """
    from divergen_records import InstanceTable, fill

    from .stage import AnnotateStage

    annotator = _build(_one(names), names or (_DEFAULT,), settings, checkpoint)
    stage = AnnotateStage(annotator, repair=_repair(settings, no_repair))
    opened = InstanceTable.open(table)
    if retry_errors:
        opened.retry_errors(stage.name)
    report = fill(opened, stage, shard=Shard.parse(shard))
    echo(f"{report.done} annotated, {report.failed} failed, {report.skipped} without a picture")
    finish_rows(opened, f"error_stage = '{stage.name}'")


@main.command()
@click.argument("source", type=_PATH)
@_settings
@click.option("--images", type=_PATH, help="The folder of images of a COCO or LVIS file.")
@click.option("--limit", default=500, show_default=True, type=click.IntRange(1), help="Pictures to look at, at most.")
@on_problem_option
@losses_options
def evaluate(
    source: Path,
    names: tuple[str, ...],
    settings: tuple[str, ...],
    checkpoint: str | None,
    no_repair: bool,
    images: Path | None,
    on_problem: OnProblem,
    limit: int,
) -> None:
    """Compare annotators with the truth, without and with repair.

    SOURCE is an instance table that holds the true alpha; a COCO or LVIS file, whose objects are cut out with a margin;
    or a folder of pictures whose transparency is the truth.

    Example: divergen-annotate evaluate run/instances.lance --annotator grabcut --annotator colour-key
    """
    from .evaluate import HEAD, evaluate_repairs
    from .truth import read_examples

    annotators, mended = _build_all(names, settings, checkpoint), _repair(settings, no_repair)
    repairs = [None] if no_repair else [None, mended]
    echo(HEAD)
    losses = Losses()
    tell: Callable[[str], None] = losses.note
    for annotator in annotators:
        examples = read_examples(source, images=images, limit=limit, on_problem=on_problem, left_out=tell)
        for row, mend in zip(evaluate_repairs(examples, annotator, repairs), repairs, strict=True):
            echo(row.line(repaired=mend is not None))
        tell = _say_nothing
    finish(losses, came=row.count + len(losses), went=row.count)


@main.command()
@click.argument("source", type=_PATH)
@_settings
@click.option("--out", type=_PATH, required=True, help="Picture to write: .png or .jpg.")
@click.option("--images", type=_PATH, help="The folder of images of a COCO or LVIS file.")
@click.option("--limit", default=12, show_default=True, type=click.IntRange(1), help="Rows of the sheet.")
@click.option("--overwrite", is_flag=True, help="Replace OUT.")
@on_problem_option
@losses_options
def compare(
    source: Path,
    names: tuple[str, ...],
    settings: tuple[str, ...],
    checkpoint: str | None,
    no_repair: bool,
    out: Path,
    images: Path | None,
    on_problem: OnProblem,
    limit: int,
    overwrite: bool,
) -> None:
    """Draw annotators side by side, with the IoU where the truth is known.

    SOURCE is what evaluate takes, or a folder of any pictures.

    Example: divergen-annotate compare pictures --annotator grabcut --annotator colour-key --out sheet.png
    """
    from divergen_records.images import encode_image

    from .compare import compare as draw
    from .truth import read_examples

    if out.suffix not in (".png", ".jpg", ".jpeg"):
        raise ConfigError(f"{out}: a sheet is a .png or .jpg file")
    refuse_existing(out, overwrite=overwrite)
    losses = Losses()
    batches = list(read_examples(source, images=images, limit=limit, on_problem=on_problem, left_out=losses.note))
    shown = sum(map(len, batches))
    sheet = draw(batches, _build_all(names, settings, checkpoint), repair=_repair(settings, no_repair))
    write_bytes(out, encode_image(sheet, "png" if out.suffix == ".png" else "jpeg"), overwrite=overwrite)
    echo(f"{out}: {sheet.shape[1]} x {sheet.shape[0]} pixels")
    finish(losses, came=shown + len(losses), went=shown, out=out)


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


def _repair(settings: tuple[str, ...], no_repair: bool) -> Repair | None:
    """The repair with the settings that are meant for it; None where none is wished."""
    from divergen_records.settings import apply_settings

    from .config import RepairConfig

    pairs = [setting.removeprefix(_REPAIR) for setting in settings if setting.startswith(_REPAIR)]
    if no_repair and pairs:
        raise ConfigError("--no-repair leaves masks as they are; leave out --set repair.…")
    config: RepairConfig = apply_settings(RepairConfig, {}, pairs, where="repair")
    return None if no_repair else config.build()


def _say_nothing(reason: str) -> None:
    """For the second time that the same pictures are read."""


_WEIGHTS = {"sam-background": "checkpoint", "clipseg": "model", "sam3": "model", "saliency": "weights"}
"""Which setting of an annotator ``--checkpoint`` is."""


def _build_all(names: tuple[str, ...], settings: tuple[str, ...], checkpoint: str | None) -> list[Annotator]:
    names = names or (_DEFAULT,)
    return [_build(name, names, settings, checkpoint) for name in names]


def _one(names: tuple[str, ...]) -> str:
    if not names:
        return _DEFAULT
    if len(names) != 1:
        raise click.UsageError("give one --annotator here; to compare several, see divergen-annotate compare")
    return names[0]
