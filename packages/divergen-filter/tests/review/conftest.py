from __future__ import annotations

import numpy as np
import pytest
from divergen_filter.columns import FolderColumns, SimilarityColumns, VlmColumns
from divergen_filter.review.desk import Desk
from divergen_filter.review.rows import ReviewRows
from divergen_filter.review.verdicts import VerdictLog, log_path
from divergen_filter.rules import Rule, RulesConfig
from divergen_records import InstanceTable
from divergen_records.images import encode_image
from divergen_records.masks import encode_rle
from divergen_records.testing import plan_instances

COUNT = 60
RULES = RulesConfig(rules=(Rule(score="inter_similarity", op=">=", threshold=0.5),))


def make_table(path, count=COUNT, prompt=None, **scores):
    """Rows of three categories whose inter-similarity rises from 0 to 1; ``scores`` are other ones, N values each."""
    scores = {"inter_similarity": [number / count for number in range(count)], **scores}
    image = np.full((32, 32, 3), 230, dtype=np.uint8)
    mask = np.zeros((32, 32), dtype=bool)
    mask[8:24, 6:26] = True
    image[mask] = (200, 40, 40)
    changes = {
        "image": encode_image(image, "png"),
        "image_format": "png",
        "width": 32,
        "height": 32,
        "mask": encode_rle(mask)["counts"],
        "area_fraction": 0.3,
        "bbox": (6.0, 8.0, 20.0, 16.0),
        "annotator": "test",
    }
    table = InstanceTable.create(path)
    for columns in (SimilarityColumns, VlmColumns):
        table.ensure_columns(columns, scores.keys() & columns.model_fields)
    table.ensure_columns(FolderColumns)
    rows = (dict(zip(scores, values, strict=True)) for values in zip(*scores.values(), strict=True))
    records = [
        record.model_copy(update={**changes, "prompt": prompt or record.prompt, **row})
        for record, row in zip(plan_instances(count), rows, strict=True)
    ]
    table.append(records)
    return table


@pytest.fixture
def reviewed(tmp_path):
    """A table without verdicts."""
    return make_table(tmp_path / "instances.lance")


@pytest.fixture
def desk(reviewed):
    return Desk(ReviewRows(reviewed, VerdictLog(log_path(reviewed.path)), RULES))


@pytest.fixture
def rules():
    """Half of the rows are kept."""
    return RULES


@pytest.fixture
def table_maker():
    return make_table
