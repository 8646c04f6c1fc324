"""MMDetection 3 as a trainer for `train: {kind: command}`: any of its configs that segments or detects."""

import argparse
import json
from pathlib import Path

from mmengine.config import Config
from mmengine.runner import Runner

parser = argparse.ArgumentParser()
for name in ("config", "data", "images", "val", "val_images", "out", "results"):
    parser.add_argument(name)
parser.add_argument("--seed", type=int, default=0)
args = parser.parse_args()

names = [category["name"] for category in json.loads(Path(args.data).read_text())["categories"]]
cfg = Config.fromfile(args.config)
cfg.work_dir, cfg.resume, cfg.randomness = args.out, True, {"seed": args.seed}


def use(dataset, file, folder):
    while "dataset" in dataset:  # wrapped, for example to repeat rare categories
        dataset = dataset.dataset
    dataset.update(ann_file=file, data_root="", data_prefix={"img": folder}, metainfo={"classes": names})


use(cfg.train_dataloader.dataset, args.data, args.images)
use(cfg.test_dataloader.dataset, args.val, args.val_images)
cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None  # these images are for the comparison afterwards
# Of the training file, as extra categories have no number in the validation file.
prefix = str(Path(args.out, "found"))
cfg.test_evaluator = {"type": "CocoMetric", "ann_file": args.data, "format_only": True, "outfile_prefix": prefix}


def set_classes(part):
    """Give every head of the model the data's number of classes."""
    for key, value in part.items() if isinstance(part, dict) else enumerate(part):
        if key in ("num_classes", "num_things_classes"):
            part[key] = len(names)
        elif isinstance(value, dict | list):
            set_classes(value)


set_classes(cfg.model)
runner = Runner.from_cfg(cfg)
runner.train()
runner.test()
segments = Path(prefix + ".segm.json")
(segments if segments.exists() else Path(prefix + ".bbox.json")).replace(args.results)
