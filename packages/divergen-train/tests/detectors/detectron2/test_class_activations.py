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


def ignoring(target: Target, index: int) -> Target:
    labels = target["labels"].clone()
    labels[index] = -1
    return changed(target, labels=labels)


def without(target: Target, index: int) -> Target:
    keep = torch.arange(len(target["labels"])) != index
    return changed(target, **{key: target[key][keep] for key in ("boxes", "labels", "masks")})  # type: ignore[literal-required]


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


def test_detector__learns_nothing_from_ignored_objects(
    config: Config, images: list[Tensor], targets: list[Target]
) -> None:
    """Neither class nor mask of the object is looked at, and the classifier of its category learns of nothing else."""
    whole = {"federated_categories": 0, "roi_batch": 4096}
    detector = build(config.model_copy(update=whole | ({"rpn_batch": 8192} if config.kind == "mask-rcnn" else {})))

    def losses(first: Target) -> dict[str, Tensor]:
        torch.manual_seed(0)
        found: dict[str, Tensor] = detector(images, [first, targets[1]])
        return found

    ignored = ignoring(targets[0], 1)
    masks = ignored["masks"].clone()
    masks[1] = 0
    before, after, learned = losses(ignored), losses(changed(ignored, masks=masks)), losses(targets[0])
    assert all(value.isfinite() for value in before.values())
    assert all(torch.equal(before[name], after[name]) for name in before)
    heads = [name for name in before if "mask" in name or "cls" in name]
    assert all(not torch.equal(before[name], learned[name]) for name in heads)


def test_heads__regions_on_ignored_objects_are_left_out(
    config: Config, images: list[Tensor], targets: list[Target]
) -> None:
    """Proposals on the ignored object alone leave nothing to learn in any stage; elsewhere they are background."""
    from detectron2.structures import Boxes, Instances
    from detectron2.utils.events import EventStorage
    from divergen_train.detectors.detectron2.wrapper import _instances

    detector = build(config)
    network = detector.network
    with torch.no_grad():
        for name, value in detector.named_parameters():
            if "bbox_pred" in name and "roi_heads" in name:
                value.zero_()  # the regions stay where they are
    encoded = detector.encode(images)

    def gradients(target: Target, shift: float) -> list[Tensor]:
        alone = [without(one, 0) for one in (target, targets[1])]
        objects = [_instances(one, size) for one, size in zip(alone, encoded.sizes, strict=True)]
        objects[1].gt_classes[:] = -1
        proposals = [
            Instances(size, proposal_boxes=Boxes(one["boxes"] + shift), objectness_logits=torch.ones(1))
            for one, size in zip(alone, encoded.sizes, strict=True)
        ]
        with EventStorage():
            _, losses = network.roi_heads(None, encoded.features, proposals, objects)
        total = torch.stack([*losses.values()]).sum()
        weights = [value for name, value in detector.named_parameters() if "cls_score" in name]
        found = torch.autograd.grad(total, weights, retain_graph=True, allow_unused=True)
        return [torch.zeros(1) if one is None else one for one in found]

    assert not any(one.any() for one in gradients(ignoring(targets[0], 1), 0.5))
    assert all(one.any() for one in gradients(targets[0], 0.5))
    assert all(one.any() for one in gradients(ignoring(targets[0], 1), -25))  # beside it is background


