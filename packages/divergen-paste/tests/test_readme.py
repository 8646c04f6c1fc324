"""The README's examples, in one go; those of detectron2 where it is installed."""

import re
import warnings
from pathlib import Path

import pytest
from divergen_paste import Paster, bake

README = Path(__file__).parents[1] / "README.md"


def small_mask_rcnn(num_classes: int):
    """In the place of the README's ResNet-50: the same class, small enough for a test."""
    from torchvision.models.detection import MaskRCNN
    from torchvision.models.detection.backbone_utils import mobilenet_backbone
    from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
    from torchvision.models.detection.mask_rcnn import MaskRCNNPredictor
    from torchvision.models.detection.rpn import AnchorGenerator

    backbone = mobilenet_backbone(backbone_name="mobilenet_v3_small", weights=None, fpn=True, trainable_layers=6)
    anchors = AnchorGenerator(((16, 32),) * 3, ((1.0,),) * 3)
    return MaskRCNN(
        backbone,
        box_head=TwoMLPHead(256 * 7 * 7, 16),
        box_predictor=FastRCNNPredictor(16, num_classes),
        mask_predictor=MaskRCNNPredictor(256, 16, num_classes),
        min_size=64,
        rpn_anchor_generator=anchors,
        rpn_post_nms_top_n_train=20,
        box_batch_size_per_image=16,
    )


def test_examples__run(dataset, pool, tmp_path, monkeypatch, capsys):
    pytest.importorskip("albumentations")
    detection = pytest.importorskip("torchvision.models.detection")
    monkeypatch.setattr(detection, "maskrcnn_resnet50_fpn", small_mask_rcnn)
    bake(dataset, Paster(pool), tmp_path / "train", copies=0, progress=False)
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```(?:python|py)\n(.*?)^```", README.read_text(encoding="utf-8"), flags=re.M | re.S)
    names: dict[str, object] = {}
    for block in blocks:
        with warnings.catch_warnings():
            if "detectron2" in block:
                warnings.simplefilter("ignore")
                try:
                    import detectron2  # noqa: F401
                except ImportError:
                    continue
            exec(block, names)
    printed = capsys.readouterr().out
    assert "(96, 128, 3)" in printed
    assert "epoch 0: loss" in printed
    assert len(names["result"]["labels"]) == len(names["result"]["masks"]) == len(names["result"]["bboxes"])
    assert names["weights"].version == 2
