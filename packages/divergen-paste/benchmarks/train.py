"""torchvision's Mask R-CNN, then detectron2's trainer, train some iterations with the adapters, on a CPU.

Prints the losses:

    python benchmarks/train.py                                  # scenes of discs, made here
    python benchmarks/train.py --data FOLDER --iterations 50    # FOLDER/images and FOLDER/annotations.json

Both start from random weights: what is shown is that they train, not how well.
"""

import json
import tempfile
import time
import warnings
from pathlib import Path

import click
import numpy as np
import torch
from divergen_paste import Paster, area_statistics, pool_from_dataset
from divergen_paste.bench.report import make_scene
from divergen_paste.functional import instance_annotation
from divergen_paste.torchvision import PasteDataset
from divergen_records.coco import read_dataset
from divergen_records.images import encode_image

SIZE = 160
BATCH = 2


@click.command()
@click.option("--data", type=click.Path(path_type=Path), help="Folder with images/ and annotations.json.")
@click.option("--iterations", default=50, help="Of each trainer.")
@click.option("--only", type=click.Choice(["torchvision", "detectron2"]), help="One of the trainers.")
def main(data: Path | None, iterations: int, only: str | None) -> None:
    """Train with both."""
    with tempfile.TemporaryDirectory() as name:
        folder = write_scenes(Path(name) / "data") if data is None else data
        dataset = read_dataset(folder / "annotations.json")
        pool = pool_from_dataset(dataset, Path(name) / "pool", progress=False)
        paster = Paster(pool, area_statistics(dataset), seed=0)
        click.echo(f"{len(dataset.images)} images, {pool}, batches of {BATCH}, {SIZE} px")
        if only != "detectron2":
            report("torchvision", *train_torchvision(dataset, paster, iterations))
        if only != "torchvision":
            if has_detectron2():
                report("detectron2", *train_detectron2(folder, paster, iterations, Path(name) / "out"))
            else:
                click.echo("detectron2: not here")


def has_detectron2() -> bool:
    """Whether detectron2 can be imported; what it imports warns of what torch will leave behind."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            import detectron2.data  # noqa: F401
        except ImportError:
            return False
    return True


def report(name: str, losses: list[float], seconds: float) -> None:
    """Print, and fail where it did not learn."""
    fifth = max(len(losses) // 5, 1)
    first, last = np.mean(losses[:fifth]), np.mean(losses[-fifth:])
    click.echo(
        f"{name}: {len(losses)} iterations in {seconds:.0f} s; loss {first:.2f} in the first fifth, {last:.2f} last"
    )
    if not np.isfinite(losses).all() or last >= first:
        raise SystemExit(f"{name} did not learn")


def write_scenes(folder: Path, images: int = 24) -> Path:
    """Scenes of discs as a COCO dataset."""
    (folder / "images").mkdir(parents=True)
    content = {"images": [], "annotations": [], "categories": [{"id": 1, "name": "disc"}]}
    for number in range(images):
        scene = make_scene(SIZE, 6, number)
        (folder / "images" / f"{number}.jpg").write_bytes(encode_image(scene.image, "jpeg", 90))
        content["images"].append({"id": number + 1, "width": SIZE, "height": SIZE, "file_name": f"{number}.jpg"})
        for instance in scene.instances:
            row = instance_annotation(instance, scene.image.shape[:2])
            content["annotations"].append({"id": len(content["annotations"]) + 1, "image_id": number + 1, **row})
    (folder / "annotations.json").write_text(json.dumps(content))
    return folder


def train_torchvision(dataset, paster, iterations):
    from torchvision.models.detection import maskrcnn_resnet50_fpn
    from torchvision.transforms import v2

    train = PasteDataset(dataset, paster, v2.ToDtype(torch.float32, scale=True))
    loader = torch.utils.data.DataLoader(
        train, BATCH, shuffle=True, drop_last=True, num_workers=1, collate_fn=collate, multiprocessing_context="spawn"
    )
    torch.manual_seed(0)
    classes = len(dataset.categories) + 1
    model = maskrcnn_resnet50_fpn(
        weights=None,
        weights_backbone=None,
        num_classes=classes,
        min_size=SIZE,
        max_size=SIZE,
        box_batch_size_per_image=64,
    ).train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.005, momentum=0.9)
    losses, start = [], time.perf_counter()
    for epoch in range(iterations):
        train.set_epoch(epoch)
        for images, targets in loader:
            if len(losses) == iterations:
                return losses, time.perf_counter() - start
            loss = sum(model(images, targets).values())
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimizer.step()
            losses.append(loss.item())
    return losses, time.perf_counter() - start


def collate(pairs):
    """For torchvision: lists of images and of targets; crowds are not learned."""
    images, targets = zip(*pairs, strict=True)
    return list(images), [
        {key: target[key][target["iscrowd"] == 0] for key in ("boxes", "labels", "masks")} for target in targets
    ]


def train_detectron2(folder, paster, iterations, out):
    from detectron2 import model_zoo
    from detectron2.data import build_detection_train_loader
    from detectron2.data.datasets import register_coco_instances
    from detectron2.engine import DefaultTrainer
    from divergen_paste.detectron2 import PasteMapper

    register_coco_instances("paste-train", {}, str(folder / "annotations.json"), str(folder / "images"))
    cfg = model_zoo.get_config("COCO-InstanceSegmentation/mask_rcnn_R_50_FPN_1x.yaml")
    cfg.DATASETS.TRAIN, cfg.DATASETS.TEST = ("paste-train",), ()
    cfg.MODEL.DEVICE, cfg.MODEL.WEIGHTS, cfg.OUTPUT_DIR = "cpu", "", str(out)
    # Frozen statistics need weights that they belong to.
    cfg.MODEL.RESNETS.NORM, cfg.MODEL.BACKBONE.FREEZE_AT = "BN", 0
    cfg.MODEL.ROI_HEADS.NUM_CLASSES = len(read_dataset(folder / "annotations.json").categories)
    cfg.MODEL.ROI_HEADS.BATCH_SIZE_PER_IMAGE = 32
    cfg.MODEL.RPN.POST_NMS_TOPK_TRAIN = 200
    cfg.INPUT.MIN_SIZE_TRAIN, cfg.INPUT.MAX_SIZE_TRAIN, cfg.INPUT.MASK_FORMAT = (SIZE,), SIZE, "bitmask"
    cfg.SOLVER.IMS_PER_BATCH, cfg.SOLVER.MAX_ITER, cfg.SOLVER.BASE_LR = BATCH, iterations, 0.005
    cfg.SOLVER.WARMUP_ITERS, cfg.SOLVER.STEPS = 5, ()
    cfg.SOLVER.CLIP_GRADIENTS.ENABLED, cfg.SOLVER.CLIP_GRADIENTS.CLIP_TYPE = True, "norm"
    cfg.DATALOADER.NUM_WORKERS, cfg.SEED = 1, 0
    out.mkdir()

    losses = []

    class Trainer(DefaultTrainer):
        @classmethod
        def build_train_loader(cls, cfg):
            return build_detection_train_loader(cfg, mapper=PasteMapper.from_config(cfg, paster))

        def run_step(self):
            super().run_step()
            losses.append(self.storage.latest()["total_loss"][0])

    start = time.perf_counter()
    Trainer(cfg).train()
    return losses, time.perf_counter() - start


if __name__ == "__main__":
    main()
