"""The examples for `train: {kind: command}`: their lines run, on stand-ins for packages that no index has for CPUs."""

from __future__ import annotations

import json
import re
import shlex
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from divergen import Run
from divergen.trainers.config import CommandTrainConfig
from divergen.trainers.protocol import TrainTask
from divergen_records.coco import Dataset, read_dataset

EXAMPLES = Path(__file__).parents[1] / "examples"
README = (EXAMPLES / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```yaml\n(.*?)^```", README, flags=re.M | re.S)
LINES = {shlex.split(train["command"])[1]: train for train in (yaml.safe_load(block)["train"] for block in BLOCKS)}

MMENGINE = {
    "mmengine/__init__.py": "",
    "mmengine/config.py": """
class Config(dict):
    def __init__(self, content):
        super().__init__({key: Config(value) if isinstance(value, dict) else value for key, value in content.items()})
    def __getattr__(self, name): return self[name]
    def __setattr__(self, name, value): self[name] = value
    @classmethod
    def fromfile(cls, path):
        wrapped = {"type": "ClassBalancedDataset", "dataset": {"type": "CocoDataset"}}
        return cls({"train_dataloader": {"dataset": wrapped}, "test_dataloader": {"dataset": {}},
                    "model": {"roi_head": {"bbox_head": {"num_classes": 80}, "mask_heads": [{"num_classes": 80}]}}})
""",
    "mmengine/runner.py": """
import json
class Runner:
    @classmethod
    def from_cfg(cls, cfg):
        made = cls()
        made.cfg = cfg
        return made
    def train(self):
        classes = len(self.cfg.train_dataloader.dataset.dataset["metainfo"]["classes"])
        head = self.cfg.model.roi_head
        assert head.bbox_head.num_classes == head.mask_heads[0]["num_classes"] == classes, self.cfg
    def test(self):
        row = {"image_id": 1, "category_id": 1, "bbox": [0, 0, 4, 4], "score": 0.5}
        with open(self.cfg.test_evaluator["outfile_prefix"] + ".segm.json", "w") as file:
            json.dump([row], file)
""",
}
YOLOX = {
    "yolox/__init__.py": "",
    "yolox/evaluators.py": "class COCOEvaluator: pass",
    "yolox/exp.py": "class Exp:\n    no_aug_epochs = 15",
    "yolox/core.py": """
import json, sys
from pathlib import Path
def launch(main, devices, args, dist_url):
    exp, options = args
    truth = json.loads(Path(exp.data_dir, "annotations", exp.val_ann).read_text())
    assert exp.num_classes == len(truth["categories"]) and exp.max_epoch == 100 and not options.resume
    assert Path(exp.data_dir, "val2017", truth["images"][0]["file_name"]).is_file()
    row = {"image_id": 1, "category_id": 1, "bbox": [0, 0, 4, 4], "score": 0.5, "segmentation": []}
    sys.modules["__main__"].Writer().evaluate_prediction([row], None)
""",
}


@pytest.fixture
def task(tmp_path: Path, finished: Run) -> TrainTask:
    """Two images to validate on."""
    folder = finished.data / "minilvis"
    train, val = (read_dataset(folder / f"{name}.json", image_dir=folder) for name in ("train", "val"))
    return TrainTask("train real", train, _first(val, 2), tmp_path / "training", seed=0)


def _first(dataset: Dataset, count: int) -> Dataset:
    images = dataset.images[:count]
    ids = {image.id for image in images}
    return dataset.replace(images=images, annotations=[one for one in dataset.annotations if one.image_id in ids])


def config_of(script: str) -> CommandTrainConfig:
    """The settings as the README has them, by this interpreter."""
    train = LINES[script]
    line = train["command"].replace(f"python {script}", f"{sys.executable} {EXAMPLES / script}")
    return CommandTrainConfig(**train | {"command": line})


def rows_of(task: TrainTask) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(task.results.read_text(encoding="utf-8"))
    return found


def test_readme__names_every_example() -> None:
    assert set(LINES) == {path.name for path in EXAMPLES.glob("*.py")}


@pytest.mark.parametrize(("script", "modules"), [("mmdetection_trainer.py", MMENGINE), ("yolox_trainer.py", YOLOX)])
def test_example__its_line_runs_on_a_stand_in(
    tmp_path: Path, task: TrainTask, monkeypatch: pytest.MonkeyPatch, script: str, modules: dict[str, str]
) -> None:
    for name, text in modules.items():
        (tmp_path / "site" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "site" / name).write_text(text)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    config_of(script).build().train(task)
    assert [row["score"] for row in rows_of(task)] == [0.5]


def test_example__plain_pytorch_trains_and_detects(task: TrainTask) -> None:
    """The page as it is, one step of it; torch's import and a hundred masks take its ten seconds."""
    config = config_of("plain_pytorch.py")
    command = config.command.replace(" 512", " 64")
    config.model_copy(update={"command": command, "iterations": 1}).build().train(
        replace(task, val=_first(task.val, 1))
    )
    rows = rows_of(task)
    assert {row["image_id"] for row in rows} == {task.val.images[0].id}
    assert all(row["segmentation"] for row in rows)
    assert (task.out / "last.pt").is_file()
