"""Plain folders of pictures, for users without an instance table: scores, decisions and a page to look at."""

from __future__ import annotations

import csv
import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from divergen_records import (
    Category,
    ConfigError,
    DivergenError,
    InstanceRecord,
    InstanceTable,
    instance_id,
    short_hash,
)
from divergen_records.coco import Dataset, read_dataset
from divergen_records.data_options import open_dataset
from divergen_records.files import write_text, writing_text
from divergen_records.formats import OnProblem
from divergen_records.images import read_image, read_mask
from divergen_records.losses import Losses
from divergen_records.masks import encode_rle, label_components, segmentation_to_mask
from divergen_records.text import csv_cell
from numpy.typing import NDArray

from . import config
from .columns import FolderColumns
from .config import CropConfig
from .embed_real import reference_embeddings
from .embedder import Image, Mask
from .named_pictures import SUFFIXES, find_named
from .references import References
from .rules import RulesConfig
from .scoring import OPTIONAL_SCORES, score_table
from .sheet import write_sheet
from .whole_table import decide_table

__all__ = ["filter_folder"]

_MASK_SCORES = frozenset(["area_fraction", "components", "border_contact"])
_BATCH = 256


def filter_folder(
    folder: Path,
    real: Path,
    out: Path,
    *,
    images: Path | None = None,
    on_problem: OnProblem = "stop",
    losses: Losses | None = None,
    masks: Path | None = None,
    embedder: str = "efficientnet-lite0",
    settings: Sequence[str] = (),
    crop: CropConfig | None = None,
    scores: Sequence[str] = (),
    rules: RulesConfig | None = None,
) -> Iterator[str]:
    """Score and decide about pictures in folders; a line for each step. Killed at any time, the next call goes on.

    Args:
        folder: Holds a folder of pictures (JPEG, PNG, WebP) for each category, named as in the dataset or by its id; or
            a list of them, see `find_named`.
        real: COCO or LVIS file of real instances.
        out: Folder for ``decisions.csv``, ``decisions.json``, ``sheet.html``, and what is kept between calls.
        images: Folder of the real images; looked for where None.
        on_problem: What to do with real images and instances that have a problem.
        losses: Takes in the pictures that failed, and what reading the real instances left out.
        masks: Folder with a PNG mask at the place of each picture, or a COCO file whose ``file_name`` is the
            picture's path inside ``folder``; the whole picture counts as the object where None.
        embedder: Kind of the embedder.
        settings: Its settings, ``"key=value"``.
        crop: How the instances are cut out.
        scores: Names of further scores; see `divergen_filter.scoring.score_table`.
        rules: What is kept; the default rules where None, without those about masks where there are none.

    Raises:
        ConfigError: If there are no pictures, a folder is no category, or ``out`` was begun with another file of real
            instances.
    """
    dataset = open_dataset(real, images, split="train", on_problem=on_problem)
    lost = Losses() if losses is None else losses
    lost.extend(dataset.problems)
    found = find_named(folder, dataset, lost)
    rules = rules or _default_rules(masks is not None)
    references = out / "references.npz"
    _check_real(real, dataset, out, begun=references.exists())
    if not references.exists():
        model = config.build_embedder(embedder, settings)
        reference_embeddings(dataset, model, resume=out / "references.parts").save(references)
    yield f"{len(found)} pictures of {len({category.id for _, category in found})} categories"
    table = InstanceTable.create(out / "instances.lance", exist_ok=True)
    table.ensure_columns(FolderColumns)
    paths = _append(table, folder, found, _Masks(folder, masks))
    yield from score_table(table, references, embedder=embedder, settings=settings, crop=crop, scores=scores)
    loaded = References.load(references)
    report = decide_table(table, rules, loaded)
    rows = _write(table, paths, out)
    if table.count("error IS NULL"):
        write_sheet(table, out / "sheet.html", references=loaded, rules=rules, overwrite=True)
    lost.extend((row["path"], row["error"]) for row in rows if row["error"] is not None)
    yield from report.lines()
    yield f"kept {report.kept} of {len(rows)}, {len(lost)} failed; look at {out / 'sheet.html'}"


def _check_real(real: Path, dataset: Dataset, out: Path, *, begun: bool) -> None:
    """Note which real instances these are, so that no score is compared with another's: the file, or a folder's."""
    if real.is_file():
        content = real.read_bytes()
    else:
        names = {image.id: image.file_name for image in dataset.images}
        content = repr([(names[one.image_id], one.category_id, one.bbox) for one in dataset.annotations]).encode()
    noted, found = out / "real.sha256", hashlib.sha256(content).hexdigest()
    if begun and noted.exists() and noted.read_text(encoding="utf-8").strip() != found:
        raise ConfigError(f"{out} was begun with other real instances than {real} holds now; use another --out")
    if not begun:
        write_text(noted, f"{found}\n", overwrite=True)  # a call that was killed before its first crops left its own


def _default_rules(masked: bool) -> RulesConfig:
    rules = RulesConfig()
    if masked:
        return rules
    return rules.model_copy(update={"rules": tuple(rule for rule in rules.rules if rule.score not in _MASK_SCORES)})


