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
LVIS = PLAIN.replace(
    "ROI_BOX_HEAD: {", "ROI_BOX_HEAD: {USE_FED_LOSS: true, USE_SIGMOID_CE: true, FED_LOSS_NUM_CLASSES: 3, "
)
LVIS = LVIS.replace("DATALOADER: {", "DATALOADER: {SAMPLER_TRAIN: RepeatFactorTrainingSampler, ")
LVIS_SCRIPT = SCRIPT.replace("COCOEvaluator", "LVISEvaluator")
LAZY_SCRIPT = """
from detectron2.checkpoint import DetectionCheckpointer
from detectron2.config import LazyConfig, instantiate
from detectron2.engine import SimpleTrainer, default_argument_parser, default_setup, hooks
from detectron2.evaluation import inference_on_dataset

def test(cfg, model):
    return inference_on_dataset(model, instantiate(cfg.dataloader.test), instantiate(cfg.dataloader.evaluator))

if __name__ == "__main__":
    args = default_argument_parser().parse_args()
    cfg = LazyConfig.apply_overrides(LazyConfig.load(args.config_file), args.opts)
    default_setup(cfg, args)
    model = cfg.optimizer.params.model = instantiate(cfg.model)
    trainer = SimpleTrainer(model, instantiate(cfg.dataloader.train), instantiate(cfg.optimizer))
    checkpointer = DetectionCheckpointer(model, cfg.train.output_dir, trainer=trainer)
    trainer.register_hooks([
        hooks.PeriodicCheckpointer(checkpointer, **cfg.train.checkpointer),
        hooks.EvalHook(cfg.train.eval_period, lambda: test(cfg, model)),
    ])
    checkpointer.resume_or_load(cfg.train.init_checkpoint, resume=args.resume)
    trainer.train(trainer.iter + 1 if args.resume else 0, cfg.train.max_iter)
"""
LAZY = """
from detectron2 import model_zoo
from detectron2.config import LazyCall as L
from detectron2.data.detection_utils import get_fed_loss_cls_weights
from detectron2.data.samplers import RepeatFactorTrainingSampler
from detectron2.evaluation import LVISEvaluator
from detectron2.layers import ShapeSpec

dataloader = model_zoo.get_config("common/data/coco.py").dataloader
dataloader.train.dataset.names = "lvis_v1_train"
dataloader.train.total_batch_size = 1
dataloader.train.num_workers = dataloader.test.num_workers = 0
dataloader.train.mapper.augmentations[0].short_edge_length = (64,)
dataloader.test.mapper.augmentations[0].short_edge_length = 64
dataloader.train.sampler = L(RepeatFactorTrainingSampler)(
    repeat_factors=L(RepeatFactorTrainingSampler.repeat_factors_from_category_frequency)(
        dataset_dicts="${dataloader.train.dataset}", repeat_thresh=0.001
    )
)
dataloader.evaluator = L(LVISEvaluator)(dataset_name="${..test.dataset.names}", max_dets_per_image=300)
model = model_zoo.get_config("common/models/mask_rcnn_fpn.py").model
model.backbone.bottom_up.stages.depth = 18
del model.backbone.bottom_up.stages.stride_in_1x1  # of bottlenecks, which this depth has none of
model.backbone.out_channels = model.proposal_generator.head.in_channels = 16
model.roi_heads.num_classes = 1203
model.roi_heads.box_head.update(input_shape=ShapeSpec(channels=16, height=7, width=7), fc_dims=[16])
model.roi_heads.mask_head.update(input_shape=ShapeSpec(channels=16, width=14, height=14), conv_dims=[16])
model.roi_heads.box_predictor.update(
    input_shape=ShapeSpec(channels=16), test_score_thresh=0.0, use_sigmoid_ce=True, use_fed_loss=True,
    fed_loss_num_classes=3,
    get_fed_loss_cls_weights=lambda: get_fed_loss_cls_weights(dataloader.train.dataset.names, 0.5),
)
optimizer = model_zoo.get_config("common/optim.py").SGD
optimizer.lr = 0.001
train = model_zoo.get_config("common/train.py").train
train.update(device="cpu", init_checkpoint="", checkpointer=dict(period=1))
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
    assert "dataloader.train.dataset.names='divergen_train'" in words
    assert not [word for word in words if "box.num_classes" in word]


@installed
@pytest.mark.skipif(find_spec("lvis") is None, reason="detectron2's LVISEvaluator needs the package lvis")
@pytest.mark.parametrize(
    ("script", "name", "text"), [(LVIS_SCRIPT, "lvis.yaml", LVIS), (LAZY_SCRIPT, "it's lazy.py", LAZY)]
)
def test_detectron2_script__of_lvis(
    tmp_path: Path, finished: Run, config: Detectron2ScriptConfig, script: str, name: str, text: str
) -> None:
    """Federated loss, repeat factors and the evaluator of LVIS, for other classes than LVIS has."""
    config.script.write_text(script)
    (tmp_path / name).write_text(text)
    train, val = datasets(finished)
    task = TrainTask(name="train real", dataset=train, val=val, out=tmp_path / "it's a training", seed=3)
    config.model_copy(update={"config": str(tmp_path / name), "evaluator": "lvis"}).build().train(task)
    rows = json.loads(task.results.read_text(encoding="utf-8"))
    assert rows and all("segmentation" in row for row in rows)
    assert {row["category_id"] for row in rows} <= {category.id for category in val.categories}


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
