from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from divergen_evaluate.evaluate import MAX_DETECTIONS, evaluate_lvis, read_results
from divergen_records.coco import Dataset
from divergen_records.errors import DatasetError
from divergen_records.masks import encode_rle, mask_to_bbox

MakeDataset = Callable[..., Dataset]


def square(x: int, y: int, side: int, size: int = 64) -> np.ndarray:
    mask = np.zeros((size, size), bool)
    mask[y : y + side, x : x + side] = True
    return mask


def result(image_id: int, category_id: int, mask: np.ndarray, score: float) -> dict[str, Any]:
    return {
        "image_id": image_id,
        "category_id": category_id,
        "bbox": list(mask_to_bbox(mask)),
        "score": score,
        "segmentation": encode_rle(mask),
    }


def test_evaluate_lvis__perfect(make_dataset: MakeDataset) -> None:
    rows = [(1, 1, square(0, 0, 10)), (1, 2, square(20, 20, 40))]
    truth = make_dataset(rows, frequencies={1: "r", 2: "c"})
    metrics = evaluate_lvis([result(*row, 0.9) for row in rows], truth)
    assert metrics.mask.AP == metrics.box.AP == 1.0
    assert metrics.mask.APr == metrics.mask.APc == 1.0
    assert metrics.mask.APf is None
    assert metrics.mask.APs == metrics.mask.APm == 1.0
    assert metrics.mask.APl is None
    assert [row.mask for row in metrics.categories] == [1.0, 1.0]


def test_evaluate_lvis__missed_category_counts_as_zero(make_dataset: MakeDataset) -> None:
    rows = [(1, 1, square(0, 0, 10)), (1, 2, square(20, 20, 40))]
    truth = make_dataset(rows, frequencies={1: "r", 2: "f"})
    metrics = evaluate_lvis([result(*rows[0], 0.9)], truth)
    assert (metrics.mask.AP, metrics.mask.APr, metrics.mask.APf) == (0.5, 1.0, 0.0)


def test_evaluate_lvis__no_results(make_dataset: MakeDataset) -> None:
    truth = make_dataset([(1, 1, square(0, 0, 10))], frequencies={1: "r"})
    metrics = evaluate_lvis([], truth)
    assert metrics.mask.AP == metrics.box.AP == 0.0
    assert metrics.detections == 0


def test_evaluate_lvis__category_without_truth_is_none(make_dataset: MakeDataset) -> None:
    truth = make_dataset([(1, 1, square(0, 0, 10))], frequencies={1: "f", 7: "r"})
    metrics = evaluate_lvis([result(1, 1, square(0, 0, 10), 0.5)], truth)
    assert metrics.mask.APr is None
    assert metrics.categories[1].mask is None
    assert "–" in metrics.table(per_category=True)


@pytest.mark.parametrize(
    ("negatives", "not_exhaustive", "expected"),
    [
        ({}, {1: (2,)}, 1.0),  # image 2 says nothing about category 1: not judged there
        ({2: (1,)}, {}, 0.5),  # image 2 has certainly none: false positive above the true one
        ({2: (1,)}, {2: (1,)}, 1.0),  # not every one is annotated there: no error
    ],
)
def test_evaluate_lvis__federated(
    make_dataset: MakeDataset,
    negatives: dict[int, tuple[int, ...]],
    not_exhaustive: dict[int, tuple[int, ...]],
    expected: float,
) -> None:
    mask = square(0, 0, 10)
    truth = make_dataset(
        [(1, 1, mask)], frequencies={1: "f", 2: "f"}, images=2, negatives=negatives, not_exhaustive=not_exhaustive
    )
    metrics = evaluate_lvis([result(1, 1, mask, 0.5), result(2, 1, mask, 0.9)], truth)
    assert metrics.federated
    assert pytest.approx(expected) == metrics.mask.AP


def test_evaluate_lvis__coco_is_exhaustive(make_dataset: MakeDataset) -> None:
    mask = square(0, 0, 10)
    truth = make_dataset([(1, 1, mask)], frequencies={1: "f"}, images=2)
    results = [result(1, 1, mask, 0.5), result(2, 1, mask, 0.9)]
    metrics = evaluate_lvis(results, truth)
    assert not metrics.federated
    assert pytest.approx(0.5) == metrics.mask.AP
    assert evaluate_lvis(results, truth, federated=True).mask.AP == 1.0


def test_evaluate_lvis__counts_300_an_image_over_all_categories(make_dataset: MakeDataset) -> None:
    mask = square(0, 0, 10)
    truth = make_dataset([(1, 1, mask)], frequencies={1: "f", 2: "f"}, negatives={1: (2,)})
    crowd = [result(1, 2, square(30, 30, 5), 0.9) for _ in range(MAX_DETECTIONS)]
    assert evaluate_lvis([*crowd[:-1], result(1, 1, mask, 0.1)], truth).mask.AP == 1.0
    metrics = evaluate_lvis([*crowd, result(1, 1, mask, 0.1)], truth)
    assert metrics.mask.AP == 0.0
    assert metrics.detections == MAX_DETECTIONS