class _Masks:
    """The mask of each picture."""

    def __init__(self, folder: Path, source: Path | None) -> None:
        self.folder, self.source = folder, source
        self._notes: Mapping[str, list[Any]] | None = None
        self._taken: dict[Path, Path] = {}
        if source is not None and not source.is_dir():
            dataset = read_dataset(source, image_dir=folder)
            self._notes = {image.file_name: dataset.annotations_of(image.id) for image in dataset.images}

    def of(self, picture: Path, image: Image) -> Mask:
        """(H, W) bool.

        Raises:
            ConfigError: If there is none, it does not fit, or it is another picture's, too.
        """
        if self.source is None:
            return np.ones(image.shape[:2], dtype=bool)
        inside = picture.relative_to(self.folder)
        if self._notes is not None:
            notes = self._notes.get(inside.as_posix(), [])
            if len(notes) != 1:
                raise ConfigError(f"{self.source} has {len(notes)} annotations of {inside.as_posix()}, one is needed")
            return segmentation_to_mask(notes[0].segmentation, *image.shape[:2])
        own = self.source / inside.with_name(f"{inside.name}.png")
        file = own if own.exists() else (self.source / inside).with_suffix(".png")
        first = self._taken.setdefault(file, inside)
        if first != inside:
            raise ConfigError(f"{file} is the mask of {first.as_posix()}, too; name each as its picture: {own.name}")
        return read_mask(file, size=(image.shape[0], image.shape[1]))


def _append(
    table: InstanceTable, folder: Path, found: Sequence[tuple[Path, Category]], masks: _Masks
) -> dict[str, str]:
    """Rows for the pictures that the table lacks; id -> path inside the folder, of all."""
    have, paths = table.ids(), dict[str, str]()
    records: list[InstanceRecord] = []
    for picture, category in found:
        inside = picture.relative_to(folder).as_posix()
        data = picture.read_bytes()
        identity = {
            "category": category.name,
            "prompt": inside,
            "generator": "folder",
            "generator_revision": short_hash(data.hex(), masks.source),
            "seed": 0,
        }
        name = instance_id(**identity)  # type: ignore[arg-type]  # the seed alone is a number
        paths[name] = inside
        if name in have:
            continue
        planned = InstanceRecord(
            id=name,
            category_id=category.id,
            frequency=category.frequency,
            **identity,
        )
        records.append(_complete(planned, picture, data, masks))
        if len(records) == _BATCH:
            table.append(records)
            records = []
    table.append(records)
    return paths


def _complete(planned: InstanceRecord, picture: Path, data: bytes, masks: _Masks) -> InstanceRecord:
    """The row with picture and mask; with an error where one of them is bad."""
    try:
        image = read_image(data)
        mask = masks.of(picture, image)
        if not mask.any():
            raise ConfigError("the mask is empty")
    except DivergenError as error:
        return planned.failed("folder", str(error))
    return planned.model_copy(
        update={
            "image": data,
            "image_format": SUFFIXES[picture.suffix.lower()],
            "height": image.shape[0],
            "width": image.shape[1],
            "mask": encode_rle(mask)["counts"],
            "area_fraction": float(mask.mean()),
            "components": len(label_components(mask)[1]),
            "border_contact": _border(mask),
            "annotator": "folder",
        }
    )


def _border(mask: NDArray[np.bool_]) -> float:
    return float(np.concatenate([mask[0], mask[-1], mask[1:-1, 0], mask[1:-1, -1]]).mean())


def _write(table: InstanceTable, paths: Mapping[str, str], out: Path) -> list[dict[str, Any]]:
    """``decisions.csv`` and ``decisions.json``: a row for each picture that is in the folder now."""
    from divergen_records.schema import COLUMNS, is_number_field

    first = ["id", "category", "kept", "reject_reason", "error", "inter_similarity", *OPTIONAL_SCORES, "area_fraction"]
    added = [field.name for field in table.schema if field.name not in COLUMNS and is_number_field(field)]
    names = [name for name in dict.fromkeys([*first, *added]) if name in table.columns]
    found = table.select(names).to_pylist()
    rows = [{"path": paths[row.pop("id")], **row} for row in found if row["id"] in paths]
    rows.sort(key=lambda row: row["path"])
    filled = {name for row in rows for name, value in row.items() if value is not None}
    keep = ["path", *(name for name in names[1:] if name in filled | {"kept", "reject_reason", "error"})]
    rows = [{name: _plain(row[name]) for name in keep} for row in rows]
    with writing_text(out / "decisions.csv", overwrite=True) as file:
        writer = csv.DictWriter(file, keep)
        writer.writeheader()
        writer.writerows({name: csv_cell(value) for name, value in row.items()} for row in rows)
    write_text(out / "decisions.json", json.dumps(rows, indent=1), overwrite=True)
    return rows


def _plain(value: Any) -> Any:
    """None for what JSON does not have; six digits of a score."""
    if not isinstance(value, float):
        return value
    return None if math.isnan(value) else round(value, 6)