def test_centernet__places_on_ignored_objects_are_neither_centre_nor_background(
    centernet2: CenterNet2Config, images: list[Tensor], targets: list[Target]
) -> None:
    from divergen_train.detectors.detectron2.wrapper import _instances

    detector = build(centernet2)
    generator, encoded = detector.network.proposal_generator, detector.encode(images)
    levels = [encoded.features[name] for name in generator.in_features]
    grids = generator.compute_grids(levels)
    shapes = grids[0].new_tensor([level.shape[2:] for level in levels])
    places = torch.cat([grid for grid in grids for _ in images])
    owner = torch.cat([torch.full((len(grid),), index) for grid in grids for index in range(2)])

    def background(first: Target) -> tuple[Any, Tensor, Tensor]:
        objects = [_instances(one, size) for one, size in zip((first, targets[1]), encoded.sizes, strict=True)]
        indices, labels, offsets, heatmap = generator._get_ground_truth(grids, shapes, objects)
        logits = torch.zeros(len(places), requires_grad=True)
        prediction = torch.ones(len(places), 4)
        losses = generator.losses(indices, labels, offsets, heatmap, None, prediction, logits + 0)
        (gradient,) = torch.autograd.grad(losses["loss_centernet_agn_neg"], logits)
        return (indices, labels, offsets), heatmap[:, 0], gradient

    taught, heatmap, gradient = background(ignoring(targets[0], 1))
    absent, plain, usual = background(without(targets[0], 1))
    assert all(torch.equal(one, other) for one, other in zip(taught, absent, strict=True))
    x0, y0, x1, y1 = targets[0]["boxes"][1]
    x, y = places.unbind(1)
    inside = (owner == 0) & (x > x0) & (x < x1) & (y > y0) & (y < y1)
    assert 4 < int(inside.sum()) < len(places) / 4
    assert not gradient[inside].any()
    assert usual[inside].any()
    assert torch.equal(heatmap[owner == 1], plain[owner == 1])
    assert (heatmap >= plain).all()
    far = (owner == 0) & ~((x > x0 - 64) & (x < x1 + 64) & (y > y0 - 64) & (y < y1 + 64))
    assert torch.equal(heatmap[far], plain[far])


def test_rpn__anchors_on_ignored_objects(
    mask_rcnn: Detectron2MaskRCNNConfig, images: list[Tensor], targets: list[Target]
) -> None:
    from divergen_train.detectors.detectron2.wrapper import _instances

    detector = build(mask_rcnn.model_copy(update={"rpn_batch": 100_000}))
    rpn, encoded = detector.network.proposal_generator, detector.encode(images)
    anchors = rpn.anchor_generator([encoded.features[name] for name in rpn.in_features])

    def assigned(first: Target) -> list[Tensor]:
        objects = [_instances(one, size) for one, size in zip((first, targets[1]), encoded.sizes, strict=True)]
        torch.manual_seed(0)
        labels, boxes = rpn.label_and_sample_anchors(anchors, objects)
        assert all(found.shape == (len(labels[0]), 4) for found in boxes)
        found: list[Tensor] = labels
        return found

    ignored, learned = assigned(ignoring(targets[0], 1)), assigned(targets[0])
    assert torch.equal(ignored[1], learned[1])
    differing = ignored[0] != learned[0]
    assert differing.any()
    assert (learned[0][differing] == 1).all()
    assert (ignored[0][differing] == -1).all()
    empty = changed(targets[0], **{key: targets[0][key][:0] for key in ("boxes", "labels", "masks")})  # type: ignore[literal-required]
    assert (assigned(empty)[0] == 0).all()
    objects = [_instances(one, size) for one, size in zip((empty, ignoring(targets[1], 0)), encoded.sizes, strict=True)]
    assert (rpn.label_and_sample_anchors(anchors, objects)[0][0] == 0).all()


def test_detector__without_ignored_objects_the_published_modules(
    config: Config, images: list[Tensor], targets: list[Target], monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the bit: the same losses and gradients as with every class's published parent in its place."""
    detector = build(config)
    found = []
    for _ in range(2):
        torch.manual_seed(3)
        losses = detector(images, targets)
        gradients = torch.autograd.grad(torch.stack([*losses.values()]).sum(), [*detector.parameters()])
        found.append((losses, gradients))
        for module in (detector.network.proposal_generator, detector.network.roi_heads):
            if type(module).__name__.startswith("Ignoring"):
                monkeypatch.setattr(module, "__class__", type(module).__bases__[0])
    (ours, own), (theirs, published) = found
    assert not any(type(module).__name__.startswith("Ignoring") for module in detector.modules())
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert all(torch.equal(one, other) for one, other in zip(own, published, strict=True))


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
