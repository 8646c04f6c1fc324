"""The command ``divergen-filter``."""

from __future__ import annotations

from collections.abc import Callable
from getpass import getuser
from pathlib import Path
from typing import Any, TypeVar

import click
from divergen_records import Shard
from divergen_records.backends import backend_kinds
from divergen_records.command import Group, echo, next_step
from divergen_records.data_options import on_problem_option, open_dataset
from divergen_records.files import refuse_existing, write_text
from divergen_records.formats import OnProblem
from divergen_records.losses import Losses, finish, finish_rows, losses_options

from .config import EmbedderConfig

_TABLE = click.argument("table", type=click.Path(path_type=Path))
_REFERENCES = click.option(
    "--references", type=click.Path(path_type=Path), required=True, help="File that embed-real wrote."
)
_MAYBE_REFERENCES = click.option(
    "--references", type=click.Path(path_type=Path), help="Needed for calibrated thresholds."
)
_SHARD = click.option("--shard", default="0/1", show_default=True, help="Do part i of n of the rows.")
_RULES = click.option(
    "--rules", type=click.Path(path_type=Path), help="JSON file of rules (RulesConfig); the default rules without it."
)
_OVERWRITE = click.option("--overwrite", is_flag=True, help="Replace what is there.")


Decorated = TypeVar("Decorated", bound=Callable[..., Any])


def _embedder(command: Decorated) -> Decorated:
    command = click.option(
        "--set", "settings", multiple=True, metavar="KEY=VALUE", help="A setting of the embedder: model=ViT-L-14."
    )(command)
    return click.option(
        "--embedder",
        default="efficientnet-lite0",
        show_default=True,
        help=f"{', '.join(backend_kinds(EmbedderConfig))}.",
    )(command)


def _crop(fill: str, min_side: int) -> Callable[[Decorated], Decorated]:
    """Options of a crop, with these defaults."""

    def add(command: Decorated) -> Decorated:
        command = click.option("--square", is_flag=True, help="Widen the crop's shorter side to the longer.")(command)
        command = click.option(
            "--min-side", default=min_side, show_default=True, help="Least length of the crop's sides, pixels."
        )(command)
        command = click.option(
            "--margin", default=0, show_default=True, help="Room on each side of the object's box, pixels."
        )(command)
        return click.option(
            "--fill",
            type=click.Choice(["blur", "black", "white", "original"]),
            default=fill,
            show_default=True,
            help="What replaces the pixels outside the mask.",
        )(command)

    return add


@click.group(cls=Group)
def main() -> None:
    """Keep generated instances that look like real ones."""


