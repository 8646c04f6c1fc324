"""A user's own script on detectron2, a real tiny model: from a run's settings to AP, stopped and gone on."""

from __future__ import annotations

import json
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from divergen import Run, load_config
from divergen.testing import check_trainer
from divergen.trainers.command import CommandFailed
from divergen.trainers.detectron2.config import Detectron2ScriptConfig
from divergen.trainers.protocol import TrainTask
from divergen_records.coco import Dataset, read_dataset
from pydantic import ValidationError

installed = pytest.mark.skipif(find_spec("detectron2") is None, reason="needs detectron2")

SCRIPT = """
import os
from detectron2.config import get_cfg
from detectron2.engine import DefaultTrainer, default_argument_parser, default_setup, launch
from detectron2.evaluation import COCOEvaluator

class Trainer(DefaultTrainer):
    @classmethod
    def build_evaluator(cls, cfg, name):
        return COCOEvaluator(name, output_dir=os.path.join(cfg.OUTPUT_DIR, "inference"))

def main(args):
    cfg = get_cfg()
    cfg.merge_from_file(args.config_file)
    cfg.merge_from_list(args.opts)
    default_setup(cfg, args)
    trainer = Trainer(cfg)
    trainer.resume_or_load(resume=args.resume)
    print("begins at", trainer.start_iter)
    return trainer.train()

if __name__ == "__main__":
    args = default_argument_parser().parse_args()
    launch(main, args.num_gpus, args=(args,))
"""
PLAIN = """
MODEL:
  META_ARCHITECTURE: GeneralizedRCNN
  DEVICE: cpu
  WEIGHTS: ""
  MASK_ON: true
  BACKBONE: {NAME: build_resnet_fpn_backbone}
  RESNETS: {DEPTH: 18, RES2_OUT_CHANNELS: 64, OUT_FEATURES: [res2, res3, res4, res5]}
  FPN: {IN_FEATURES: [res2, res3, res4, res5], OUT_CHANNELS: 16}
  ANCHOR_GENERATOR: {SIZES: [[8], [16], [32], [64], [128]], ASPECT_RATIOS: [[1.0]]}
  RPN: {IN_FEATURES: [p2, p3, p4, p5, p6], PRE_NMS_TOPK_TEST: 50, POST_NMS_TOPK_TEST: 20, POST_NMS_TOPK_TRAIN: 20}
  ROI_HEADS: {NAME: StandardROIHeads, IN_FEATURES: [p2, p3, p4, p5], SCORE_THRESH_TEST: 0.0, BATCH_SIZE_PER_IMAGE: 16}
  ROI_BOX_HEAD: {NAME: FastRCNNConvFCHead, NUM_FC: 1, FC_DIM: 16, POOLER_RESOLUTION: 7}
  ROI_MASK_HEAD: {NAME: MaskRCNNConvUpsampleHead, NUM_CONV: 1, CONV_DIM: 16, POOLER_RESOLUTION: 7}
INPUT: {MIN_SIZE_TRAIN: [64], MIN_SIZE_TEST: 64}
SOLVER: {IMS_PER_BATCH: 1, BASE_LR: 0.001, CHECKPOINT_PERIOD: 1}
DATALOADER: {NUM_WORKERS: 0}
VERSION: 2
"""


@pytest.fixture
def config(tmp_path: Path) -> Detectron2ScriptConfig:
    (tmp_path / "train net.py").write_text(SCRIPT)
    (tmp_path / "plain.yaml").write_text(PLAIN)
    return Detectron2ScriptConfig(
        script=tmp_path / "train net.py", config=str(tmp_path / "plain.yaml"), iterations=2, python=sys.executable
    )


def datasets(run: Run) -> tuple[Dataset, Dataset]:
    """One category less is evaluated than learned, and ids have gaps."""
    folder = run.data / "minilvis"
    train, val = (read_dataset(folder / f"{name}.json", image_dir=folder) for name in ("train", "val"))
    left = val.categories[1:]
    ids = {category.id for category in left}
    return train, val.replace(categories=left, annotations=[one for one in val.annotations if one.category_id in ids])


@installed
def test_check_trainer__a_plain_config(tmp_path: Path, finished: Run, config: Detectron2ScriptConfig) -> None:
    train, val = datasets(finished)
    check_trainer(config.build, train, val, tmp_path / "training")
    rows = json.loads((tmp_path / "training" / "results.json").read_text(encoding="utf-8"))
    assert rows and all("segmentation" in row for row in rows)
    assert {row["category_id"] for row in rows} <= {category.id for category in val.categories}


@installed
def test_detectron2_script__goes_on_where_it_was_stopped(
    tmp_path: Path, finished: Run, config: Detectron2ScriptConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    train, val = datasets(finished)
    task = TrainTask(name="train real", dataset=train, val=val, out=tmp_path / "training", seed=3)
    config.build().train(task)
    config.model_copy(update={"iterations": 3}).build().train(task)
    assert "begins at 2" in capsys.readouterr().err


@installed
def test_detectron2_script__no_results(tmp_path: Path, finished: Run, config: Detectron2ScriptConfig) -> None:
    config.script.write_text("import sys; print(sys.argv, flush=True)")
    train, val = datasets(finished)
    task = TrainTask(name="train real", dataset=train, val=val, out=tmp_path / "training", seed=3)
    with pytest.raises(CommandFailed, match=r"(?s)'SEED', '3'.*left no coco_instances_results.json"):
        config.build().train(task)


@installed
def test_detectron2_script__a_lazy_config(tmp_path: Path, finished: Run, config: Detectron2ScriptConfig) -> None:
    config.script.write_text("import sys; print('ARGV', *sys.argv)")
    lazy = tmp_path / "lazy.py"
    lazy.write_text(
        "from omegaconf import OmegaConf\n"
        "model = OmegaConf.create({'roi_heads': {'num_classes': 80, 'box': {'num_classes': '${..num_classes}'}}})\n"
    )
    train, val = datasets(finished)
    task = TrainTask(name="train real", dataset=train, val=val, out=tmp_path / "training", seed=3)
    with pytest.raises(CommandFailed) as failed:
        config.model_copy(update={"config": str(lazy), "settings": {"train.amp": True}}).build().train(task)
    words = next(line for line in str(failed.value).splitlines() if line.startswith("ARGV")).split()
    count = len(train.categories)
    assert {f"model.roi_heads.num_classes={count}", "train.max_iter=2", "train.seed=3", "train.amp=True"} <= {*words}
    assert "dataloader.train.dataset.names=divergen_train" in words
    assert not [word for word in words if "box.num_classes" in word]


def test_config__is_one_of_a_runs(tmp_path: Path, config: Detectron2ScriptConfig) -> None:
    line = (
        f"{{kind: detectron2-script, script: '{config.script}', config: x.yaml, iterations: 5, settings: {{A.B: 1}}}}"
    )
    loaded = load_config("quickstart", [f"train={line}"]).train
    assert isinstance(loaded, Detectron2ScriptConfig)
    assert "--set A.B=1" in loaded.command and "--val-images {val_images}" in loaded.command


@pytest.mark.parametrize("key", ["DATASETS.TRAIN", "train.max_iter"])
def test_config__refuses_what_the_run_decides(key: str) -> None:
    with pytest.raises(ValidationError, match=f"'{key}' is decided by"):
        Detectron2ScriptConfig(script=Path("a.py"), config="a.yaml", iterations=1, settings={key: "x"})
