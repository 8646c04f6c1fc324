"""Pictures with several objects: a row each, whoever makes them and however often."""

from __future__ import annotations

import numpy as np
import pytest
from click.testing import CliRunner
from divergen_annotate import AnnotateStage, BestOf, ColourKey, Prediction
from divergen_annotate.cli import main
from divergen_annotate.objects import append_objects, object_id, remove_objects
from divergen_records import CommitError, ConfigError, InstanceTable, Shard, fill
from divergen_records.masks import decode_counts
from models import save_sam3


class Thirds:
    """Finds the left third of every picture, the others with lower scores, and one object without a pixel."""

    name, instances = "thirds", "all"

    def __call__(self, images):
        return [self._of(image) for image in images]

    def _of(self, image):
        thirds = []
        for number in range(3):
            mask = np.zeros(image.shape[:2], dtype=bool)
            width = image.shape[1] // 3
            mask[10:60, number * width + 2 : (number + 1) * width - 2] = True
            thirds.append(Prediction(mask, 0.9 - 0.2 * number, f"third={number}"))
        empty = Prediction(np.zeros(image.shape[:2], dtype=bool), 0.1)
        return Prediction(thirds[0].mask, 0.9, "third=0", (*thirds[1:], empty))


def rows_of(table):
    """All columns of all rows, by id."""
    return {row["id"]: row for row in table.select().to_pylist()}


def annotated(table, *shards):
    for shard in shards or (Shard(),):
        fill(table, AnnotateStage(Thirds()), shard=shard, progress=False)
        append_objects(table, shard=shard, progress=False)
    return rows_of(table)


def copied(table, tmp_path, name):
    """A table of the same rows."""
    other = InstanceTable.create(tmp_path / f"{name}.lance")
    other.append(list(table.records()))
    return other


def test_append_objects__a_row_each_with_the_same_picture(table):
    rows = annotated(table)
    firsts = [row for row in rows.values() if row["object_of"] is None and row["error"] is None]
    assert len(firsts) == 6 and len(rows) == 7 + 2 * 6  # one row is no picture
    for first in firsts:
        for number in (1, 2):
            row = rows[object_id(first["id"], number)]
            assert row["object_of"] == first["id"] and row["objects"] is None
            assert row["annotator"] == f"thirds third={number}"
            assert row["mask_score"] == pytest.approx(0.9 - 0.2 * number)
            same = ("image", "width", "height", "category", "prompt", "seed", "generator", "image_format")
            assert all(row[name] == first[name] for name in same)
            if first["prompt"] != "6":  # whose declared size is not its picture's
                mask = decode_counts(row["mask"], row["height"], row["width"])
                assert row["area_fraction"] == pytest.approx(mask.mean())
                assert row["bbox"][2] == np.ptp(np.nonzero(mask)[1]) + 1


def test_append_objects__again_or_by_shards_is_the_same(table, tmp_path):
    other, third = copied(table, tmp_path, "shards"), copied(table, tmp_path, "again")
    rows = annotated(table)
    assert append_objects(table, progress=False) == 0
    assert annotated(other, Shard(2, 3), Shard(0, 3), Shard(1, 3)) == rows
    fill(third, AnnotateStage(Thirds()), progress=False)
    assert fill(third, AnnotateStage(Thirds()), progress=False).done == 0
    append_objects(third, progress=False)
    assert rows_of(third) == rows
    for row in rows.values():  # a later stage's shard finds the objects of its pictures
        assert all(Shard(n, 7).has(row["id"]) == Shard(n, 7).has(row["object_of"] or row["id"]) for n in range(7))


def test_append_objects__killed_in_between_goes_on(table, tmp_path, monkeypatch):
    whole = copied(table, tmp_path, "whole")
    rows = annotated(whole)
    fill(table, AnnotateStage(Thirds()), progress=False)
    calls = []

    def dies(self, records):
        calls.append(len(records))
        raise CommitError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(InstanceTable, "append", dies)
        with pytest.raises(CommitError):
            append_objects(table, progress=False)
    assert calls == [12] and len(table.ids()) == 7
    append_objects(table, progress=False)
    assert rows_of(table) == rows


def test_remove_objects__before_masks_are_made_anew(table):
    before = table.ids()
    annotated(table)
    assert remove_objects(table) == 12
    assert table.ids() == before and table.count("objects IS NOT NULL") == 0
    table.clear(AnnotateStage.writes)
    fill(table, AnnotateStage(ColourKey(plain=0)), progress=False)
    assert append_objects(table, progress=False) == 0


def test_append_objects__nothing_where_no_annotator_finds_several(table):
    fill(table, AnnotateStage(ColourKey(plain=0)), progress=False)
    assert append_objects(table, progress=False) == remove_objects(table) == 0
    assert "objects" not in table.columns


def test_table__all_instances_by_sam3(table, tmp_path):
    (tmp_path / "sam3").mkdir()
    annotator = f"sam3,model={save_sam3(tmp_path / 'sam3')},threshold=0,device=cpu,instances=all"
    arguments = ["table", str(table.path), "--annotator", annotator, "--allow-losses"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    opened = InstanceTable.open(table.path)
    further = opened.count("object_of IS NOT NULL")
    assert further and f"{further} rows added, of further objects of these pictures" in result.output
    assert "rows added" not in CliRunner().invoke(main, arguments).output
    images = CliRunner().invoke(main, ["images", str(tmp_path), "--annotator", annotator, "--out", str(tmp_path / "o")])
    assert images.exit_code == 2 and "see divergen-annotate photos" in " ".join(images.output.split())


def test_best_of__keeps_one_mask():
    with pytest.raises(ConfigError, match="leave out instances=all"):
        BestOf([Thirds(), ColourKey()])
