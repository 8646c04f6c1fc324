"""The command ``divergen-filter``."""

from __future__ import annotations

from pathlib import Path

import click
from divergen_records import Shard
from divergen_records.command import Group

_TABLE = click.argument("table", type=click.Path(path_type=Path))
_REFERENCES = click.option(
    "--references", type=click.Path(path_type=Path), required=True, help="File that embed-real wrote."
)
_SHARD = click.option("--shard", default="0/1", show_default=True, help="Do part i of n of the rows.")
_RULES = click.option(
    "--rules", type=click.Path(path_type=Path), help="JSON file of rules (RulesConfig); the default rules without it."
)
_EMBEDDER = click.option(
    "--embedder", default="efficientnet-lite0", show_default=True, help="Or one that an installed package adds."
)


@click.group(cls=Group)
def main() -> None:
    """Keep generated instances that look like real ones."""


@main.command("embed-real")
@click.argument("annotations", type=click.Path(path_type=Path))
@click.option("--images", type=click.Path(path_type=Path), help="Folder of images; beside the file if left out.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="References to write (.npz).")
@_EMBEDDER
@click.option(
    "--fill",
    type=click.Choice(["blur", "black", "white", "original"]),
    default="black",
    show_default=True,
    help="What replaces the pixels outside the mask.",
)
@click.option("--min-area", default=100, show_default=True, help="Leave out instances of fewer mask pixels.")
@click.option("--max-per-category", type=int, help="Embed only so many of a category, the largest.")
@click.option("--overwrite", is_flag=True, help="Replace the file.")
def embed_real(
    annotations: Path,
    images: Path | None,
    out: Path,
    embedder: str,
    fill: str,
    min_area: int,
    max_per_category: int | None,
    overwrite: bool,
) -> None:
    """Embed the real instances of a COCO or LVIS file.

    Example: divergen-filter embed-real lvis/annotations.json --images lvis/images --out references.npz
    """
    from divergen_records.coco import read_dataset

    from .config import build_embedder
    from .references import check_target, reference_embeddings

    check_target(out, overwrite)
    dataset = read_dataset(annotations, image_dir=images)
    references = reference_embeddings(
        dataset,
        build_embedder(embedder),
        fill=fill,  # type: ignore[arg-type]  # click has checked it
        min_area=min_area,
        max_per_category=max_per_category,
    )
    references.save(out, overwrite=overwrite)
    click.echo(f"{out}: {len(references.embeddings)} real crops of {len(set(references.category_ids))} categories")
    for reason, count in sorted(references.skipped.items()):
        click.echo(f"left out: {count} x {reason}", err=True)


@main.command()
@_TABLE
@_REFERENCES
@_EMBEDDER
@_SHARD
def score(table: Path, references: Path, embedder: str, shard: str) -> None:
    """Embed the instances of a table and compare them with the real ones; go on where it was interrupted.

    Example: divergen-filter score run/instances.lance --references references.npz
    """
    from divergen_records import InstanceTable, fill

    from .config import build_embedder
    from .references import References
    from .stages import EmbedStage, ScoreStage

    real, opened, part = References.load(references), InstanceTable.open(table), Shard.parse(shard)
    for stage in (EmbedStage(build_embedder(embedder)), ScoreStage(real)):
        report = fill(opened, stage, shard=part)
        click.echo(f"{report.name}: {report.done} done, {report.failed} failed, {report.skipped} not ready")


@main.command()
@_TABLE
@click.option("--references", type=click.Path(path_type=Path), help="Needed for calibrated thresholds.")
@_RULES
@_SHARD
@click.option("--again", is_flag=True, help="Forget earlier decisions first.")
def decide(table: Path, references: Path | None, rules: Path | None, shard: str, again: bool) -> None:
    """Write kept and reject_reason by the rules; pictures are not touched.

    Example: divergen-filter decide run/instances.lance --references references.npz --rules rules.json --again
    """
    from divergen_records import InstanceTable, fill

    from .config import read_rules
    from .references import References
    from .stages import DecideStage

    stage = DecideStage(read_rules(rules), None if references is None else References.load(references))
    opened = InstanceTable.open(table)
    if again:
        opened.clear(stage.writes)
    report = fill(opened, stage, shard=Shard.parse(shard), batch_size=8192)
    kept = opened.count("kept")
    click.echo(f"{report.done} decided, {report.skipped} not ready; kept {kept} of {opened.count('kept IS NOT NULL')}")


@main.command()
@_REFERENCES
@_RULES
def calibrate(references: Path, rules: Path | None) -> None:
    """Print each category's threshold of inter-similarity, and what it does to real crops.

    Example: divergen-filter calibrate --references references.npz
    """
    from .calibration import calibrate as find
    from .config import read_rules
    from .references import References

    settings = read_rules(rules).calibration
    calibration = find(References.load(references), **settings.model_dump())
    click.echo(f"method {calibration.method}, share {calibration.share}; the paper's 0.6 is for CLIP ViT-L/14 only")
    click.echo(f"{'category':>10} {'crops':>6} {'threshold':>9} {'own kept':>9} {'others kept':>11}")
    for row in calibration.categories:
        click.echo(
            f"{row.category_id:>10} {row.crops:>6} {row.threshold:>9.3f} {row.own_kept:>9.2f} {row.others_kept:>11.2f}"
        )


@main.command()
@_TABLE
@click.argument("instance_id")
@click.option("--references", type=click.Path(path_type=Path), help="Needed for calibrated thresholds.")
@_RULES
def explain(table: Path, instance_id: str, references: Path | None, rules: Path | None) -> None:
    """Say why one instance is kept or rejected: every rule with its numbers.

    Example: divergen-filter explain run/instances.lance 3f2a… --references references.npz
    """
    from divergen_records import InstanceTable

    from .config import read_rules
    from .explain import explain as why
    from .references import References
    from .stages import DecideStage

    stage = DecideStage(read_rules(rules), None if references is None else References.load(references))
    columns = ["category", "prompt", "error", *stage.reads]
    row = InstanceTable.open(table).take([instance_id], columns).to_pylist()[0]
    click.echo(f"{row['category']}: {row['prompt']}")
    if row["error"]:
        click.echo(f"failed: {row['error']}")
    for verdict in why(row, stage.rules, thresholds=stage.thresholds):
        mark = "pass" if verdict.passed else "FAIL"
        click.echo(f"{mark}  {verdict.rule.score} {verdict.value:.3f} {verdict.rule.op} {verdict.threshold:.3f}")
