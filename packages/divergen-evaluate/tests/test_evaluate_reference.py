"""Parity with lvis-api and pycocotools, to 1e-6."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from divergen_evaluate.evaluate import evaluate_coco, evaluate_lvis
from divergen_evaluate.metrics import Metrics
from divergen_evaluate.testing import lvis_case
from divergen_records.coco import Dataset, read_dataset
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

# Printed by lvis 0.5.3: python packages/divergen-evaluate/benchmarks/_lvis_api.py
LVIS_API: list[tuple[int, dict[str, Any], str, list[float]]] = [
    (
        0,
        {},
        "bbox",
        [
            0.23069307,
            0.24504950,
            0.24504950,
            0.00000000,
            0.25297030,
            -1.00000000,
            0.45445545,
            0.00000000,
            0.23415842,
            0.25750000,
            0.00000000,
            0.28750000,
            -1.00000000,
        ],
    ),
    (
        0,
        {},
        "segm",
        [
            0.23069307,
            0.24504950,
            0.24504950,
            0.00000000,
            0.25297030,
            -1.00000000,
            0.45445545,
            0.00000000,
            0.23415842,
            0.25750000,
            0.00000000,
            0.28750000,
            -1.00000000,
        ],
    ),
    (
        1,
        {"crowds": 0.3},
        "bbox",
        [
            0.42320132,
            0.48795380,
            0.45047148,
            0.66336634,
            0.52931813,
            0.95000000,
            0.36369637,
            0.56230080,
            0.38340405,
            0.60069444,
            0.66250000,
            0.61666667,
            1.00000000,
        ],
    ),
    (
        1,
        {"crowds": 0.3},
        "segm",
        [
            0.39929986,
            0.46797501,
            0.41749175,
            0.66336634,
            0.49979903,
            0.85000000,
            0.33795380,
            0.50842056,
            0.37541254,
            0.58888889,
            0.66250000,
            0.59583333,
            1.00000000,
        ],
    ),
    (
        2,
        {"images": 1},
        "bbox",
        [
            0.71848185,
            0.83498350,
            0.83498350,
            -1.00000000,
            0.71848185,
            -1.00000000,
            0.40396040,
            -1.00000000,
            0.87574257,
            0.75000000,
            -1.00000000,
            0.75000000,
            -1.00000000,
        ],
    ),
    (
        2,
        {"images": 1},
        "segm",
        [
            0.68514851,
            0.83498350,
            0.83498350,
            -1.00000000,
            0.68514851,
            -1.00000000,
            0.40396040,
            -1.00000000,
            0.82574257,
            0.75000000,
            -1.00000000,
            0.75000000,
            -1.00000000,
        ],
    ),
    (
        3,
        {"objects": 30},
        "bbox",
        [
            0.48771231,
            0.55825362,
            0.50340407,
            0.61922442,
            0.47673133,
            0.00000000,
            0.42694718,
            0.53899848,
            0.49245180,
            0.60982143,
            0.64880952,
            0.61923701,
            0.00000000,
        ],
    ),
    (
        3,
        {"objects": 30},
        "segm",
        [
            0.45866267,
            0.54177947,
            0.48091438,
            0.61262376,
            0.44130383,
            0.00000000,
            0.40049361,
            0.52762757,
            0.45326475,
            0.58687500,
            0.64464286,
            0.58778680,
            0.00000000,
        ],
    ),
    (
        4,
        {"images": 40},
        "bbox",
        [
            0.40307612,
            0.47501576,
            0.42851317,
            0.34447195,
            0.47174173,
            0.26608911,
            0.39253442,
            0.45566027,
            0.38205490,
            0.52396965,
            0.41351190,
            0.56364583,
            0.33333333,
        ],
    ),
    (
        4,
        {"images": 40},
        "segm",
        [
            0.36424932,
            0.46315583,
            0.38193980,
            0.31963402,
            0.42773970,
            0.25495050,
            0.33989744,
            0.42154567,
            0.34777708,
            0.49234823,
            0.38476190,
            0.52821429,
            0.33333333,
        ],
    ),
]

ToDataset = Callable[[dict[str, Any]], Dataset]


@pytest.fixture(scope="module")
def to_dataset(tmp_path_factory: pytest.TempPathFactory) -> ToDataset:
    path = tmp_path_factory.mktemp("truth") / "truth.json"

    def convert(truth: dict[str, Any]) -> Dataset:
        path.write_text(json.dumps(truth))
        return read_dataset(path)

    return convert


def numbers(metrics: Metrics, kind: str) -> list[float]:
    name = {"bbox": "box", "segm": "mask"}[kind]
    scores = {**getattr(metrics, name).model_dump(), **getattr(metrics, f"{name}_recall")}
    return [-1.0 if value is None else value for value in scores.values()]


@pytest.mark.parametrize(("seed", "kwargs", "kind", "expected"), LVIS_API)
def test_evaluate_lvis__as_lvis_api_printed(
    to_dataset: ToDataset, seed: int, kwargs: dict[str, Any], kind: str, expected: list[float]
) -> None:
    truth, results = lvis_case(seed, **kwargs)
    assert numbers(evaluate_lvis(results, to_dataset(truth)), kind) == pytest.approx(expected, abs=1e-6)


def coco_numbers(metrics: Metrics, kind: str) -> list[float]:
    """The twelve that pycocotools gives too."""
    found = numbers(metrics, kind)
    return found[:6] + found[9:]


def reference(truth: dict[str, Any], results: list[dict[str, Any]], kind: str) -> list[float]:
    """AP, AP50, AP75, APs, APm, APl, AR1, AR10, AR100, ARs, ARm, ARl of pycocotools."""
    with contextlib.redirect_stdout(io.StringIO()):
        ground_truth = COCO()
        ground_truth.dataset = json.loads(json.dumps(truth))
        ground_truth.createIndex()
        evaluation = COCOeval(ground_truth, ground_truth.loadRes(json.loads(json.dumps(results))), kind)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return [float(value) for value in evaluation.stats]


@given(
    st.integers(0, 2**32),
    st.integers(1, 12),
    st.sampled_from([0.0, 0.3, 1.0]),
    st.sampled_from([2, 7, 20]),
    st.sampled_from(["bbox", "segm"]),
)
@example(0, 3, 0.3, 60, "segm")  # more than 100 detections of a category on an image
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_evaluate_coco__equals_pycocotools(
    to_dataset: ToDataset, seed: int, images: int, crowds: float, objects: int, kind: str
) -> None:
    truth, results = lvis_case(seed, images=images, crowds=crowds, objects=objects, masks=kind == "segm")
    if results:
        metrics = evaluate_coco(results, to_dataset(truth))
        assert coco_numbers(metrics, kind) == pytest.approx(reference(truth, results, kind), abs=1e-6)


def test_evaluate_coco__sizes_from_masks_where_boxes_are_left_out(to_dataset: ToDataset) -> None:
    truth, results = lvis_case(5, images=20)
    bare = [{key: value for key, value in row.items() if key != "bbox"} for row in results]
    metrics = evaluate_coco(bare, to_dataset(truth))
    assert coco_numbers(metrics, "segm") == pytest.approx(reference(truth, bare, "segm"), abs=1e-6)
    assert metrics.mask.APs != evaluate_coco(results, to_dataset(truth)).mask.APs


def test_evaluate_lvis__boxes_alone(to_dataset: ToDataset) -> None:
    truth, results = lvis_case(6)
    boxes = [{key: value for key, value in row.items() if key != "segmentation"} for row in results]
    metrics = evaluate_lvis(boxes, to_dataset(truth))
    assert metrics.box == evaluate_lvis(results, to_dataset(truth)).box
    assert set(metrics.mask.model_dump().values()) == {None}


def test_evaluate_lvis__what_has_no_area_is_not_seen(to_dataset: ToDataset) -> None:
    """lvis-api looks only at areas above 0: a flat detection is no error, a flat object is not missed."""
    truth, results = lvis_case(9, images=20)
    flat = [{**row, "bbox": [*row["bbox"][:2], 0.0, 5.0], "score": 3.0} for row in results]
    assert evaluate_lvis(flat + results, to_dataset(truth)) == evaluate_lvis(results, to_dataset(truth)).model_copy(
        update={"detections": 2 * len(results)}
    )
    objects = truth["annotations"]
    absent = [{**row, "id": row["id"] + len(objects), "area": 0.0} for row in objects]
    more = evaluate_lvis(results, to_dataset({**truth, "annotations": objects + absent}))
    assert more.mask == evaluate_lvis(results, to_dataset(truth)).mask
    assert evaluate_coco(flat + results, to_dataset(truth)).mask != evaluate_coco(results, to_dataset(truth)).mask


def test_evaluate_lvis__fixed_has_no_limit_by_image(to_dataset: ToDataset) -> None:
    """A rare object below 300 better detections on its image is found by AP-fixed only."""
    truth, results = lvis_case(7, images=1)
    row = {**results[0], "score": 0.9, "category_id": 3}
    truth["annotations"] = [{**truth["annotations"][0], "category_id": 9, "bbox": row["bbox"],
                             "segmentation": row["segmentation"]}]  # fmt: skip
    truth["images"][0] |= {"neg_category_ids": [3], "not_exhaustive_category_ids": []}
    metrics = evaluate_lvis([row] * 300 + [{**row, "score": 0.1, "category_id": 9}], to_dataset(truth), fixed=True)
    assert metrics.mask.APr == 0.0
    assert metrics.mask_fixed is not None
    assert metrics.box_fixed is not None
    assert metrics.mask_fixed.APr == metrics.box_fixed.APr == 1.0
    assert "mask fixed" in metrics.table()


def test_evaluate_lvis__fixed_limits_each_category(to_dataset: ToDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    from divergen_evaluate import evaluate
    from divergen_evaluate.selection import Rules

    monkeypatch.setattr(evaluate, "FIXED_RULES", Rules(per_category=1))
    truth, results = lvis_case(8, images=10)
    fixed = evaluate_lvis(results, to_dataset(truth), fixed=True).mask_fixed
    best = {}
    for row in results:
        if row["category_id"] not in best or row["score"] > best[row["category_id"]]["score"]:
            best[row["category_id"]] = row
    expected = evaluate_lvis(list(best.values()), to_dataset(truth)).mask
    assert fixed == expected
    assert np.isfinite(expected.AP or 0)


def test_evaluate_lvis__objects_without_masks_are_judged_by_boxes(to_dataset: ToDataset) -> None:
    truth, results = lvis_case(6)
    path = to_dataset(truth).path
    bare = [{key: value for key, value in row.items() if key != "segmentation"} for row in truth["annotations"]]
    path.write_text(json.dumps({**truth, "annotations": bare}))
    metrics = evaluate_lvis(results, read_dataset(path, boxes=True))
    assert metrics.box == evaluate_lvis(results, to_dataset(truth)).box
    assert set(metrics.mask.model_dump().values()) == {None}
    assert (metrics.kinds, metrics.mask_recall) == (("box",), {})
    assert "mask" not in metrics.table(per_category=True)


@pytest.mark.parametrize("nothing", [None, []])
def test_evaluate_coco__results_whose_masks_are_empty_are_judged_by_boxes(to_dataset: ToDataset, nothing: Any) -> None:
    truth, results = lvis_case(6)
    boxes = [{**row, "segmentation": nothing} for row in results]
    metrics = evaluate_coco(boxes, to_dataset(truth))
    assert coco_numbers(metrics, "bbox") == coco_numbers(evaluate_coco(results, to_dataset(truth)), "bbox")
    assert metrics.kinds == ("box",)


def test_metrics__of_a_release_without_recall_are_read(to_dataset: ToDataset) -> None:
    truth, results = lvis_case(6)
    metrics = evaluate_lvis(results, to_dataset(truth))
    assert Metrics.model_validate_json(metrics.model_dump_json()) == metrics
    older = Metrics.model_validate(metrics.model_dump(exclude={"box_recall", "mask_recall"}))
    assert older.mask == metrics.mask
    assert "AR" not in older.table()
    assert "AR@300" in metrics.table()
