"""Free energy, train-val gap, embedding maps and the command over them."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from divergen_evaluate.metrics import Metrics, Scores
from divergen_records.coco import Dataset
from divergen_records.errors import ConfigError, DatasetError, MissingExtra
from divergen_train import TrainConfig, fit
from divergen_train.analysis.energy import energy_report, free_energy, object_logits
from divergen_train.analysis.gap import train_val_gap
from divergen_train.analysis.maps import embed_objects, embedding_map
from divergen_train.cli import main


def test_free_energy__literal() -> None:
    assert free_energy([[0.0, 0.0]], 1.0) == pytest.approx([-math.log(2)])
    expected = -0.9 * math.log(math.exp(1 / 0.9) + math.exp(2 / 0.9) + math.exp(-3 / 0.9))
    assert free_energy([1.0, 2.0, -3.0]) == pytest.approx(expected)


def test_free_energy__large_logits_and_shift() -> None:
    logits = np.random.default_rng(0).normal(0, 400, (5, 7))
    energy = free_energy(logits)
    assert np.isfinite(energy).all()
    assert free_energy(logits + 3) == pytest.approx(energy - 3)
    assert (energy <= -logits.max(axis=1)).all()
    with pytest.raises(ConfigError, match="temperature=0"):
        free_energy(logits, 0)


class Corners:
    """A detector whose logits are a box's corners, to see which boxes it is given."""

    backbone = None

    def box_logits(self, images: list[torch.Tensor], boxes: list[torch.Tensor]) -> list[torch.Tensor]:
        return boxes


@pytest.mark.parametrize("image_size", [64, 32])
def test_object_logits__each_object_in_its_own_box(shapes: Dataset, image_size: int) -> None:
    found = object_logits(Corners(), shapes, image_size=image_size, batch_size=4)
    assert found.annotation.tolist() == [annotation.id for annotation in shapes.annotations]
    assert found.category.tolist() == [annotation.category_id for annotation in shapes.annotations]
    x, y, width, height = shapes.annotations[3].bbox
    assert found.logits[3] == pytest.approx(np.array([x, y, x + width, y + height]) * image_size / 64, rel=1e-5)


def test_object_logits__limit_and_missing_method(shapes: Dataset) -> None:
    assert len(set(object_logits(Corners(), shapes, image_size=64, limit=2).annotation)) < len(shapes.annotations)
    with pytest.raises(ConfigError, match="object gives no logits of boxes"):
        object_logits(object(), shapes, image_size=64)
    with pytest.raises(DatasetError, match="has no object"):
        object_logits(Corners(), Dataset(shapes.path, shapes.image_dir, shapes.images, [], shapes.categories),
                      image_size=64)  # fmt: skip


def test_box_logits__are_what_the_detector_scores_with(shapes: Dataset, tiny: TrainConfig) -> None:
    """A detection's score comes from the logits of its proposal; of all proposals one must be near."""
    from divergen_train.detectors.build import build_detector

    detector: Any = build_detector(tiny.detector, shapes.categories)
    detector.train(False)
    boxes = torch.tensor([[3.0, 4.0, 30.0, 28.0], [10.0, 10.0, 50.0, 60.0]])
    image = torch.randint(0, 256, (3, 64, 64), dtype=torch.uint8)
    with torch.inference_mode():
        both = detector.box_logits([image, image], [boxes, boxes[:1]])
        heads = detector.roi_heads
        raw, _ = heads._boxes(detector.encode([image])[1], [boxes], [(64, 64)])
    assert [one.shape for one in both] == [(2, 3), (1, 3)]
    torch.testing.assert_close(both[0][:1], both[1], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(both[0], raw[:, 1:], rtol=1e-4, atol=1e-5)


def test_energy_report__shift_overlap_and_groups() -> None:
    rng = np.random.default_rng(0)
    train, far = rng.normal(-5, 2, 4000), rng.normal(-1, 2, 4000)
    marks = {"train": ["r"] * 2000 + ["f"] * 2000, "far": [None] * 4000}
    report = energy_report({"train": train, "far": far}, frequencies=marks)
    first, second = report.groups
    assert (first.shift, first.overlap) == (0, 1)
    assert second.shift == pytest.approx(2, abs=0.1)
    assert second.overlap == pytest.approx(math.erfc(1 / math.sqrt(2)), abs=0.04)  # two normals two sigma apart
    assert first.frequency == pytest.approx({"r": train[:2000].mean(), "f": train[2000:].mean()})
    assert sum(second.histogram) == 4000
    assert "+2.0" in report.table()


def metrics(ap: float | None, rare: float | None) -> Metrics:
    scores = Scores(AP=ap, AP50=ap, AP75=ap, APs=ap, APm=ap, APl=ap, APr=rare, APc=ap, APf=ap)
    return Metrics(box=scores, mask=scores, categories=(), images=1, detections=1, federated=True)


def pair(gap: float, rare: float | None) -> tuple[Metrics, Metrics]:
    return metrics(0.5 + gap, None if rare is None else 0.4 + rare), metrics(0.5, 0.4)


def test_train_val_gap__three_sigma() -> None:
    real = [pair(0.20, 0.30), pair(0.22, 0.32), pair(0.18, 0.28)]
    generated = [pair(0.19, 0.10), pair(0.21, 0.12), pair(0.20, 0.11)]
    report = train_val_gap({"real": real, "generated": generated})
    before, after = report.sets
    assert before.mean["AP"] == pytest.approx(0.2)
    assert before.std["AP"] == pytest.approx(0.02)
    assert before.sigmas["AP"] is None
    assert after.change["APr"] == pytest.approx(-0.19)
    error = (0.02**2 / 3 + 0.01**2 / 3) ** 0.5
    assert after.sigmas["APr"] == pytest.approx(-0.19 / error)
    assert after.clear("APr")
    assert not after.clear("AP")
    assert "11.0 ± 1.0*" in report.table()


def test_train_val_gap__one_model_and_no_rare_category() -> None:
    report = train_val_gap({"real": [pair(0.2, None)], "more": [pair(0.1, None)]})
    assert report.sets[1].change["AP"] == pytest.approx(-0.1)
    assert report.sets[1].sigmas["AP"] is None
    assert report.sets[0].mean["APr"] is None
    assert "–" in report.table()
    one_against_two = train_val_gap({"real": [pair(0.2, 0.2), pair(0.21, 0.2)], "more": [pair(0.1, 0.2)]})
    assert one_against_two.sets[1].clear("AP")
    with pytest.raises(ConfigError, match="real: give at least one pair"):
        train_val_gap({"real": []})


def test_embedding_map__pca_is_the_plane_that_the_points_lie_in() -> None:
    rng = np.random.default_rng(0)
    basis = np.linalg.qr(rng.normal(size=(16, 3)))[0].T
    flat = rng.normal(size=(60, 2)) * [0.1, 0.05]
    plane = (basis[0] + flat @ basis[1:]).astype(np.float32)
    report = embedding_map({"a": plane[:40], "b": plane[40:]})
    assert report.explained == pytest.approx(1, abs=0.02)
    points = np.array([point for one in report.sets for point in one.points])
    unit = plane / np.linalg.norm(plane, axis=1, keepdims=True)
    shown = np.linalg.norm(points[:, None] - points, axis=2)
    np.testing.assert_allclose(shown, np.linalg.norm(unit[:, None] - unit, axis=2), atol=0.02)
    assert report.sets[0].spread == 1
    assert report.sets[0].distance == 0


def test_embedding_map__spread_and_distance() -> None:
    rng = np.random.default_rng(1)
    centre = np.eye(32)[0]
    near = centre + rng.normal(0, 0.02, (200, 32))
    wide = centre + rng.normal(0, 0.04, (200, 32)) + 0.5 * np.eye(32)[1]
    report = embedding_map({"near": near.astype(np.float32), "wide": wide.astype(np.float32)})
    assert 1.5 < report.sets[1].spread < 2.1
    assert report.sets[1].distance > 3


def test_embedding_map__refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=r"different widths, \[2, 3\]"):
        embedding_map({"a": np.ones((4, 2), np.float32), "b": np.ones((4, 3), np.float32)})
    with pytest.raises(DatasetError, match="at least three"):
        embedding_map({"a": np.ones((2, 2), np.float32)})
    monkeypatch.setitem(__import__("sys").modules, "umap", None)
    with pytest.raises(MissingExtra, match=r"divergen-train\[umap\]"):
        embedding_map({"a": np.eye(4, dtype=np.float32)}, method="umap")


