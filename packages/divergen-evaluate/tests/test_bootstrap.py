from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from divergen_evaluate.average_precision import average_precision
from divergen_evaluate.bootstrap import (
    METRICS,
    compare_results,
    evaluate_with_intervals,
    resampled_precision,
    resampled_scores,
)
from divergen_evaluate.cli import main
from divergen_evaluate.evaluate import evaluate_coco, evaluate_lvis
from divergen_evaluate.files import repeats_notice
from divergen_evaluate.selection import COCO_RULES, LVIS_RULES, match_results
from divergen_evaluate.submission import export_results
from divergen_evaluate.testing import lvis_case
from divergen_records import Category
from divergen_records.coco import Annotation, Dataset, ImageInfo, read_dataset
from divergen_records.errors import ConfigError, DatasetError
from divergen_records.losses import Losses


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> tuple[Dataset, list[dict[str, Any]], Path]:
    truth, results = lvis_case(3, images=60, crowds=0.1)
    path = tmp_path_factory.mktemp("case") / "truth.json"
    path.write_text(json.dumps(truth))
    return read_dataset(path), results, path


def test_intervals__of_no_images_are_none(tmp_path: Path) -> None:
    nothing = Dataset(tmp_path / "truth.json", tmp_path, [], [], [Category(id=1, name="cup")]).counted()
    intervals = evaluate_with_intervals([], nothing, resamples=40).intervals
    assert intervals is not None and intervals.box == dict.fromkeys(METRICS)
    assert compare_results([], [], nothing, resamples=40).differences == ()


@pytest.mark.parametrize("rules", [LVIS_RULES, COCO_RULES])
def test_resampled_precision__every_image_once_is_the_evaluation(case: Any, rules: Any) -> None:
    dataset, results, _ = case
    for matches in match_results(results, dataset, rules).matches.values():
        expected = average_precision(matches, len(dataset.categories))[0]
        resampled = resampled_precision(matches, np.ones((1, len(dataset.images)), np.float32), 5)
        np.testing.assert_allclose(resampled[0], expected, atol=1e-6)


@pytest.mark.parametrize(("rules", "evaluate"), [(LVIS_RULES, evaluate_lvis), (COCO_RULES, evaluate_coco)])
def test_resampled_precision__equals_the_evaluation_of_a_copied_data_set(case: Any, rules: Any, evaluate: Any) -> None:
    """Weights are copies: images drawn 0 to 3 times against a file in which they stand so often."""
    dataset, results, path = case
    weights = np.random.default_rng(0).integers(0, 4, len(dataset.images))
    order = sorted(image.id for image in dataset.images)
    truth, copies = json.loads(path.read_text()), []
    made: dict[str, list[Any]] = {"images": [], "annotations": []}
    for image_id, count in zip(order, weights.tolist(), strict=True):
        for copy in range(count):
            new = image_id * 10 + copy
            made["images"] += [{**row, "id": new} for row in truth["images"] if row["id"] == image_id]
            for row in truth["annotations"]:
                if row["image_id"] == image_id:
                    made["annotations"].append({**row, "id": len(made["annotations"]) + 1, "image_id": new})
            copies += [{**row, "image_id": new} for row in results if row["image_id"] == image_id]
    copied = path.with_name("copied.json")
    copied.write_text(json.dumps({**truth, **made}))
    metrics = evaluate(copies, read_dataset(copied))
    for kind, matches in match_results(results, dataset, rules).matches.items():
        resampled = resampled_precision(matches, weights[None].astype(np.float32), 5)[0]
        # Scores tie between images, and the order of equal scores may differ by copies: that moves the last digits.
        expected = getattr(metrics, kind).AP
        assert float(np.nanmean(resampled)) == pytest.approx(expected, abs=2e-3)


def test_evaluate_with_intervals__around_the_score_and_repeatable(case: Any) -> None:
    dataset, results, _ = case
    metrics = evaluate_with_intervals(results, dataset, resamples=200)
    assert metrics.intervals is not None
    for kind in ("box", "mask"):
        for name in METRICS:
            low, high = getattr(metrics.intervals, kind)[name]
            assert low < high
            assert high - low < 0.4
    assert metrics == evaluate_with_intervals(results, dataset, resamples=200)
    assert metrics.model_copy(update={"intervals": None}) == evaluate_lvis(results, dataset)
    assert "from" in metrics.table()