@main.command("embed-real")
@click.argument("annotations", type=click.Path(path_type=Path))
@click.option("--images", type=click.Path(path_type=Path), help="Folder of images; beside the file if left out.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="References to write (.npz).")
@_embedder
@_crop("black", 80)
@click.option("--min-area", default=100, show_default=True, help="Leave out instances of fewer mask pixels.")
@click.option("--max-per-category", type=int, help="Embed only so many of a category, the largest.")
@on_problem_option
@losses_options
@_OVERWRITE
def embed_real(
    annotations: Path,
    images: Path | None,
    out: Path,
    embedder: str,
    settings: tuple[str, ...],
    on_problem: OnProblem,
    overwrite: bool,
    **options: Any,
) -> None:
    """Embed the real instances of a COCO or LVIS file; go on where it was interrupted.

    Example: divergen-filter embed-real lvis/annotations.json --images lvis/images --out references.npz
    """
    from .config import build_embedder
    from .embed_real import on_purpose, reference_embeddings

    refuse_existing(out, overwrite=overwrite)
    dataset = open_dataset(annotations, images, on_problem=on_problem)
    unfinished = out.with_name(f"{out.name}.parts")
    references = reference_embeddings(dataset, build_embedder(embedder, settings), resume=unfinished, **options)
    references.save(out, overwrite=overwrite)
    echo(f"{out}: {len(references.embeddings)} real crops of {len(set(references.category_ids))} categories")
    losses, count = Losses(), len(references.embeddings)
    losses.extend(dataset.problems)
    for reason, times in sorted(references.skipped.items()):
        if on_purpose(reason):
            echo(f"left out: {times} x {reason}", err=True)
        else:
            losses.extend([reason] * times)
    next_step("divergen-filter", "score", "TABLE.lance", "--references", out)
    finish(losses, came=count + len(losses), went=count, unit="instances", out=out)


@main.command()
@_TABLE
@_REFERENCES
@_embedder
@_crop("black", 0)
@click.option("--whole", is_flag=True, help="Embed the whole picture instead of the object's box.")
@click.option("--score", "scores", multiple=True, help="A further score, or 'all'; see the README for their names.")
@_SHARD
@losses_options
def score(
    table: Path,
    references: Path,
    embedder: str,
    settings: tuple[str, ...],
    scores: tuple[str, ...],
    shard: str,
    **crop: Any,
) -> None:
    """Embed the instances of a table and compare them with the real ones; go on where it was interrupted.

    Example: divergen-filter score run/instances.lance --references references.npz --score rival_margin
    """
    from divergen_records import InstanceTable

    from .config import CropConfig
    from .scoring import score_table

    opened = InstanceTable.open(table)
    for line in score_table(
        opened,
        references,
        embedder=embedder,
        settings=settings,
        crop=CropConfig(**crop),
        scores=scores,
        shard=Shard.parse(shard),
    ):
        echo(line)
    next_step("divergen-filter", "decide", table, "--references", references)
    finish_rows(opened, "area_fraction IS NOT NULL")


@main.command()
@_TABLE
@click.option(
    "--set",
    "settings",
    multiple=True,
    required=True,
    metavar="KEY=VALUE",
    help="A setting: model=NAME (needed), base_url=URL, price_in=0.15, price_out=0.6, max_cost=5.",
)
@_SHARD
def judge(table: Path, settings: tuple[str, ...], shard: str) -> None:
    """Ask a vision model yes-no questions about each cut-out; go on where it was interrupted, and pay nothing twice.

    Columns: vlm_whole, vlm_category, vlm_uncut, vlm_clean; a rule reads vlm_whole >= 1.

    Example: divergen-filter judge run/instances.lance --set model=qwen2.5-vl --set base_url=http://localhost:8000/v1
    """
    from divergen_records import InstanceTable, fill
    from divergen_records.settings import apply_settings

    from .config import ScoreConfig

    stage = apply_settings(ScoreConfig, {"kind": "vlm"}, settings, where="score 'vlm'").build()
    report = fill(InstanceTable.open(table), stage, shard=Shard.parse(shard), batch_size=64)
    cost = f"; cost {stage.account.cost:.4g} in all" if stage.account.cost else ""
    echo(f"{report.done} judged, {report.skipped} not ready{cost}")
    if stage.unanswered:
        reason = next(iter(stage.unanswered.values()))
        echo(f"no answer about {len(stage.unanswered)}, first: {reason}", err=True)


@main.command()
@_TABLE
@_MAYBE_REFERENCES
@_RULES
def decide(table: Path, references: Path | None, rules: Path | None) -> None:
    """Write kept and reject_reason of every row by the rules; pictures are not touched.

    Example: divergen-filter decide run/instances.lance --references references.npz --rules rules.json
    """
    from divergen_records import InstanceTable

    from .config import read_rules
    from .references import References
    from .rules import MASK_SCORES
    from .whole_table import decide_table

    loaded = None if references is None else References.load(references)
    report = decide_table(InstanceTable.open(table), read_rules(rules), loaded)
    echo(f"kept {report.kept} of {report.kept + report.rejected}; {report.not_ready} not ready")
    if report.reviewed:
        echo(f"people decided about {report.reviewed}; of these, they overruled the rules in {report.overruled}")
    for column, count in report.lacking.items():
        writer = "an annotator" if column in MASK_SCORES else "divergen-filter score"
        echo(f"not ready: {count} without {column}; {writer} writes it", err=True)
    next_step("divergen-paste", "pool", table, "--out", "pool")


@main.command()
@click.argument("table", type=click.Path(path_type=Path), required=False)
@click.option(
    "--from",
    "source",
    type=click.Choice(["real", "review"]),
    default="real",
    show_default=True,
    help="Real crops (needs --references), or people's verdicts (needs TABLE).",
)
@_MAYBE_REFERENCES
@_RULES
@click.option("--out", type=click.Path(path_type=Path), help="With --from review: JSON file for the proposed rules.")
@_OVERWRITE
def calibrate(
    table: Path | None, source: str, references: Path | None, rules: Path | None, out: Path | None, *, overwrite: bool
) -> None:
    """Print thresholds: of inter-similarity for each category by its real crops, or rules that reviews speak for.

    Examples: divergen-filter calibrate --references references.npz;
    divergen-filter calibrate run/instances.lance --from review --references references.npz --out rules.json
    """
    from .calibration import calibrate as find
    from .config import read_rules
    from .references import References

    refuse_existing(out, overwrite=overwrite)
    loaded = None if references is None else References.load(references)
    if source == "review":
        from divergen_records import InstanceTable

        from .review.thresholds import propose_rules

        if table is None:
            raise click.UsageError("--from review takes the TABLE that was reviewed")
        proposal = propose_rules(InstanceTable.open(table), read_rules(rules), loaded)
        echo(str(proposal))
        if out is not None:
            write_text(out, proposal.rules.model_dump_json(indent=1), overwrite=overwrite)
        return
    if loaded is None or table is not None or out is not None:
        raise click.UsageError("--from real takes --references, and neither TABLE nor --out")
    echo(str(find(loaded, **read_rules(rules).calibration.model_dump())))


@main.command()
@_TABLE
@click.argument("instance_id")
@_MAYBE_REFERENCES
@_RULES
def explain(table: Path, instance_id: str, references: Path | None, rules: Path | None) -> None:
    """Say why one instance is kept or rejected: every rule with its numbers.

    Example: divergen-filter explain run/instances.lance 3f2a… --references references.npz
    """
    from divergen_records import InstanceTable

    from .config import read_rules
    from .explain import explain_row
    from .references import References

    loaded = None if references is None else References.load(references)
    echo(explain_row(InstanceTable.open(table), instance_id, read_rules(rules), loaded))


@main.command()
@_TABLE
@click.option("--out", type=click.Path(path_type=Path), required=True, help="HTML page to write.")
@click.option("--references", type=click.Path(path_type=Path), help="For the scatter and calibrated thresholds.")
@_RULES
@click.option("--score", default="inter_similarity", show_default=True, help="What best and worst mean.")
@click.option("--category", "categories", multiple=True, help="Show this category; several times for several.")
@click.option("--max-categories", default=24, show_default=True, help="Show so many where none is named.")
@click.option("--each", default=8, show_default=True, help="Pictures in a strip.")
@click.option(
    "--projection", type=click.Choice(["pca", "umap"]), default="pca", show_default=True, help="Of the scatter."
)
@_OVERWRITE
def sheet(table: Path, out: Path, references: Path | None, rules: Path | None, **options: Any) -> None:
    """Write a page to look at: histograms, shares, a scatter, best, borderline and worst pictures of each category.

    Example: divergen-filter sheet run/instances.lance --references references.npz --out sheet.html
    """
    from divergen_records import InstanceTable

    from .config import read_rules
    from .references import References
    from .sheet import write_sheet

    loaded = None if references is None else References.load(references)
    write_sheet(InstanceTable.open(table), out, references=loaded, rules=read_rules(rules), **options)
    echo(f"look at {out}")


@main.command()
@_TABLE
@_MAYBE_REFERENCES
@_RULES
@click.option("--reviewer", default=getuser, help="Your name, beside each verdict. [default: who is logged in]")
@click.option("--port", default=0, help="Port on 127.0.0.1. [default: any free one]")
@click.option("--open", "opens", is_flag=True, help="Open the page in this machine's browser.")
def review(table: Path, references: Path | None, rules: Path | None, reviewer: str, port: int, *, opens: bool) -> None:
    """Look at the instances in a browser and keep or reject them by keyboard; verdicts overrule the rules.

    Prints an address that opens the page once. From another machine: --port 8765 here, and there
    ssh -L 8765:127.0.0.1:8765 HOST. Several people may review one table at once, each with a command of their own.
    Stop it by Ctrl-C, then decide again.

    Example: divergen-filter review run/instances.lance --references references.npz
    """
    from divergen_records import InstanceTable

    from .config import read_rules
    from .references import References
    from .review.serve import announce, serve_review, summary

    loaded = None if references is None else References.load(references)
    opened = InstanceTable.open(table)
    found = serve_review(
        opened,
        rules=read_rules(rules),
        references=loaded,
        reviewer=reviewer,
        port=port,
        opened=announce(opens=opens),
    )
    echo(f"{summary(found)}; to decide again: divergen-filter decide {table}")


@main.command()
@_TABLE
@_REFERENCES
def diversity(table: Path, references: Path) -> None:
    """Print what the filter costs: Vendi score, density and coverage of the kept against the real, by category.

    Example: divergen-filter diversity run/instances.lance --references references.npz
    """
    from divergen_records import InstanceTable

    from .diversity import diversity_text
    from .references import References

    echo(diversity_text(InstanceTable.open(table), References.load(references)))


@main.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--real", type=click.Path(path_type=Path), required=True, help="COCO or LVIS file of real instances.")
@click.option("--images", type=click.Path(path_type=Path), help="Folder of its images; beside the file if left out.")
@click.option("--masks", type=click.Path(path_type=Path), help="Folder of PNG masks, or a COCO file of the pictures.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for the results.")
@_embedder
@_crop("black", 0)
@click.option("--score", "scores", multiple=True, help="A further score, or 'all'; see the README for their names.")
@_RULES
@on_problem_option
@losses_options
def images(
    folder: Path,
    real: Path,
    images: Path | None,
    masks: Path | None,
    out: Path,
    embedder: str,
    settings: tuple[str, ...],
    scores: tuple[str, ...],
    rules: Path | None,
    on_problem: OnProblem,
    **crop: Any,
) -> None:
    """Score and decide about plain pictures: FOLDER holds a folder of pictures for each category.

    Example: divergen-filter images generated --real lvis.json --images lvis/images --out results
    """
    from divergen_records import InstanceTable

    from .config import CropConfig, read_rules
    from .folder import filter_folder

    losses = Losses()
    for line in filter_folder(
        folder,
        real,
        out,
        images=images,
        on_problem=on_problem,
        losses=losses,
        masks=masks,
        embedder=embedder,
        settings=settings,
        crop=CropConfig(**crop),
        scores=scores,
        rules=None if rules is None else read_rules(rules),
    ):
        echo(line)
    rows = InstanceTable.open(out / "instances.lance").count("error IS NULL")
    next_step("divergen-paste", "pool", out / "instances.lance", "--out", "pool")
    finish(losses, came=rows + len(losses), went=rows, out=out)
