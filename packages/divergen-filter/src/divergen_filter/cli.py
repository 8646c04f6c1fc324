"""The command ``divergen-filter``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from divergen_records import Shard
from divergen_records.command import Group, answer, echo, next_step
from divergen_records.data_options import on_problem_option, open_dataset
from divergen_records.files import refuse_existing, write_text
from divergen_records.formats import OnProblem
from divergen_records.losses import Losses, finish, finish_rows, finishing, losses_options

from .looking import diversity, explain, review, sheet
from .options import MAYBE_REFERENCES, OVERWRITE, REFERENCES, RULES, SHARD, TABLE, crop_options, embedder_options


@click.group(cls=Group)
def main() -> None:
    """Keep generated instances that look like real ones."""


@main.command("embed-real")
@click.argument("annotations", type=click.Path(path_type=Path))
@click.option("--images", type=click.Path(path_type=Path), help="Folder of images; beside the file if left out.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="References to write (.npz).")
@embedder_options
@crop_options("black", 80)
@click.option(
    "--min-area",
    type=click.IntRange(min=0),
    default=100,
    show_default=True,
    help="Leave out instances of fewer mask pixels.",
)
@click.option("--max-per-category", type=click.IntRange(min=1), help="Embed only so many of a category, the largest.")
@on_problem_option
@losses_options
@OVERWRITE
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
    dataset = open_dataset(annotations, images, split="train", on_problem=on_problem)
    unfinished = out.with_name(f"{out.name}.parts")
    losses = Losses()
    losses.extend(dataset.problems)
    with finishing(losses, unit="instances", out=out):
        references = reference_embeddings(dataset, build_embedder(embedder, settings), resume=unfinished, **options)
    references.save(out, overwrite=overwrite)
    categories = len(set(references.category_ids))
    answer(out=out, crops=len(references.embeddings), categories=categories, left_out=references.skipped)
    echo(f"{out}: {len(references.embeddings)} real crops of {categories} categories")
    count = len(references.embeddings)
    for reason, times in sorted(references.skipped.items()):
        if on_purpose(reason):
            echo(f"left out: {times} x {reason}", err=True)
        else:
            losses.extend([reason] * times)
    next_step("divergen-filter", "score", "TABLE.lance", "--references", out)
    finish(losses, came=count + len(losses), went=count, unit="instances", out=out)


@main.command()
@TABLE
@REFERENCES
@embedder_options
@crop_options("black", 0)
@click.option("--whole", is_flag=True, help="Embed the whole picture instead of the object's box.")
@click.option("--score", "scores", multiple=True, help="A further score, or 'all'; see the README for their names.")
@SHARD
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

    opened, lines = InstanceTable.open(table), list[str]()
    for line in score_table(
        opened,
        references,
        embedder=embedder,
        settings=settings,
        crop=CropConfig(**crop),
        scores=scores,
        shard=Shard.parse(shard),
    ):
        lines.append(line)
        echo(line)
    answer(table=table, scores=lines)
    next_step("divergen-filter", "decide", table, "--references", references)
    finish_rows(opened, "area_fraction IS NOT NULL")


@main.command()
@TABLE
@click.option(
    "--set",
    "settings",
    multiple=True,
    required=True,
    metavar="KEY=VALUE",
    help="A setting: model=NAME (needed), base_url=URL, price_in=0.15, price_out=0.6, max_cost=5.",
)
@SHARD
@losses_options
def judge(table: Path, settings: tuple[str, ...], shard: str) -> None:
    """Ask a vision model yes-no questions about each cut-out; go on where it was interrupted, and pay nothing twice.

    Rows without an answer are asked about again by the next call.

    Columns: vlm_whole, vlm_category, vlm_uncut, vlm_clean; a rule reads vlm_whole >= 1.

    Example: divergen-filter judge run/instances.lance --set model=qwen2.5-vl --set base_url=http://localhost:8000/v1
    """
    from divergen_records import InstanceTable, fill
    from divergen_records.settings import apply_settings

    from .config import ScoreConfig

    stage = apply_settings(ScoreConfig, {"kind": "vlm"}, settings, where="score 'vlm'").build()
    part = Shard.parse(shard)
    opened = InstanceTable.open(table)
    if again := stage.forget_unanswered(opened, part):
        echo(f"{again} rows that got no answer before are asked about again", err=True)
    report = fill(opened, stage, shard=part, batch_size=64)
    cost = f"; cost {stage.account.cost:.4g} in all" if stage.account.cost else ""
    judged = report.done - len(stage.unanswered)
    answer(judged=judged, skipped=report.skipped, cost=stage.account.cost, unanswered=stage.unanswered)
    echo(f"{judged} judged, {report.skipped} not ready{cost}")
    losses = Losses(stage.unanswered.items())
    if report.done:  # else what an earlier call lost stays in its file; so does what other shards lose
        out = table if part.count == 1 else table.with_name(f"{table.name}.{part.index}-of-{part.count}")
        finish(losses, came=report.done, went=report.done - len(losses), unit="rows", out=out)


@main.command()
@TABLE
@MAYBE_REFERENCES
@RULES
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
    answer(**asdict(report))
    echo(f"kept {report.kept} of {report.kept + report.rejected}; {report.not_ready} not ready")
    for line in report.lines():
        echo(line, err=True)
    if report.reviewed:
        echo(f"people decided about {report.reviewed}; of these, they overruled the rules in {report.overruled}")
    for column, count in report.lacking.items():
        writer = "an annotator" if column in MASK_SCORES else "divergen-filter score"
        echo(f"not ready: {count} without {column}; {writer} writes it", err=True)
    if report.kept:
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
@MAYBE_REFERENCES
@RULES
@click.option("--out", type=click.Path(path_type=Path), help="With --from review: JSON file for the proposed rules.")
@OVERWRITE
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
        answer(rules=proposal.rules, out=out)
        echo(str(proposal))
        if out is not None:
            write_text(out, proposal.rules.model_dump_json(indent=1), overwrite=overwrite)
        return
    if loaded is None or table is not None or out is not None:
        raise click.UsageError("--from real takes --references, and neither TABLE nor --out")
    found = find(loaded, **read_rules(rules).calibration.model_dump())
    answer(**asdict(found))
    echo(str(found))


@main.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--real", type=click.Path(path_type=Path), required=True, help="COCO or LVIS file of real instances.")
@click.option("--images", type=click.Path(path_type=Path), help="Folder of its images; beside the file if left out.")
@click.option("--masks", type=click.Path(path_type=Path), help="Folder of PNG masks, or a COCO file of the pictures.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for the results.")
@embedder_options
@crop_options("black", 0)
@click.option("--score", "scores", multiple=True, help="A further score, or 'all'; see the README for their names.")
@RULES
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

    Or it holds a metadata.jsonl, .csv or .parquet with a file_name and a category for each picture.

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
    opened = InstanceTable.open(out / "instances.lance")
    rows, kept = opened.count("error IS NULL"), opened.count("kept")
    answer(out=out, table=opened.path, rows=rows, kept=kept)
    if kept:
        next_step("divergen-paste", "pool", out / "instances.lance", "--out", "pool")
    finish(losses, came=rows + len(losses), went=rows, out=out)


for _command in (diversity, explain, review, sheet):
    main.add_command(_command)
