"""What other people's readers make of a baked folder; each where it is installed, by its rule where it is not."""

import json
import warnings
from pathlib import Path

import pytest
from divergen_paste import Paster, bake


@pytest.fixture
def baked(dataset, pool, tmp_path):
    """A baked YOLO set with a validation set, in a folder whose own path has `images` in it."""
    out = tmp_path / "images" / "mine" / "out"
    paster = Paster(pool, count="fixed", max_instances=3)
    bake(dataset, paster, tmp_path / "first" / "out", formats=["yolo"], val=dataset, progress=False)
    out.parent.mkdir(parents=True)
    (tmp_path / "first" / "out").rename(out)
    return out


def content(baked):
    return json.loads((baked / "annotations.json").read_text())


def imported(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip(name)


def test_ultralytics_rule__every_picture_has_a_label(baked):
    pictures = [path for path in baked.rglob("*") if path.suffix in (".jpg", ".png")]
    # img2label_paths of ultralytics.data.utils.
    labels = ["/labels/".join(str(path).rsplit("/images/", 1)).rsplit(".", 1)[0] + ".txt" for path in pictures]
    assert len(set(labels)) == len(pictures) == 6 + 3
    assert sorted(labels) == sorted(map(str, baked.rglob("*.txt")))
    classes = {line.split()[0] for label in labels for line in Path(label).read_text().splitlines()}
    assert classes == {"0", "1", "2"}


def test_lvis(baked):
    lvis = imported("lvis")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = lvis.LVIS(str(baked / "annotations.json"))
        pasted = [row for row in found.load_anns() if "source" in row]
        assert pasted
        assert all(found.ann_to_mask(row).sum() == row["area"] for row in pasted)
    assert len(found.get_img_ids()) == 6


def test_supervision(baked):
    supervision = imported("supervision")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        coco = supervision.DetectionDataset.from_coco(
            str(baked / "images"), str(baked / "annotations.json"), force_masks=True
        )
        yolo = supervision.DetectionDataset.from_yolo(
            str(baked / "images"), str(baked / "labels"), str(baked / "data.yaml"), force_masks=True
        )
    count = len(content(baked)["annotations"])
    assert sum(map(len, coco.annotations.values())) == count
    # supervision looks for YOLO's pictures in one folder, not below it.
    assert 0 < sum(map(len, yolo.annotations.values())) <= count


def test_ultralytics(baked, tmp_path, monkeypatch):
    monkeypatch.setenv("YOLO_CONFIG_DIR", str(tmp_path))
    monkeypatch.setenv("YOLO_OFFLINE", "1")
    imported("ultralytics")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from ultralytics.data.dataset import YOLODataset
        from ultralytics.data.utils import check_det_dataset

        data = check_det_dataset(str(baked / "data.yaml"), autodownload=False)
        sizes = {
            split: sum(
                len(label["cls"]) for label in YOLODataset(img_path=data[split], data=data, task="segment").labels
            )
            for split in ("train", "val")
        }
    assert sizes == {"train": len(content(baked)["annotations"]), "val": 6}
