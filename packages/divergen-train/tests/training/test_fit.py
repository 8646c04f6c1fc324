from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from divergen_evaluate import evaluate_lvis
from divergen_records import Category
from divergen_records.coco import Dataset
from divergen_records.errors import ConfigError, DatasetError, WeightsError
from divergen_records.sample import Instance, Sample
from divergen_train import TrainConfig, TrainingDiverged, fit, predict, read_log
from divergen_train.training.checkpoint import load_checkpoint


class PowerCut(Exception):
    pass


class Dies:
    """A paster that changes nothing, and ends the run after some samples."""

    def __init__(self, after: int) -> None:
        self.left = after

    def __call__(self, sample: Sample) -> Sample:
        self.left -= 1
        if self.left < 0:
            raise PowerCut
        return sample


def unchanged(sample: Sample) -> Sample:
    return sample


@pytest.mark.parametrize("changes", [{}, {"pooling": "gathered", "frozen_stages": 7}], ids=["plain", "thrifty"])
def test_fit__killed_and_resumed_equals_uninterrupted(
    shapes: Dataset, tiny: TrainConfig, tmp_path: Path, changes: dict[str, Any]
) -> None:
    tiny = tiny.model_copy(update={"detector": tiny.detector.model_copy(update=changes)})
    torch.manual_seed(1)
    whole = fit(shapes, out=tmp_path / "whole", config=tiny, paste=unchanged)
    torch.manual_seed(2)
    for samples in (7, 5):  # dies in iteration 3, goes on at 2, dies in iteration 4
        with pytest.raises(PowerCut):
            fit(shapes, out=tmp_path / "killed", config=tiny, paste=Dies(samples))
    killed = fit(shapes, out=tmp_path / "killed", config=tiny, paste=unchanged)
    first, second = (load_checkpoint(result.checkpoint) for result in (whole, killed))
    assert first.iteration == second.iteration == 6
    for name in ("model", "average"):
        ours, theirs = getattr(first, name), getattr(second, name)
        assert all(torch.equal(ours[key], theirs[key]) for key in ours), name
    assert any(not torch.equal(first.model[key], first.average[key]) for key in first.model)
    iterations = [[line["iteration"] for line in read_log(result.log)] for result in (whole, killed)]
    assert iterations == [[2, 4, 6], [2, 4, 6]]


def test_fit__finished_run_is_left_alone(shapes: Dataset, tiny: TrainConfig, tmp_path: Path) -> None:
    config = tiny.model_copy(update={"iterations": 3})
    result = fit(shapes, out=tmp_path, config=config)
    written = result.checkpoint.read_bytes()
    assert fit(shapes, out=tmp_path, config=config).iterations == 3
    assert result.checkpoint.read_bytes() == written


def test_fit__leaves_the_callers_random_numbers_alone(shapes: Dataset, tiny: TrainConfig, tmp_path: Path) -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    fit(shapes, out=tmp_path, config=tiny.model_copy(update={"iterations": 3}))
    assert torch.equal(torch.rand(3), expected)


def test_fit__refuses_other_settings_seed_and_categories(shapes: Dataset, tiny: TrainConfig, tmp_path: Path) -> None:
    config = tiny.model_copy(update={"iterations": 3})
    fit(shapes, out=tmp_path, config=config)
    with pytest.raises(ConfigError, match=r"other settings \(iterations, lr\)"):
        fit(shapes, out=tmp_path, config=tiny.model_copy(update={"lr": 1.0}))
    with pytest.raises(ConfigError, match="trained with seed=0, not 1"):
        fit(shapes, out=tmp_path, config=config, seed=1)
    other = Dataset(shapes.path, shapes.image_dir, shapes.images, [], [Category(id=5, name="white")])
    with pytest.raises(DatasetError, match=r"1 categories are not the 3 .*unknown \['white'\]"):
        fit(other, out=tmp_path, config=config)
    fewer = shapes.replace(annotations=shapes.annotations[1:])
    with pytest.raises(DatasetError, match=r"other pictures or objects than those of .*redo train"):
        fit(fewer, out=tmp_path, config=config)
    elsewhere = shapes.replace(path=shapes.path.with_name("other.json"))
    assert math.isnan(fit(elsewhere, out=tmp_path, config=config).loss)


def test_fit__damaged_checkpoint(shapes: Dataset, tiny: TrainConfig, tmp_path: Path) -> None:
    (tmp_path / "checkpoint.pt").write_bytes(b"half a file")
    with pytest.raises(WeightsError, match="not a readable checkpoint"):
        fit(shapes, out=tmp_path, config=tiny)