def test_embed_objects__colours_apart(shapes: Dataset) -> None:
    features = embed_objects(shapes, batch_size=4)
    assert features.shape == (len(shapes.annotations), 1280)
    assert len(embed_objects(shapes, limit=3)) == 3
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    # Objects come by image: red first, then green where there is one.
    colours = np.array([a.category_id for i in shapes.images for a in shapes.annotations_of(i.id)])
    same = (unit @ unit.T)[np.ix_(colours == 5, colours == 5)].mean()
    other = (unit @ unit.T)[np.ix_(colours == 5, colours == 10)].mean()
    assert same > other + 0.02


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["analyse", *(str(argument) for argument in arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def test_main__energy_and_map(shapes: Dataset, shapes_path: Path, tiny: TrainConfig, tmp_path: Path) -> None:
    config = tiny.model_copy(update={"iterations": 3})
    checkpoint = fit(shapes, out=tmp_path / "run", config=config).checkpoint
    data = [f"train={shapes_path}", f"again={shapes_path}"]
    status, output = run("energy", checkpoint, *data, "--out", tmp_path / "energy")
    assert status == 0, output
    report = json.loads((tmp_path / "energy.json").read_text())
    assert [group["overlap"] for group in report["groups"]] == [1, 1]
    assert report["groups"][0]["objects"] == len(shapes.annotations)
    status, output = run("map", *data, "--out", tmp_path / "map", "--limit", 8)
    assert status == 0, output
    for name in ("energy", "map"):
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert "<svg" in (tmp_path / f"{name}.svg").read_text()
    status, output = run("map", *data, "--out", tmp_path / "map")
    assert status == 2
    assert "--overwrite" in output


def test_main__gap(tmp_path: Path) -> None:
    for name, (train, val) in {"a": pair(0.2, 0.3), "b": pair(0.1, 0.1)}.items():
        (tmp_path / f"{name}-train.json").write_text(train.model_dump_json())
        (tmp_path / f"{name}-val.json").write_text(val.model_dump_json())
    models = [f"{name}={tmp_path}/{name}-train.json,{tmp_path}/{name}-val.json" for name in ("a", "b")]
    status, output = run("gap", *models, "--out", tmp_path / "gap")
    assert status == 0, output
    assert "30.0" in output
    assert json.loads((tmp_path / "gap.json").read_text())["sets"][1]["change"]["APr"] == pytest.approx(-0.2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["map", "train.json", "--out", "x"], "expected NAME=FILE"),
        (["map", "a=nowhere.json", "--out", "x"], "there is no file nowhere.json"),
        (["gap", "a=b", "--out", "x"], "expected NAME=TRAIN.json,VAL.json"),
        (["gap", "a=b.json,c.json", "--out", "x"], "b.json: cannot be read"),
    ],
)
def test_main__refuses(arguments: list[str], message: str) -> None:
    status, output = run(*arguments)
    assert status == 2
    assert message in output
