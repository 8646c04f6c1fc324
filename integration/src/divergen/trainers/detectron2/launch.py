"""Run a training script on detectron2 with registered data sets, and take its results.

It is run as a file by an interpreter that has detectron2 and perhaps nothing of this house. The script's code runs in
this module, so that the processes that it starts, one for each GPU, import this file as they would import the script,
and have the data sets as well.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from collections import Counter
from pathlib import Path

_TASK = "DIVERGEN_DETECTRON2_TASK"
"""Environment variable by which the processes of a training know what it is about."""

_RESULTS = ("coco_instances_results.json", "lvis_instances_results.json")
_TRAIN, _VAL = "divergen_train", "divergen_val"
_VAL_FILE = "detectron2_val.json"


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    for name in ("script", "config", "evaluator", "data", "images", "val", "val-images", "out", "results"):
        parser.add_argument(f"--{name}", required=True)
    for name in ("seed", "iterations"):
        parser.add_argument(f"--{name}", type=int, required=True)
    for name in ("set", "argument"):
        parser.add_argument(f"--{name}", action="append", default=[])
    return parser.parse_args()


def _register(task: argparse.Namespace) -> int:
    """Register both data sets; the number of classes."""
    from detectron2.config import LazyConfig
    from detectron2.data import DatasetCatalog, MetadataCatalog
    from detectron2.data.datasets import load_coco_json, register_coco_instances
    from omegaconf import OmegaConf

    val = str(Path(task.out, _VAL_FILE))
    register_coco_instances(_TRAIN, {}, task.data, task.images)
    DatasetCatalog.register(_VAL, lambda: load_coco_json(val, task.val_images, _VAL))
    MetadataCatalog.get(_VAL).set(json_file=val, image_root=task.val_images, evaluator_type=task.evaluator)
    DatasetCatalog.get(_TRAIN)  # its metadata know the classes once it has been read
    counts = _image_counts(json.loads(Path(task.data).read_text(encoding="utf-8")))
    MetadataCatalog.get(_TRAIN).set(class_image_count=counts)
    if _is_lazy(task):  # functions in a lazy config, as the one of the federated loss, go on asking the set named there
        named = OmegaConf.select(LazyConfig.load(task.config), "dataloader.train.dataset.names", default=[])
        for name in [named] if isinstance(named, str) else named:
            if name in MetadataCatalog:
                MetadataCatalog.remove(name)
            MetadataCatalog.get(name).set(class_image_count=counts)
    return len(MetadataCatalog.get(_TRAIN).thing_classes)


def _is_lazy(task: argparse.Namespace) -> bool:
    return bool(task.config.endswith(".py"))


def _image_counts(data: dict[str, list[dict[str, int]]]) -> list[dict[str, int]]:
    """Images of each class, as the federated loss of LVIS asks for them; 1 where there is none, or it fails."""
    shown = {(one["category_id"], one["image_id"]) for one in data["annotations"]}
    found = Counter(category for category, _ in shown)
    return [{"id": one["id"], "image_count": max(found[one["id"]], 1)} for one in data["categories"]]


def _write_val(task: argparse.Namespace) -> None:
    """The validation images with the classes of training, extra ones included, and no truth: AP is not made here."""
    val, train = (json.loads(Path(path).read_text(encoding="utf-8")) for path in (task.val, task.data))
    truth: dict[str, list[object]] = {"annotations": []} if task.evaluator == "lvis" else {}  # each knows it by this
    content = {"images": val["images"], "categories": train["categories"], **truth}
    Path(task.out, _VAL_FILE).write_text(json.dumps(content), encoding="utf-8")


def _plain_settings(task: argparse.Namespace, classes: int) -> list[str]:
    values = {
        "DATASETS.TRAIN": f"('{_TRAIN}',)",
        "DATASETS.TEST": f"('{_VAL}',)",
        "INPUT.MASK_FORMAT": "bitmask",
        "MODEL.ROI_HEADS.NUM_CLASSES": classes,
        "MODEL.RETINANET.NUM_CLASSES": classes,
        "SOLVER.MAX_ITER": task.iterations,
        "TEST.EVAL_PERIOD": 0,
        "SEED": task.seed,
        "OUTPUT_DIR": task.out,
    }
    own = dict(one.split("=", 1) for one in task.set)
    return [str(word) for pair in {**values, **own}.items() for word in pair]


def _lazy_settings(task: argparse.Namespace, classes: int) -> list[str]:
    from detectron2.config import LazyConfig

    values = {
        "dataloader.train.dataset.names": _TRAIN,
        "dataloader.train.mapper.instance_mask_format": "bitmask",
        "dataloader.test.dataset.names": _VAL,
        "dataloader.evaluator.output_dir": f"{task.out}/inference",
        **dict.fromkeys(_class_counts(LazyConfig.load(task.config).model, "model"), classes),
        "train.max_iter": task.iterations,
        "train.eval_period": 10**9,
        "train.seed": task.seed,
        "train.output_dir": task.out,
    }
    return [*(f"{key}={_quoted(value)}" for key, value in values.items()), *task.set]


def _quoted(value: object) -> str:
    """As Hydra reads it; a path may hold anything."""
    return "'" + value.replace("'", "\\'") + "'" if isinstance(value, str) else str(value)


def _class_counts(node: object, path: str) -> list[str]:
    """Places of a lazy config that hold a number of classes themselves."""
    from omegaconf import DictConfig, OmegaConf

    if not isinstance(node, DictConfig):
        return []
    found = []
    for key in map(str, node):
        if OmegaConf.is_interpolation(node, key):
            continue  # it follows another one
        here = f"{path}.{key}"
        found += [here] if key == "num_classes" else _class_counts(node[key], here)
    return found


def _prepare() -> argparse.Namespace:
    """In the first process: read the task, and turn this program's arguments into the script's."""
    if _TASK in os.environ:
        task = argparse.Namespace(**json.loads(os.environ[_TASK]))
        _register(task)
        return task
    task = _parse()
    os.environ[_TASK] = json.dumps(vars(task))
    _write_val(task)
    classes = _register(task)
    settings = _lazy_settings if _is_lazy(task) else _plain_settings
    resume = ["--resume"] if Path(task.out, "last_checkpoint").exists() else []
    sys.argv = [task.script, "--config-file", task.config, *resume, *task.argument, *settings(task, classes)]
    sys.path.insert(0, str(Path(task.script).resolve().parent))
    return task


def _take_results(task: argparse.Namespace) -> None:
    out = Path(task.out)
    found = [path for name in _RESULTS for path in (out / "inference" / name, out / name) if path.exists()]
    if not found:
        raise SystemExit(
            f"{task.script} left no {' or '.join(_RESULTS)} in {out} or {out / 'inference'}; let it evaluate with "
            "COCOEvaluator(…, output_dir=OUTPUT_DIR/inference), as detectron2's train_net.py does"
        )
    shutil.copyfile(max(found, key=lambda path: path.stat().st_mtime), task.results)


if __name__ in ("__main__", "__mp_main__"):
    _task = _prepare()
    try:
        exec(compile(Path(_task.script).read_bytes(), _task.script, "exec", dont_inherit=True))  # noqa: S102 (the user's own script)
    except SystemExit as _end:
        if _end.code:
            raise
    if __name__ == "__main__":
        _take_results(_task)
