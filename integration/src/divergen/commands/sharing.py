"""Commands that give instances to others by the Hugging Face hub, and take theirs."""

from pathlib import Path

import click
from divergen_records.command import answer, echo, next_step
from divergen_records.stores.arguments import LocalPath

__all__ = ["pull", "push"]


@click.command()
@click.argument("source", type=LocalPath(exists=True, file_okay=False))
@click.argument("hub_id")
@click.option("--where", default="kept", show_default=True, help="SQL filter over the table's columns.")
@click.option("--private", is_flag=True, help="Make the dataset private.")
@click.option("--licence", "--license", help="Identifier of the hub, for example cc-by-4.0.  [default: other]")
@click.option("--overwrite", is_flag=True, help="Replace what the dataset holds.")
@click.option("--folder", type=LocalPath(), help="Only write the files to this new folder; no hub.")
def push(
    source: Path, hub_id: str, where: str, private: bool, licence: str | None, overwrite: bool, folder: Path | None
) -> None:
    """Publish the kept instances of SOURCE, a run or a table, as the dataset HUB_ID (ORG/NAME) of the hub.

    Parquet files with pictures, masks, prompts, seeds and models, which `datasets` and the hub's viewer read; a card
    that says what made them; the report. Log in before: hf auth login.

    \b
    Examples:
      divergen push RUN my-org/rare-things --private
      divergen push RUN my-org/rare-things --folder look-first
    """
    from divergen_records import InstanceTable

    from ..hub import push as upload
    from ..hub import write_dataset
    from ..run import Run

    opened = Run(source) if (source / "config.yaml").exists() else InstanceTable.open(source)
    if folder is None:
        made = upload(opened, hub_id, where=where, private=private, licence=licence, overwrite=overwrite)
    else:
        made = write_dataset(opened, hub_id, folder, where=where, licence=licence, overwrite=overwrite)
    answer(to=folder or hub_id, instances=made.count, categories=made.categories, bytes=made.bytes)
    size = f"{made.bytes / 1e6:,.1f} MB"
    echo(f"{folder or hub_id}: {made.count:,} instances of {len(made.categories):,} categories, {size}")
    next_step("divergen", "pull", folder or hub_id, "--out", "instances.lance")


@click.command()
@click.argument("hub_id")
@click.option("--out", required=True, type=LocalPath(), help="A new instance table.")
@click.option("--revision", help="Branch, tag or commit.")
@click.option("--overwrite", is_flag=True, help="Replace a table that this made, if nobody changed it since.")
def pull(hub_id: str, out: Path, revision: str | None, overwrite: bool) -> None:
    """Take the instances of a dataset that `divergen push` published, or of a folder that it wrote, as a table.

    \b
    Example:
      divergen pull my-org/rare-things --out instances.lance
    """
    from ..hub import pull as download

    table = download(hub_id, out, revision=revision, overwrite=overwrite)
    answer(out=out, instances=table.count())
    echo(f"{out}: {table.count():,} instances")
    next_step("divergen-paste", "pool", out, "--out", "pool")
