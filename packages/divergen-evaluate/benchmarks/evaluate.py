"""LVIS evaluation of random results: this package, and where they are installed lvis-api, hotcoco, faster-coco-eval.

OMP_NUM_THREADS=1 python packages/divergen-evaluate/benchmarks/evaluate.py --images 5000

1,203 categories in LVIS's proportions, federated lists, 12 objects, 8 negative categories and 300 detections an image,
two thirds of which are copies of objects, moved by a few pixels and partly mislabelled. CPU seconds of this process
and its threads, from results in memory to the nine numbers; all must agree to 1e-6.
"""

import contextlib
import io
import json
import logging
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np
from divergen_evaluate import evaluate_lvis
from divergen_records.coco import Dataset, read_dataset
from pycocotools import mask as coco_mask

SIDE = 640
GROUPS = ["r"] * 337 + ["c"] * 461 + ["f"] * 405
NINE = ("AP", "AP50", "AP75", "APs", "APm", "APl", "APr", "APc", "APf")


def ellipse(box: np.ndarray) -> dict[str, Any]:
    """Compressed RLE of a polygon inside an XYWH box."""
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    x, y, w, h = box
    points = np.stack([x + w / 2 * (1 + np.cos(angles)), y + h / 2 * (1 + np.sin(angles))], axis=1)
    rle = coco_mask.frPyObjects([points.ravel().tolist()], SIDE, SIDE)[0]
    return {"size": rle["size"], "counts": rle["counts"].decode()}


def make_case(images: int, rng: np.random.Generator) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    categories = [{"id": i + 1, "name": f"c{i}", "frequency": group} for i, group in enumerate(rng.permutation(GROUPS))]
    weights = np.array([{"r": 0.02, "c": 0.3, "f": 3.0}[c["frequency"]] for c in categories])
    weights /= weights.sum()
    annotations, results, infos = [], [], []
    for image_id in range(1, images + 1):
        corner = rng.uniform(0, SIDE - 150, (12, 2))
        boxes = np.concatenate([corner, rng.uniform(10, 150, (12, 2))], axis=1).round(2)
        own = rng.choice(len(categories), 12, p=weights) + 1
        absent = [int(c) for c in rng.choice(len(categories), 8, p=weights) + 1 if c not in own]
        infos.append(
            {"id": image_id, "width": SIDE, "height": SIDE, "file_name": f"{image_id}.jpg", "neg_category_ids": absent,
             "not_exhaustive_category_ids": [int(own[0])]}
        )  # fmt: skip
        for box, category in zip(boxes, own.tolist(), strict=True):
            annotations.append(
                {"id": len(annotations) + 1, "image_id": image_id, "category_id": category, "iscrowd": 0,
                 "bbox": box.tolist(), "area": float(box[2] * box[3]), "segmentation": ellipse(box)}
            )  # fmt: skip
        for index in range(300):
            near = index % 12
            box = np.maximum(boxes[near] + rng.normal(0, 8, 4), 1).round(2)
            guess = own[near] if index < 60 else rng.choice(own) if index < 200 else rng.integers(1, len(categories))
            results.append(
                {"image_id": image_id, "category_id": int(guess), "bbox": box.tolist(), "segmentation": ellipse(box),
                 "score": round(float(rng.random()), 4)}
            )  # fmt: skip
    return {"images": infos, "annotations": annotations, "categories": categories}, results


def ours(truth: Dataset, results: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    metrics = evaluate_lvis(results, truth)
    return {
        kind: {name: -1 if value is None else value for name, value in scores.model_dump().items()}
        for kind, scores in (("bbox", metrics.box), ("segm", metrics.mask))
    }


def lvis_api(path: Path, results: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    import lvis

    np.float = float  # type: ignore[attr-defined]  # lvis-api 0.5.3 is from before numpy 1.24
    found = {}
    for kind in ("bbox", "segm"):
        truth = lvis.LVIS(str(path))
        evaluation = lvis.LVISEval(truth, lvis.LVISResults(truth, [dict(row) for row in results]), kind)
        evaluation.run()
        found[kind] = {name: float(evaluation.results[name]) for name in NINE}
    return found


def hotcoco(path: Path, results: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    import hotcoco as hc

    found = {}
    for kind in ("bbox", "segm"):
        truth = hc.COCO(str(path))
        evaluation = hc.LVISeval(truth, truth.load_res([dict(row) for row in results]), kind)
        evaluation.run()
        found[kind] = {name: float(evaluation.get_results()[name]) for name in NINE}
    return found


def faster_coco_eval(path: Path, results: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    from faster_coco_eval import COCO, COCOeval_faster

    best: dict[int, list[dict[str, Any]]] = {}  # its 300 are of each category, LVIS's of the image
    for row in sorted(results, key=lambda row: -row["score"]):
        best.setdefault(row["image_id"], []).append(row)
    counted = [dict(row) for rows in best.values() for row in rows[:300]]
    found = {}
    for kind in ("bbox", "segm"):
        truth = COCO(str(path))
        evaluation = COCOeval_faster(truth, truth.loadRes([dict(row) for row in counted]), kind, lvis_style=True)
        evaluation.params.maxDets = [300]
        evaluation.run()
        stats = evaluation.stats_as_dict
        names = ("AP_all", "AP_50", "AP_75", "AP_small", "AP_medium", "AP_large", "APr", "APc", "APf")
        found[kind] = {name: float(stats[theirs]) for name, theirs in zip(NINE, names, strict=True)}
    return found


def timed(call: Callable[..., dict[str, dict[str, float]]], *arguments: Any) -> tuple[dict[str, Any], float, float]:
    cpu, wall = time.process_time(), time.monotonic()
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = call(*arguments)
    return found, time.process_time() - cpu, time.monotonic() - wall


@click.command(help=__doc__)
@click.option("--images", default=200, show_default=True, help="5,000 for the published ratio; lvis-api takes long.")
@click.option("--seed", default=0, show_default=True)
@click.option("--against", multiple=True, default=("lvis-api",), help="lvis-api, hotcoco, faster-coco-eval.")
def main(images: int, seed: int, against: tuple[str, ...]) -> None:
    logging.disable(logging.WARNING)
    others = {"lvis-api": lvis_api, "hotcoco": hotcoco, "faster-coco-eval": faster_coco_eval}
    with tempfile.TemporaryDirectory() as folder:
        truth, results = make_case(images, np.random.default_rng(seed))
        path = Path(folder) / "lvis.json"
        path.write_text(json.dumps(truth))
        click.echo(f"{images} images, {len(truth['annotations'])} objects, {len(results)} detections, box and mask")
        mine, cpu, wall = timed(lambda: ours(read_dataset(path), results))
        click.echo(f"{'ours':<18}{cpu:8.1f} CPU s {wall:8.1f} s")
        for name in against:
            try:
                theirs, other_cpu, other_wall = timed(others[name], path, results)
            except ImportError:
                click.echo(f"{name:<18} is not installed")
                continue
            apart = max(abs(mine[kind][metric] - theirs[kind][metric]) for kind in mine for metric in NINE)
            click.echo(
                f"{name:<18}{other_cpu:8.1f} CPU s {other_wall:8.1f} s   {other_cpu / cpu:6.1f} times ours; "
                f"largest difference {apart:.1e}"
            )


if __name__ == "__main__":
    main()
