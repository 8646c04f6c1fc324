"""The detectors of detectron2 as judges: their last layers for single objects, and objects to learn nothing from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from divergen_records.coco import Dataset
from divergen_records.sample import Instance, Sample
from divergen_train import TrainConfig, fit, object_logits
from divergen_train.bsgal.config import BeliefConfig, PublishedConfig
from divergen_train.bsgal.draws import Candidates
from divergen_train.bsgal.ledger import read_contributions
from divergen_train.bsgal.objects import JudgesObjects
from divergen_train.detectors.config import CenterNet2Config, Detectron2MaskRCNNConfig
from divergen_train.detectors.protocol import Target
from torch import Tensor

pytestmark = pytest.mark.detectron2

Config = CenterNet2Config | Detectron2MaskRCNNConfig


@pytest.fixture(params=["centernet2", "mask-rcnn", "softmax-cascade", "agnostic-mask-rcnn"])
def config(request: pytest.FixtureRequest, centernet2: CenterNet2Config, mask_rcnn: Detectron2MaskRCNNConfig) -> Config:
    kinds: dict[str, Config] = {
        "centernet2": centernet2,
        "mask-rcnn": mask_rcnn,
        "softmax-cascade": centernet2.model_copy(update={"classifier": "softmax", "federated_categories": 0}),
        "agnostic-mask-rcnn": mask_rcnn.model_copy(update={"class_agnostic": True, "classifier": "sigmoid"}),
    }
    return kinds[request.param]


def build(config: Config) -> Any:
    """A detector whose outputs depend on what it sees: fresh heads say nearly the same of everything."""
    torch.manual_seed(0)
    detector: Any = config.build(7, [3] * 7).train(True)
    with torch.no_grad():
        for name, value in detector.named_parameters():
            if "roi_heads" in name and value.ndim > 1:
                value.mul_(3).add_(0.05 * torch.randn_like(value))
    return detector


def changed(target: Target, **values: Any) -> Target:
    return Target(**{**target, **values})  # type: ignore[typeddict-item]


def test_class_activations__of_each_object_alone(config: Config, images: list[Tensor], targets: list[Target]) -> None:
    detector = build(config)
    assert isinstance(detector, JudgesObjects)
    encoded = detector.encode(images)

    def losses(given: list[Target]) -> Tensor:
        found: Tensor = detector.class_activations(encoded, given).objects.losses
        return found

    both = losses(targets)
    assert both.shape == (4,)
    assert torch.equal(both, losses(targets))
    parts = [
        changed(target, **{key: target[key][[i]] for key in ("boxes", "labels", "masks")})  # type: ignore[literal-required]
        for target in targets
        for i in range(2)
    ]
    nothing = changed(targets[0], **{key: targets[0][key][:0] for key in ("boxes", "labels", "masks")})  # type: ignore[literal-required]
    for index, part in enumerate(parts):
        beside = [part, nothing] if index < 2 else [nothing, part]
        torch.testing.assert_close(losses(beside), both[[index]])
    wrong = losses([targets[0], changed(targets[1], labels=targets[1]["labels"] + 1)])
    assert torch.equal(both[:2], wrong[:2])
    assert (both[2:] != wrong[2:]).all()
    assert losses([nothing, nothing]).shape == (0,)


def test_class_activations__are_the_gradients_of_the_last_layers(
    config: Config, images: list[Tensor], targets: list[Target]
) -> None:
    detector = build(config)
    objects, weights = detector.class_activations(detector.encode(images), targets)
    layers = [value for name, value in detector.named_parameters() if name.endswith("cls_score.weight")]
    assert objects.features.shape[1] == objects.errors.shape[1] == len(layers)
    assert weights.shape == (7, objects.features.shape[2])
    for stage, gradient in enumerate(torch.autograd.grad(objects.losses[1], layers)):
        ours = objects.errors[1, stage][:, None] * objects.features[1, stage][None]
        torch.testing.assert_close(gradient[: len(ours)], ours, rtol=1e-4, atol=1e-6)
        assert not gradient[len(ours) :].any()


def test_class_activations__losses_are_the_training_ones_of_the_true_boxes(
    config: Config, images: list[Tensor], targets: list[Target]
) -> None:
    """With every object's own box as the only region, the heads' class loss is the mean of the objects' losses."""
    from detectron2.structures import Boxes, Instances
    from detectron2.utils.events import EventStorage

    detector = build(config.model_copy(update={"federated_categories": 0}))
    network, encoded = detector.network, detector.encode(images)
    for predictor in detector.modules():
        if hasattr(predictor, "bbox_pred") and hasattr(predictor, "cls_score"):
            with torch.no_grad():  # else the second stage would see other boxes than the true ones
                predictor.bbox_pred.weight.zero_()
                predictor.bbox_pred.bias.zero_()
    heads, regions = network.roi_heads, []
    for target, size in zip(targets, encoded.sizes, strict=True):
        regions.append(Instances(size, gt_boxes=Boxes(target["boxes"]), gt_classes=target["labels"] - 1))
        regions[-1].proposal_boxes = Boxes(target["boxes"])
    with EventStorage():
        cascade = isinstance(config, CenterNet2Config)
        losses = heads._forward_box(encoded.features, regions, *([regions] if cascade else []))
    found = detector.class_activations(encoded, targets).objects.losses
    expected = torch.stack([value for name, value in losses.items() if "loss_cls" in name]).sum()
    torch.testing.assert_close(found.mean(), expected)


