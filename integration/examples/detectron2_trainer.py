"""detectron2 as a trainer for `train: {kind: command}`: a config of yours, and `DefaultTrainer`."""

import argparse
from pathlib import Path

from detectron2.checkpoint import DetectionCheckpointer
from detectron2.config import get_cfg
from detectron2.data import DatasetCatalog, MetadataCatalog, build_detection_test_loader
from detectron2.data.datasets import load_coco_json, register_coco_instances
from detectron2.engine import DefaultTrainer
from detectron2.evaluation import COCOEvaluator, inference_on_dataset
from detectron2.utils.logger import setup_logger

parser = argparse.ArgumentParser()
for name in ("config", "data", "images", "val", "val_images", "out", "results", "seed", "iterations"):
    parser.add_argument(name)
parser.add_argument("options", nargs="*", help="further settings of the config: KEY VALUE ...")
args = parser.parse_args()
setup_logger()

register_coco_instances("run_train", {}, args.data, args.images)
DatasetCatalog.get("run_train")  # its metadata know the classes once it has been read
learned = MetadataCatalog.get("run_train")
# Classes as in training: extra categories have no number in the validation file.
classes = {"thing_dataset_id_to_contiguous_id": learned.thing_dataset_id_to_contiguous_id}
images = load_coco_json(args.val, args.val_images)
DatasetCatalog.register("run_val", lambda: [{**image, "annotations": []} for image in images])
MetadataCatalog.get("run_val").set(json_file=args.val, thing_classes=learned.thing_classes, **classes)

cfg = get_cfg()
cfg.merge_from_file(args.config)
cfg.DATASETS.TRAIN, cfg.DATASETS.TEST = ("run_train",), ()  # validation images are for the comparison afterwards
cfg.INPUT.MASK_FORMAT = "bitmask"
cfg.MODEL.ROI_HEADS.NUM_CLASSES = cfg.MODEL.RETINANET.NUM_CLASSES = len(learned.thing_classes)
cfg.SOLVER.MAX_ITER, cfg.SEED, cfg.OUTPUT_DIR = int(args.iterations), int(args.seed), args.out
cfg.merge_from_list(args.options)

trainer = DefaultTrainer(cfg)
trainer.resume_or_load(resume=True)
if trainer.start_iter < cfg.SOLVER.MAX_ITER:
    trainer.train()
DetectionCheckpointer(trainer.model).load(str(Path(args.out, "model_final.pth")))
evaluator = COCOEvaluator("run_val", distributed=False, output_dir=args.out)
inference_on_dataset(trainer.model, build_detection_test_loader(cfg, "run_val"), evaluator)
Path(args.out, "coco_instances_results.json").replace(args.results)
