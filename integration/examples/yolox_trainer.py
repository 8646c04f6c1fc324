"""YOLOX as a trainer for `train: {kind: command}`: boxes; resumed by its own checkpoints."""

import argparse
import json
from pathlib import Path

import torch
from yolox.core import launch
from yolox.evaluators import COCOEvaluator
from yolox.exp import Exp as BaseExp

parser = argparse.ArgumentParser()
for name in ("data", "images", "val", "val_images", "out", "results"):
    parser.add_argument(name)
parser.add_argument("--epochs", type=int, default=100)
parser.add_argument("--devices", type=int, default=1)
parser.add_argument("--batch-size", type=int, default=16)
args = parser.parse_args()


class Exp(BaseExp):
    """YOLOX-S on the run's data."""

    def __init__(self):
        super().__init__()
        self.depth, self.width = 0.33, 0.50
        self.max_epoch, self.eval_interval = args.epochs, args.epochs
        self.no_aug_epochs = min(self.no_aug_epochs, args.epochs // 4)
        self.num_classes = len(json.loads(Path(args.data).read_text())["categories"])
        self.output_dir, self.exp_name = args.out, "yolox"
        self.data_dir = str(Path(args.out, "coco"))
        self.train_ann, self.val_ann = "train.json", "val.json"


class Writer(COCOEvaluator):
    """Writes what it would evaluate."""

    def evaluate_prediction(self, data_dict, statistics):
        rows = [{key: value for key, value in row.items() if key != "segmentation"} for row in data_dict]
        Path(args.results).write_text(json.dumps(rows))
        return 0, 0, None


def link(place, target):
    place.parent.mkdir(parents=True, exist_ok=True)
    if not place.is_symlink():
        place.symlink_to(Path(target).resolve())


def main(exp, options):
    exp.get_trainer(options).train()
    model = exp.get_model().cuda().eval()
    model.load_state_dict(torch.load(folder / "latest_ckpt.pth", weights_only=False)["model"])
    loader = exp.get_eval_loader(args.batch_size, False)
    categories = json.loads(Path(args.data).read_text())["categories"]
    loader.dataset.class_ids = sorted(category["id"] for category in categories)
    Writer(loader, exp.test_size, 0.001, exp.nmsthre, exp.num_classes).evaluate(model, False, False)


coco, folder = Path(args.out, "coco"), Path(args.out, "yolox")
link(coco / "annotations" / "train.json", args.data)
link(coco / "annotations" / "val.json", args.val)
link(coco / "train2017", args.images)
link(coco / "val2017", args.val_images)
last = folder / "latest_ckpt.pth"
options = argparse.Namespace(
    experiment_name="yolox", batch_size=args.batch_size, devices=args.devices, fp16=True, cache=False, occupy=False,
    logger="tensorboard", resume=last.exists(), ckpt=str(last) if last.exists() else None, start_epoch=None,
)  # fmt: skip
launch(main, args.devices, args=(Exp(), options), dist_url="auto")