def test_evaluate_lvis__bbox_from_mask(make_dataset: MakeDataset) -> None:
    mask = square(3, 4, 10)
    row = result(1, 1, mask, 0.5)
    del row["bbox"]
    assert evaluate_lvis([row], make_dataset([(1, 1, mask)], frequencies={1: "f"})).box.AP == 1.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image_id": 99}, "result 0: image_id 99 is not in"),
        ({"category_id": 99}, "result 0: category_id 99 is not in"),
        ({"image_id": [1]}, r"result 0: image_id \[1\] is not in"),
        ({"score": "half"}, "result 0: its score is 'half'"),
        ({"score": float("nan")}, "result 0: its score is nan"),
        ({"segmentation": {"size": [4, 4], "counts": "0"}}, "result 0: its mask"),
        ({"segmentation": "abc"}, "result 0: its mask"),
    ],
)
def test_evaluate_lvis__refuses(make_dataset: MakeDataset, change: dict[str, Any], message: str) -> None:
    mask = square(0, 0, 10)
    truth = make_dataset([(1, 1, mask)], frequencies={1: "f"})
    with pytest.raises(DatasetError, match=message):
        evaluate_lvis([{**result(1, 1, mask, 0.5), **change}], truth)


def test_evaluate_lvis__refuses_missing_key(make_dataset: MakeDataset) -> None:
    with pytest.raises(DatasetError, match="result 0: has no 'category_id'"):
        evaluate_lvis([{"image_id": 1}], make_dataset([(1, 1, square(0, 0, 9))], frequencies={1: "f"}))


@pytest.mark.parametrize("text", ["{", '{"a": 1}', "[1]"])
def test_read_results__not_results(tmp_path: Path, text: str) -> None:
    (tmp_path / "results.json").write_text(text)
    with pytest.raises(DatasetError, match=r"results\.json: not a list of COCO results"):
        read_results(tmp_path / "results.json")


def random_case(make_dataset: MakeDataset, seed: int) -> tuple[Dataset, list[dict[str, Any]]]:
    """Truth with federated lists, and results: moved copies, duplicates, wrong categories, many ties of score."""
    rng = np.random.default_rng(seed)
    categories = {3: "r", 1: "c", 8: "f", 5: "f", 9: "r"}
    rows, results = [], []
    images = 6
    for image_id in range(1, images + 1):
        for _ in range(int(rng.integers(0, 7))):
            x, y, side = (int(value) for value in rng.integers([0, 0, 4], [80, 80, 60]))
            category = int(rng.choice([3, 1, 8, 5]))
            rows.append((image_id, category, square(x, y, side, size=140)))
            for _ in range(int(rng.integers(0, 4))):
                dx, dy, grow = (int(value) for value in rng.integers(-4, 5, 3))
                mask = square(max(x + dx, 0), max(y + dy, 0), max(side + grow, 2), size=140)
                label = category if rng.random() < 0.8 else int(rng.choice(list(categories)))
                results.append(result(image_id, label, mask, float(np.round(rng.random(), 1))))
    pick = {i: tuple(int(c) for c in rng.choice(list(categories), 2, replace=False)) for i in range(1, images + 1)}
    truth = make_dataset(
        rows,
        frequencies=categories,
        images=images,
        negatives=pick,
        not_exhaustive={i: (int(rng.choice(list(categories))),) for i in range(1, images + 1)},
    )
    return truth, results


@pytest.mark.parametrize("seed", range(5))
def test_evaluate_lvis__equals_lvis_api(
    make_dataset: MakeDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    lvis = pytest.importorskip("lvis", reason="lvis-api is not installed", exc_type=ImportError)
    monkeypatch.setattr(np, "float", float, raising=False)  # lvis-api 0.5.3 is from before numpy 1.24
    truth, results = random_case(make_dataset, seed)
    metrics = evaluate_lvis(results, truth)
    path = tmp_path / "lvis.json"
    path.write_text(json.dumps(lvis_json(truth)))
    for kind, scores in (("bbox", metrics.box), ("segm", metrics.mask)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ground_truth = lvis.LVIS(str(path))
            rows = [dict(row) for row in results]
            evaluation = lvis.LVISEval(ground_truth, lvis.LVISResults(ground_truth, rows), kind)
            evaluation.run()
        recalls = metrics.box_recall if kind == "bbox" else metrics.mask_recall
        for name, value in {**scores.model_dump(), **recalls}.items():
            reference = evaluation.results[f"{name}@300" if name in ("ARs", "ARm", "ARl") else name]
            assert (value if value is not None else -1) == pytest.approx(reference, abs=1e-6), (kind, name)


def lvis_json(dataset: Dataset) -> dict[str, Any]:
    return {
        "images": [
            {
                "id": image.id,
                "width": image.width,
                "height": image.height,
                "neg_category_ids": list(image.neg_category_ids),
                "not_exhaustive_category_ids": list(image.not_exhaustive_category_ids),
            }
            for image in dataset.images
        ],
        "annotations": [
            {
                "id": a.id,
                "image_id": a.image_id,
                "category_id": a.category_id,
                "bbox": list(a.bbox),
                "area": a.area,
                "segmentation": a.segmentation,
            }
            for a in dataset.annotations
        ],
        "categories": [{"id": c.id, "name": c.name, "frequency": c.frequency} for c in dataset.categories],
    }
