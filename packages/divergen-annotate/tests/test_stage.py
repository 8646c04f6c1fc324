from __future__ import annotations

import numpy as np
import pytest
from divergen_annotate import AnnotateStage, ColourKey, GrabCut, Prediction, TrueAlpha
from divergen_annotate.config import RepairConfig
from divergen_annotate.quality import iou, solidity, thin_share
from divergen_records import fill
from divergen_records.masks import decode_counts
from divergen_records.stage import Stage


def test_annotate_stage__fills_a_table(table, pictures):
    stage = AnnotateStage(GrabCut())
    assert isinstance(stage, Stage) and stage.writes[0] == "area_fraction"
    report = fill(table, stage, progress=False)
    assert (report.done, report.failed) == (5, 2)
    rows = {row.prompt: row for row in table.records()}
    for number, (_, truth) in enumerate(pictures):
        row = rows[str(number)]
        mask = decode_counts(row.mask, *truth.shape)
        assert iou(mask, truth) > 0.95
        assert row.area_fraction == pytest.approx(mask.mean())
        assert (row.annotator, row.components, row.border_contact) == ("grabcut", 1, 0)
        assert row.solidity == pytest.approx(solidity(mask))
        assert row.thin_share == pytest.approx(thin_share(mask))
        assert row.bbox[2] == np.ptp(np.flatnonzero(mask.any(axis=0))) + 1
    assert "cannot be read" in rows["5"].error or "no picture" in rows["5"].error
    assert rows["6"].error.startswith("no object found") and rows["6"].mask is None


def test_annotate_stage__true_alpha_reads_alpha(table, pictures):
    stage = AnnotateStage(TrueAlpha(), repair=None)
    assert stage.reads == ("alpha",)
    assert fill(table, stage, progress=False).done == 5
    rows = {row.prompt: row for row in table.records("mask IS NOT NULL")}
    assert np.array_equal(decode_counts(rows["2"].mask, *pictures[2][1].shape), pictures[2][1])


def test_annotate_stage__full_mask_is_a_row_error(table):
    class Everything:
        name = "everything"

        def __call__(self, images):
            return [Prediction(np.ones(image.shape[:2], dtype=bool), 1.0) for image in images]

    assert fill(table, AnnotateStage(Everything()), progress=False).failed == 7
    assert any("covers the whole 128 × 96 picture" in row.error for row in table.records())


def test_annotate_stage__counts_components_before_the_repair(table):
    class Two:
        name = "two"

        def __call__(self, images):
            mask = np.zeros(images[0].shape[:2], dtype=bool)
            mask[5:30, 5:30] = mask[40:50, 40:60] = True
            return [Prediction(mask, 0.5) for _ in images]

    row = next(table.records("alpha IS NOT NULL"))
    result = AnnotateStage(Two(), repair=RepairConfig(keep_share=1).build())({"image": [row.image]})
    assert result["components"] == [2]
    assert result["area_fraction"][0] == pytest.approx(25 * 25 / (96 * 128))


def test_colour_key__finds_what_differs(pictures):
    for prediction, (_, truth) in zip(ColourKey()([image for image, _ in pictures]), pictures, strict=True):
        assert iou(prediction.mask, truth) > 0.7


def test_prediction__checks_itself():
    with pytest.raises(ValueError, match="bool"):
        Prediction(np.zeros((2, 2)), 0.5)
    with pytest.raises(ValueError, match="between 0 and 1"):
        Prediction(np.zeros((2, 2), dtype=bool), 1.5)
