"""To the hub and back."""

from __future__ import annotations

from pathlib import Path

from divergen_records import InstanceTable
from divergen_records.errors import ExistsError, require_extra
from divergen_records.folders import MARK, new_folder
from divergen_records.hub import hub_errors
from divergen_records.losses import Losses
from divergen_records.temporary import scratch_folder

from ..run import Run
from .card import describe
from .parquet import Published, read_instances, write_instances

__all__ = ["pull", "push", "write_dataset"]

_EMPTY = {".gitattributes", "README.md"}


def write_dataset(
    source: Run | InstanceTable,
    hub_id: str,
    out: Path,
    *,
    where: str = "kept",
    licence: str | None = None,
    overwrite: bool = False,
    losses: Losses | None = None,
) -> Published:
    """Write what `push` uploads to a folder: Parquet files, the card, and the run's report where there is one.

    Args:
        source: A run, or a table alone.
        hub_id: The dataset's name to be, ``ORG/NAME``, for the card.
        out: A new folder.
        where: SQL filter over the table's columns.
        licence: See `describe`.
        overwrite: Replace a folder that this wrote before.
        losses: Takes in the instances that have no picture or mask yet.

    Raises:
        TableError: If nothing fits the filter.
        ExistsError: If the folder is in use.
    """
    run = source if isinstance(source, Run) else None
    table = source.table if isinstance(source, Run) else source
    with new_folder(out, overwrite=overwrite) as folder:
        published = write_instances(table, folder, where=where, losses=losses)
        card = describe(published, hub_id, run=run, where=where, licence=licence)
        (folder / "README.md").write_text(card, encoding="utf-8")
        if run is not None and run.report.exists():
            (folder / "report.html").write_bytes(run.report.read_bytes())
    return published


def push(
    source: Run | InstanceTable,
    hub_id: str,
    *,
    where: str = "kept",
    private: bool = False,
    licence: str | None = None,
    overwrite: bool = False,
) -> Published:
    """Publish instances as a dataset of the hub; see `write_dataset`.

    Log in before by ``hf auth login`` or ``HF_TOKEN``. Interrupted, the same call uploads only what the hub lacks.

    Args:
        source: A run, or a table alone.
        hub_id: ``ORG/NAME``; made where it is not there.
        where: SQL filter over the table's columns.
        private: Make it private.
        licence: See `describe`.
        overwrite: Replace what the dataset holds.

    Raises:
        TableError: If nothing fits the filter.
        ExistsError: If the dataset holds something and may not be replaced.
        WeightsError: If the hub refuses, or is not reached.
    """
    with require_extra("divergen", "hub"):
        from huggingface_hub import HfApi

    api = HfApi()
    with scratch_folder() as place:
        folder = place / "dataset"
        published = write_dataset(source, hub_id, folder, where=where, licence=licence)
        with hub_errors(hub_id):
            api.create_repo(hub_id, repo_type="dataset", private=private, exist_ok=True)
            present = set(api.list_repo_files(hub_id, repo_type="dataset")) - _EMPTY
        if present and not overwrite:
            raise ExistsError(f"{hub_id} on the hub holds {len(present)} files; --overwrite replaces them")
        with hub_errors(hub_id):
            api.upload_folder(
                repo_id=hub_id,
                repo_type="dataset",
                folder_path=folder,
                commit_message=f"{published.count} instances",
                delete_patterns=["data/*", "report.html"],
                ignore_patterns=[MARK],
            )
    return published


def pull(hub_id: str, out: Path, *, revision: str | None = None, overwrite: bool = False) -> InstanceTable:
    """A table of the instances that `push` published: their own columns; scores are made again by the filter.

    Args:
        hub_id: ``ORG/NAME``, or a folder in the same layout.
        out: A new table.
        revision: Branch, tag or commit.
        overwrite: Replace a table that this made, if nobody changed it since.

    Raises:
        WeightsError: If the hub refuses, or is not reached.
        DatasetError: If it is no dataset of ours.
        ExistsError: If something is at ``out``.
    """
    if Path(hub_id).is_dir():
        return read_instances(Path(hub_id), out, overwrite=overwrite)
    with require_extra("divergen", "hub"):
        from huggingface_hub import snapshot_download
    with hub_errors(hub_id):
        folder = snapshot_download(hub_id, repo_type="dataset", revision=revision, allow_patterns=["data/*.parquet"])
    return read_instances(Path(folder), out, overwrite=overwrite)