def test_evaluate_with_intervals__hold_the_truth_about_as_often_as_they_say() -> None:
    """Of 40 small data sets of one kind, the 90 % intervals of most hold the AP of the whole; percentiles held 23."""
    truth, results = lvis_case(11, images=600)
    whole = _memory(truth, set(range(1, 601)))
    population = evaluate_lvis(results, whole).mask.AP
    assert population is not None
    rng, inside = np.random.default_rng(0), 0
    for _ in range(40):
        ids = {int(index) for index in rng.choice(np.arange(1, 601), 40, replace=False)}
        mine = [row for row in results if row["image_id"] in ids]
        metrics = evaluate_with_intervals(mine, _memory(truth, ids), resamples=100, level=0.9)
        low, high = metrics.intervals.mask["AP"]  # type: ignore[union-attr,misc]
        inside += low <= population <= high
    assert inside >= 31


def _memory(truth: dict[str, Any], ids: set[int]) -> Dataset:
    """The file's images with these ids."""
    images = [
        ImageInfo(**{key: tuple(value) if isinstance(value, list) else value for key, value in row.items()})
        for row in truth["images"]
        if row["id"] in ids
    ]
    rows = [row for row in truth["annotations"] if row["image_id"] in ids]
    annotations = [Annotation(stored_segmentation=row.pop("segmentation"), **row) for row in map(dict, rows)]
    return Dataset(Path("t.json"), Path(), images, annotations, [Category(**row) for row in truth["categories"]])


def test_compare_results__luck_and_gain(case: Any) -> None:
    dataset, results, path = case
    rng = np.random.default_rng(1)
    noise = [{**row, "score": row["score"] + float(rng.normal(0, 0.01))} for row in results]
    better = [row for row in results if rng.random() < 0.7 or row["score"] > 0.5]
    better += [
        {"image_id": a.image_id, "category_id": a.category_id, "score": 1.5, "bbox": list(a.bbox),
         "segmentation": a.segmentation}
        for a in dataset.annotations
    ]  # fmt: skip
    luck = {(row.kind, row.metric): row for row in compare_results(results, noise, dataset, resamples=100).differences}
    gain = {(row.kind, row.metric): row for row in compare_results(results, better, dataset, resamples=100).differences}
    assert not luck["mask", "AP"].clear
    assert gain["mask", "AP"].clear
    assert gain["mask", "AP"].low > 0
    assert gain["mask", "AP"].first == evaluate_lvis(results, dataset).mask.AP
    same = compare_results(results, results, dataset, resamples=50).differences
    assert all(row.low == row.high == 0 and not row.clear for row in same)
    for name, rows in (("a", results), ("b", better)):
        path.with_name(f"{name}.json").write_text(json.dumps(rows))
    run = CliRunner().invoke(main, ["ap", str(path.with_name("a.json")), str(path.with_name("b.json")), "--gt",
                                    str(path), "--resamples", "50"])  # fmt: skip
    assert run.exit_code == 0, run.output
    assert "better" in run.output


def test_resampled_scores__kept_apart_they_pair_as_compared_together(case: Any) -> None:
    dataset, results, _ = case
    worse = results[::2]
    kept = [resampled_scores(rows, dataset, resamples=60, seed=4) for rows in (worse, results)]
    (together,) = (
        row
        for row in compare_results(worse, results, dataset, resamples=60, seed=4).differences
        if (row.kind, row.metric) == ("mask", "APr")
    )
    low, high = np.quantile(kept[1]["mask APr"] - kept[0]["mask APr"], [0.025, 0.975])
    gain = together.second - together.first
    assert (together.low, together.high) == pytest.approx((2 * gain - high, 2 * gain - low), abs=1e-6)


def test_compare_results__each_category(case: Any) -> None:
    dataset, results, _ = case
    worse = [row for row in results if row["category_id"] != 1]
    found = compare_results(worse, results, dataset, resamples=60).categories
    scores = {row.id: row for row in evaluate_lvis(results, dataset).categories}
    assert [row.second for row in found] == [scores[row.id].mask for row in found]
    first = next(row for row in found if row.id == 1)
    assert first.first == 0 and first.low is not None and first.clear
    others = [row for row in found if row.id != 1]
    assert {(row.low, row.high) for row in others} == {(0.0, 0.0)} and not any(row.clear for row in others)


def test_compare_results__too_few_resamples(case: Any) -> None:
    dataset, results, _ = case
    with pytest.raises(ConfigError, match="resamples=5: give at least 40"):
        compare_results(results, results, dataset, resamples=5)