def test_fit__diverged(shapes: Dataset, tiny: TrainConfig, tmp_path: Path) -> None:
    with pytest.raises(TrainingDiverged, match=r"the loss is not a number .*Lower lr=1e\+30"):
        fit(shapes, out=tmp_path, config=tiny.model_copy(update={"lr": 1e30, "warmup": 0}))
    batch = torch.load(tmp_path / "diverged.pt", weights_only=True)
    assert len(batch["images"]) == len(batch["targets"]) == 2


def test_fit__pasted_unknown_category(shapes: Dataset, tiny: TrainConfig, tmp_path: Path) -> None:
    def paste(sample: Sample) -> Sample:
        new = Instance(77, sample.instances[0].mask, 0, 0, source="abc")
        return Sample(sample.image, (*sample.instances, new), sample.image_id, sample.epoch)

    with pytest.raises(DatasetError, match=r"pasted from abc\) is of category 77"):
        fit(shapes, out=tmp_path, config=tiny, paste=paste)


def test_fit__paste_sees_each_visit_once(shapes: Dataset, tiny: TrainConfig, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []

    def paste(sample: Sample) -> Sample:
        seen.append((sample.image_id, sample.epoch))
        return sample

    fit(shapes, out=tmp_path, config=tiny.model_copy(update={"iterations": 8}), paste=paste)
    assert len(seen) == len(set(seen)) == 16


@pytest.mark.slow
def test_fit__workers_give_the_same_run(shapes: Dataset, tiny: TrainConfig, tmp_path: Path) -> None:
    config = tiny.model_copy(update={"iterations": 3})
    alone = fit(shapes, out=tmp_path / "alone", config=config)
    helped = fit(shapes, out=tmp_path / "helped", config=config.model_copy(update={"workers": 1}))
    first, second = (load_checkpoint(result.checkpoint).model for result in (alone, helped))
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_fit__evaluates_some_of_its_categories_on_the_way(shapes: Dataset, tiny: TrainConfig, tmp_path: Path) -> None:
    some = shapes.categories[:2]
    seen = [one for one in shapes.annotations if one.category_id in {category.id for category in some}]
    val = Dataset(shapes.path, shapes.image_dir, shapes.images, seen, some)
    config = tiny.model_copy(update={"iterations": 4, "warmup": 1, "eval_every": 2})
    result = fit(shapes, out=tmp_path / "run", config=config, val=val)
    before = result.log.read_text(encoding="utf-8")
    assert [line["iteration"] for line in read_log(result.log) if "metrics" in line] == [2, 4]
    fit(shapes, out=tmp_path / "run", config=config, val=val)
    assert result.log.read_text(encoding="utf-8") == before, "said once"
    other = Dataset(shapes.path, shapes.image_dir, shapes.images, [], [Category(id=some[0].id, name="grey")])
    with pytest.raises(DatasetError, match=r"unknown \['grey'\]"):
        fit(shapes, out=tmp_path / "other", config=config, val=other)
    assert not (tmp_path / "other").exists(), "before anything is learned"


def test_fit__killed_before_an_evaluation_makes_up_for_it(shapes: Dataset, tiny: TrainConfig, tmp_path: Path) -> None:
    config = tiny.model_copy(update={"iterations": 4, "warmup": 1, "eval_every": 2, "checkpoint_every": 2})
    whole = fit(shapes, out=tmp_path / "whole", config=config, val=shapes)
    images = config.batch_size * 2
    with pytest.raises(PowerCut):
        fit(shapes, out=tmp_path / "cut", config=config, val=shapes, paste=Dies(images))
    log = tmp_path / "cut" / "log.jsonl"
    lines = [line for line in log.read_text(encoding="utf-8").splitlines() if '"metrics"' not in line]
    log.write_text("\n".join(lines) + "\n", encoding="utf-8")
    again = fit(shapes, out=tmp_path / "cut", config=config, val=shapes, paste=unchanged)
    noted = [[line for line in read_log(one.log) if "metrics" in line] for one in (whole, again)]
    assert noted[0] == noted[1]


@pytest.mark.slow
def test_fit__learns_the_shapes(shapes: Dataset, tiny: TrainConfig, tmp_path: Path) -> None:
    config = tiny.model_copy(update={"iterations": 150, "batch_size": 6, "lr": 5e-3, "repeat_min_images": 4})
    result = fit(shapes, out=tmp_path, config=config, val=shapes)
    assert result.metrics is not None
    assert result.metrics.mask.AP50 is not None
    assert result.metrics.mask.AP50 > 0.5
    results = predict(result.checkpoint, shapes)
    again = evaluate_lvis(json.loads(json.dumps(results)), shapes)
    assert again == result.metrics
