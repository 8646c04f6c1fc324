"""YOLO-seg by Ultralytics, a real model from its shape: from a run's settings to AP and report."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import copy
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from divergen import Run, load_config, run_pipeline
from divergen.check import check_run
from divergen.fork import fork
from divergen.testing import check_trainer
from divergen.trainers.protocol import TrainTask
from divergen.trainers.ultralytics.config import UltralyticsTrainConfig
from divergen_records.coco import Dataset, read_dataset
from divergen_records.sample import Instance, Sample
from PIL import Image
from pydantic import ValidationError

installed = pytest.mark.skipif(find_spec("ultralytics") is None, reason="needs the extra `ultralytics`")

YOLO = "train={kind: ultralytics, model: yolo11n-seg.yaml, epochs: 2, image_size: 64, batch_size: 6, workers: 0}"


@pytest.fixture(scope="module", autouse=True)
def own_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Ultralytics' settings in a folder of the tests, and nobody to ask."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("YOLO_CONFIG_DIR", str(tmp_path_factory.mktemp("yolo")))
        patch.setenv("YOLO_OFFLINE", "true")
        yield


def dataset_of(run: Run, name: str) -> Dataset:
    folder = run.data / "minilvis"
    return read_dataset(folder / f"{name}.json", image_dir=folder)


@installed
def test_run_pipeline__stopped_and_gone_on(
    tmp_path: Path, finished: Run, small: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    from divergen_train.training.log import TrainLog, read_log

    config = load_config("quickstart", [*small, YOLO, "control=false"])
    fork(finished, tmp_path / "run", config)
    run = Run(tmp_path / "run", config)
    with monkeypatch.context() as patch:
        write = TrainLog.write

        def stop(log: TrainLog, line: dict[str, float]) -> None:
            write(log, line)
            if log.path.parent.name == "generated":
                raise KeyboardInterrupt

        patch.setattr(TrainLog, "write", stop)
        with pytest.raises(KeyboardInterrupt):
            run_pipeline(run, until="train")
    assert (run.training("real") / "metrics.json").exists()
    assert len(read_log(run.training("generated") / "log.jsonl")) == 1
    run_pipeline(run)
    assert [line["iteration"] for line in read_log(run.training("generated") / "log.jsonl")] == [2, 4]
    metrics = json.loads((run.training("generated") / "metrics.json").read_text(encoding="utf-8"))
    assert {"AP", "APr"} <= set(metrics["mask"])
    assert "yolo11n-seg.yaml, 2 epochs" in run.report.read_text(encoding="utf-8")


@installed
def test_check_trainer__boxes_and_masks_of_the_evaluated_categories(tmp_path: Path, finished: Run) -> None:
    train, val = dataset_of(finished, "train"), dataset_of(finished, "val")
    left = val.categories[1:]
    ids = {category.id for category in left}
    val = val.replace(categories=left, annotations=[one for one in val.annotations if one.category_id in ids])
    config = UltralyticsTrainConfig(model="yolo11n-seg.yaml", epochs=1, image_size=64, batch_size=6)
    check_trainer(config.build, train, val, tmp_path / "training")
    rows = json.loads((tmp_path / "training" / "results.json").read_text(encoding="utf-8"))
    assert rows
    assert {row["category_id"] for row in rows} <= ids
    sizes = {image.id: [image.height, image.width] for image in val.images}
    assert all(row["segmentation"]["size"] == sizes[row["image_id"]] for row in rows)


@installed
def test_pasted_images__anew_at_each_visit(finished: Run) -> None:
    from divergen.trainers.ultralytics.images import PastedImages
    from ultralytics.utils import DEFAULT_CFG

    seen: list[int] = []

    def paste(sample: Sample) -> Sample:
        seen.append(sample.epoch)
        bar = np.zeros(sample.image.shape[:2], bool)
        bar[0:10, 0:48] = bar[20:30, 0:48] = True  # of two parts
        crowd = Instance.from_mask(bar, 3, iscrowd=True)
        return Sample(sample.image, (Instance.from_mask(bar, 2), crowd), sample.image_id, sample.epoch)

    hyp = copy(DEFAULT_CFG)
    hyp.mask_ratio = 1
    names = {7: "x"}
    images = PastedImages(
        dataset_of(finished, "train"), {2: 7}, paste, data={"names": names}, augment=False, imgsz=64, hyp=hyp
    )
    item = images[0]  # 96 x 72 pixels become 64 x 48, with 8 more above and below
    assert item["cls"].tolist() == [[7]]
    np.testing.assert_allclose(item["bboxes"], [[0.25, 18 / 64, 0.5, 20 / 64]], atol=0.01)
    assert int((item["masks"] > 0).sum()) == pytest.approx(480, abs=80)  # 640 with what is between
    images.epoch.fill_(1)
    _ = images[0], images[0]
    assert len(set(seen)) == 3
    assert [epoch >> 20 for epoch in seen] == [0, 1, 1]


@installed
def test_train__pictures_of_one_line(tmp_path: Path) -> None:
    sizes = {"row.png": (300, 1), "column.png": (1, 300), "plain.png": (64, 64)}
    rows: dict[str, list[dict[str, object]]] = {"images": [], "annotations": [], "categories": [{"id": 3, "name": "ü"}]}
    for key, (name, (width, height)) in enumerate(sizes.items(), 1):
        Image.new("RGB", (width, height)).save(tmp_path / name)
        rows["images"].append({"id": key, "width": width, "height": height, "file_name": name})
        box = [0, 0, min(width, 20), min(height, 20)]
        outline = [0, 0, box[2], 0, box[2], box[3], 0, box[3]]
        one = {"id": key, "image_id": key, "category_id": 3, "bbox": box, "area": box[2] * box[3], "iscrowd": 0}
        rows["annotations"].append({**one, "segmentation": [outline]})
    (tmp_path / "all.json").write_text(json.dumps(rows), encoding="utf-8")
    data = read_dataset(tmp_path / "all.json", image_dir=tmp_path)
    config = UltralyticsTrainConfig(model="yolo11n-seg.yaml", epochs=1, image_size=64, batch_size=3, device="cpu")
    task = TrainTask(name="train real", dataset=data, val=data, out=tmp_path / "out", seed=0)
    config.build().train(task)
    assert {row["image_id"] for row in json.loads(task.results.read_text(encoding="utf-8"))} <= {3}


@installed
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("model: no-such-seg.yaml", "no-such-seg.yaml is neither a file nor a model that Ultralytics knows"),
        ("model: mine-seg.pt", "mine-seg.pt is not there"),
        ("model: yolo11n-seg.yaml, settings: {mosaik: 1}", "no mosaik; did you mean 'mosaic'"),
    ],
)
def test_check_run__says_what_is_wrong(tmp_path: Path, settings: str, message: str) -> None:
    config = load_config("quickstart", [f"train={{kind: ultralytics, {settings}}}"])
    found = check_run(Run(tmp_path / "run", config), steps=["train"])
    assert any(entry.finding.problem and message in str(entry) for entry in found)


def test_check_run__without_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for place in ("divergen_records.requirements", "divergen.trainers.ultralytics.config"):
        monkeypatch.setattr(f"{place}.find_spec", lambda name: None)
    found = check_run(Run(tmp_path / "run", load_config("quickstart", [YOLO])), steps=["train"])
    assert any("pip install 'divergen[ultralytics]'" in str(entry) for entry in found)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"model": "yolo11n"}, "neither weights"),
        ({"model": "yolo11n-seg.pt", "settings": {"val": True}}, "'val' is decided by the same training"),
    ],
)
def test_config__refuses(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        UltralyticsTrainConfig.model_validate(settings)