def test_export_results__best_of_each_image_in_the_formats_keys(case: Any) -> None:
    dataset, results, _ = case
    rows = export_results([{**row, "extra": 1} for row in results], dataset, per_image=3, only="mask", min_score=0.2)
    assert {tuple(row) for row in rows} == {("image_id", "category_id", "score", "segmentation")}
    ids = [row["image_id"] for row in rows]
    assert max(ids.count(image.id) for image in dataset.images) == 3
    assert list(dict.fromkeys(ids)) == [image.id for image in dataset.images if image.id in ids]
    assert min(row["score"] for row in rows) >= 0.2
    assert evaluate_lvis(export_results(results, dataset), dataset) == evaluate_lvis(results, dataset)


def test_export_results__one_without_box_and_mask_is_a_loss_among_others(case: Any) -> None:
    dataset, results, _ = case
    bare = {key: results[0][key] for key in ("image_id", "category_id", "score")}
    losses = Losses()
    kept = export_results([bare, *results], dataset, losses=losses, drop_misfits=True)
    assert (kept, list(losses)) == (export_results(results, dataset), [("result 0", "has no bbox and no segmentation")])


def test_repeats_notice__masks_alone_of_one_score_are_no_repetitions() -> None:
    row = {"image_id": 1, "category_id": 1, "score": 1.0}
    masks = [{**row, "segmentation": {"size": [8, 10], "counts": code}} for code in ("a", "b")]
    assert repeats_notice(masks) is None
    assert repeats_notice(masks * 2) is not None


def test_export_results__unknown(case: Any) -> None:
    dataset, results, _ = case
    extra = [*results, {**results[0], "category_id": 1300}]
    with pytest.raises(DatasetError, match=rf"result {len(results)}: category_id 1300 is not in"):
        export_results(extra, dataset)
    assert export_results(extra, dataset, drop_unknown=True) == export_results(results, dataset)
    with pytest.raises(DatasetError, match="image_id 99999 is not in"):
        export_results([{**results[0], "image_id": 99999}], dataset, drop_unknown=True)
    with pytest.raises(DatasetError, match="result 0: has no 'score'"):
        export_results([{key: value for key, value in results[0].items() if key != "score"}], dataset)


def test_main__export_and_evaluate_coco_with_intervals(case: Any, tmp_path: Path) -> None:
    _, results, truth = case
    (tmp_path / "results.json").write_text(json.dumps(results))
    out = tmp_path / "boxes.json"
    arguments = [str(tmp_path / "results.json"), "--gt", str(truth)]
    run = CliRunner().invoke(main, ["export", *arguments, "--out", str(out), "--only", "box"])
    assert run.exit_code == 0, run.output
    report = tmp_path / "metrics.json"
    options = ["--style", "coco", "--intervals", "--resamples", "40", "--json", str(report)]
    run = CliRunner().invoke(main, ["ap", str(out), "--gt", str(truth), *options])
    assert run.exit_code == 0, run.output
    metrics = json.loads(report.read_text())
    assert metrics["style"] == "coco"
    assert metrics["mask"]["AP"] is None
    assert metrics["intervals"]["box"]["AP"][0] < metrics["box"]["AP"]


def test_main__frequency_is_computed_and_said(case: Any, tmp_path: Path) -> None:
    _, results, truth = case
    data = json.loads(truth.read_text())
    for category in data["categories"][:2]:
        del category["frequency"]
    (tmp_path / "gt.json").write_text(json.dumps(data))
    (tmp_path / "results.json").write_text(json.dumps(results))
    run = CliRunner().invoke(main, ["ap", str(tmp_path / "results.json"), "--gt", str(tmp_path / "gt.json")])
    assert run.exit_code == 0, run.output
    assert "gt.json: 2 of 5 categories have no frequency; computed from the images of this file" in run.output


def test_main__fixed_says_when_results_were_cut(case: Any, tmp_path: Path) -> None:
    _, results, truth = case
    first = [row for row in results if row["image_id"] == results[0]["image_id"]]
    path = tmp_path / "results.json"
    for count, said in ((300, True), (299, False), (301, False)):
        path.write_text(json.dumps((first * 301)[:count]))
        run = CliRunner().invoke(main, ["ap", str(path), "--gt", str(truth), "--fixed"])
        assert run.exit_code == 0, run.output
        assert ("1 of 1 images have exactly 300 results" in run.stderr) == said
        assert "mask fixed" in run.stdout


@pytest.mark.parametrize("option", ["--fixed", "--categories"])
def test_main__what_two_files_cannot_have(case: Any, tmp_path: Path, option: str) -> None:
    _, results, truth = case
    path = tmp_path / "results.json"
    path.write_text(json.dumps(results))
    run = CliRunner().invoke(main, ["ap", str(path), str(path), "--gt", str(truth), option])
    assert run.exit_code == 2
    assert "are for one results file" in run.output