@dataclass(frozen=True)
class Stamp:
    """Pastes two discs: `good` of the category that its colour says, `bad` of another one."""

    def __call__(self, sample: Sample) -> Sample:
        rng = np.random.default_rng((sample.image_id, sample.epoch))
        image, instances = sample.image.copy(), list(sample.instances)
        disc = np.hypot(*np.mgrid[-8:9, -8:9]) <= 8
        for kind, category in (("good", 5), ("bad", 10)):
            x, y = (int(v) for v in rng.integers(0, 46, 2))
            image[y : y + 17, x : x + 17][disc] = (210, 40, 40)
            instances.append(Instance(category, disc, x, y, source=f"{kind}-{int(rng.integers(3))}"))
        return Sample(image, tuple(instances), sample.image_id, sample.epoch)


class Weights:
    """What `Stamp` could draw."""

    candidates = Candidates(
        [f"{kind}-{i}" for kind in ("good", "bad") for i in range(3)],
        [5, 5, 5, 10, 10, 10],
        ["good"] * 3 + ["bad"] * 3,
        [None] * 6,
    )

    def __init__(self) -> None:
        self.now = np.ones(6)

    def weights(self) -> np.ndarray[Any, np.dtype[np.float64]]:
        return self.now.copy()

    def set_weights(self, weights: np.ndarray[Any, np.dtype[np.float64]]) -> None:
        self.now = np.array(weights)


@pytest.mark.parametrize("kind", ["centernet2", "mask-rcnn"])
@pytest.mark.parametrize("bsgal", [BeliefConfig(start=0, every=1), PublishedConfig()], ids=["belief", "published"])
def test_fit__judges_and_writes_contributions(
    shapes: Dataset,
    tiny: TrainConfig,
    centernet2: CenterNet2Config,
    mask_rcnn: Detectron2MaskRCNNConfig,
    tmp_path: Path,
    kind: str,
    bsgal: BeliefConfig | PublishedConfig,
) -> None:
    # Group norm (32 groups) of a single image needs more than one value in a group, and p7 is one place here.
    detector: Config = centernet2.model_copy(update={"fpn_channels": 64}) if kind == "centernet2" else mask_rcnn
    config = tiny.model_copy(update={"detector": detector, "bsgal": bsgal, "iterations": 4, "batch_size": 3})
    result = fit(shapes, out=tmp_path, config=config, paste=Stamp(), draws=Weights())
    rows = read_contributions(tmp_path / "contributions.jsonl")
    assert len(rows) > 3
    assert all(row.category == ("red" if row.source.startswith("good") else "green") for row in rows)
    assert all(row.mean is not None for row in rows)
    logits = object_logits(result.checkpoint, shapes, limit=2).logits
    assert logits.shape[1] == 3
    assert np.isfinite(logits).all()


def test_box_logits__are_what_the_detector_scores_with(
    config: Config, images: list[Tensor], targets: list[Target]
) -> None:
    """Stages that are equal and leave boxes alone detect with the scores of these logits."""
    from detectron2.structures import Boxes, Instances

    changes: dict[str, Any] = {"nms_threshold": 1.0}
    detector = build(config.model_copy(update=changes))
    heads = detector.network.roi_heads
    if isinstance(config, CenterNet2Config):
        heads.mult_proposal_score = False
        for stage in (1, 2):
            heads.box_head[stage].load_state_dict(heads.box_head[0].state_dict())
            heads.box_predictor[stage].load_state_dict(heads.box_predictor[0].state_dict())
    with torch.no_grad():
        for name, value in detector.named_parameters():
            if "bbox_pred" in name and "roi_heads" in name:
                value.zero_()
        detector.train(False)
        boxes = [target["boxes"] for target in targets]
        logits = detector.box_logits(images, [boxes[0], boxes[1][:1]])
        encoded = detector.encode(images[:1])
        regions = Instances(encoded.sizes[0], proposal_boxes=Boxes(boxes[0]), objectness_logits=torch.ones(2))
        (found,), _ = heads(None, encoded.features, [regions], None)
    assert [tuple(one.shape) for one in logits] == [(2, 7), (1, 7)]
    assert len(found) == 14
    rows = torch.cdist(found.pred_boxes.tensor, boxes[0]).argmin(1)
    expected = logits[0][rows, found.pred_classes]
    if config.classifier == "sigmoid":
        torch.testing.assert_close(found.scores, expected.sigmoid())
    else:
        for row in range(2):
            own = rows == row
            odds = (found.scores[own].log() - expected[own]).tolist()
            assert odds == pytest.approx([odds[0]] * 7, abs=1e-4)  # the background's share of the sum
