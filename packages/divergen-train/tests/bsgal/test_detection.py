from __future__ import annotations

import runpy
import socket
import subprocess
import sys
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from divergen_records.coco import Dataset
from divergen_records.errors import ConfigError
from divergen_records.sample import Instance, Sample
from divergen_train import TrainConfig, fit, read_log
from divergen_train.bsgal.config import BsgalConfig, ThresholdConfig
from divergen_train.bsgal.detection import IGNORED, BsgalStep, PasteInSome
from divergen_train.bsgal.ledger import Ledger, read_contributions
from divergen_train.detectors.build import build_detector
from divergen_train.detectors.protocol import Target
from divergen_train.engine.distributed import join_world
from divergen_train.engine.step import BatchSlice, Engine, PlainStep
from divergen_train.training.checkpoint import load_checkpoint
from torch import Tensor


class PowerCut(Exception):
    pass


@dataclass
class Stamp:
    """Pastes two discs: `good` of the category that its colour says, `bad` of another one."""

    left: int = 10_000

    def __call__(self, sample: Sample) -> Sample:
        self.left -= 1
        if self.left < 0:
            raise PowerCut
        rng = np.random.default_rng((sample.image_id, sample.epoch))
        image, instances = sample.image.copy(), list(sample.instances)
        disc = np.hypot(*np.mgrid[-8:9, -8:9]) <= 8
        for kind, category in (("good", 5), ("bad", 10)):
            x, y = (int(v) for v in rng.integers(0, 46, 2))
            image[y : y + 17, x : x + 17][disc] = (210, 40, 40)
            number = int(rng.integers(3))
            instances.append(Instance(category, disc, x, y, source=f"{kind}-{number}"))
        return Sample(image, tuple(instances), sample.image_id, sample.epoch)


def selective(tiny: TrainConfig, **changes: Any) -> TrainConfig:
    settings = {"threshold": ThresholdConfig(rate=0.5, warmup=4), "real_share": 0.5, "real_images": 0, **changes}
    return tiny.model_copy(update={"bsgal": BsgalConfig(**settings), "batch_size": 4})


def make_target(count: int, seed: int, sources: tuple[str | None, ...] | None = None) -> tuple[Tensor, Target]:
    rng = torch.Generator().manual_seed(seed)
    corners = torch.randint(0, 40, (count, 2), generator=rng).float()
    boxes = torch.cat([corners, corners + 16], 1)
    masks = torch.zeros(count, 64, 64, dtype=torch.uint8)
    for mask, (x0, y0, x1, y1) in zip(masks, boxes.int().tolist(), strict=True):
        mask[y0:y1, x0 + 3 : x1] = 1
    image = torch.randint(0, 256, (3, 64, 64), generator=rng, dtype=torch.uint8)
    labels = torch.randint(1, 4, (count,), generator=rng)
    return image, Target(boxes=boxes, labels=labels, masks=masks, image_id=seed, sources=sources or (None,) * count)


def test_instance_losses__of_each_object_alone(shapes: Dataset, tiny: TrainConfig) -> None:
    detector: Any = build_detector(tiny.detector, shapes.categories)
    (first, one), (second, two) = make_target(3, 1), make_target(2, 2)
    both = detector.instance_losses(detector.encode([first, second]), [one, two])
    assert both.shape == (5,)
    alone = [detector.instance_losses(detector.encode([image]), [t]) for image, t in ((first, one), (second, two))]
    torch.testing.assert_close(both, torch.cat(alone), rtol=1e-4, atol=1e-5)
    wrong = Target(**{**two, "labels": two["labels"] % 3 + 1})  # type: ignore[typeddict-item]
    other = detector.instance_losses(detector.encode([first, second]), [one, wrong])
    assert torch.equal(both[:3], other[:3])
    assert (both[3:] != other[3:]).all()
    both.sum().backward()
    assert all(p.grad is not None for name, p in detector.named_parameters() if name.startswith("roi_heads"))
    empty = make_target(0, 3)
    assert detector.instance_losses(detector.encode([empty[0]]), [empty[1]]).shape == (0,)


@pytest.mark.parametrize("classifier", ["softmax", "sigmoid"])
def test_detector__learns_nothing_from_ignored_objects(shapes: Dataset, tiny: TrainConfig, classifier: str) -> None:
    config = tiny.detector.model_copy(update={"classifier": classifier, "roi_batch": 512, "rpn_batch": 4096})
    detector: Any = build_detector(config, shapes.categories)
    detector.train(True)
    image, target = make_target(4, 1)
    target["labels"][2] = IGNORED

    def losses(labels: Tensor, masks: Tensor) -> dict[str, Tensor]:
        torch.manual_seed(0)
        changed = Target(**{**target, "labels": labels, "masks": masks})  # type: ignore[typeddict-item]
        found: dict[str, Tensor] = detector([image], [changed])
        return found

    masks = target["masks"].clone()
    masks[2] = 0
    before, after = losses(target["labels"], target["masks"]), losses(target["labels"], masks)
    assert all(torch.equal(before[name], after[name]) for name in before)
    seen = target["labels"].clone()
    seen[2] = 1
    learned = losses(seen, target["masks"])
    assert all(not torch.equal(before[name], learned[name]) for name in ("loss_classifier", "loss_mask"))
    assert all(value.isfinite() for value in before.values())
    # No anchor on it is background either.
    anchors = detector.rpn.anchor_generator
    pixels, features, sizes = detector.encode([image])
    from torchvision.models.detection.image_list import ImageList

    boxes = anchors(ImageList(pixels, sizes), list(features.values()))
    plain = Target(**{**target, "labels": seen})  # type: ignore[typeddict-item]
    (ignoring,), _ = detector.rpn.assign_targets_to_anchors(boxes, [target])
    (learning,), _ = detector.rpn.assign_targets_to_anchors(boxes, [plain])
    changed = ignoring != learning
    assert changed.any()
    assert (learning[changed] == 1).all()
    assert (ignoring[changed] == -1).all()


@pytest.mark.parametrize("real_images", [0, 2])
def test_fit__judges_logs_and_writes_contributions(
    shapes: Dataset, tiny: TrainConfig, tmp_path: Path, real_images: int
) -> None:
    result = fit(shapes, out=tmp_path, config=selective(tiny, real_images=real_images), paste=Stamp())
    rows = read_contributions(tmp_path / "contributions.jsonl")
    assert {row.source for row in rows} <= {f"{kind}-{i}" for kind in ("good", "bad") for i in range(3)}
    assert len(rows) >= 5
    assert all(row.category == ("red" if row.source.startswith("good") else "green") for row in rows)
    assert 0 < sum(row.accepted for row in rows) < sum(row.n for row in rows)
    assert all(row.mean is not None for row in rows)
    log = read_log(result.log)
    assert all(0 <= line["warmup"] <= line["accepted"] <= 1 for line in log)
    assert max(line["warmup"] for line in log[:-1]) > 0 == log[-1]["warmup"]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"mode": "last-layer", "every": 2},
        {"mode": "last-layer", "real_images": 3, "refresh": 2},
        {"mode": "random-projection", "unit": "image", "average": False},
        {"mode": "gradient", "normalize": "cosine"},
        {"mode": "lookahead", "normalize": "none", "threshold": ThresholdConfig(fixed=0.0)},
    ],
    ids=["directional", "last-layer", "real-images", "random-projection", "gradient", "lookahead"],
)
def test_fit__killed_and_resumed_equals_uninterrupted(
    shapes: Dataset, tiny: TrainConfig, tmp_path: Path, changes: dict[str, Any]
) -> None:
    # Resumed at an odd iteration: with every=2 in the middle between two estimates.
    config = selective(tiny, **changes).model_copy(update={"checkpoint_every": 3})
    fit(shapes, out=tmp_path / "whole", config=config, paste=Stamp())
    with pytest.raises(PowerCut):
        fit(shapes, out=tmp_path / "killed", config=config, paste=Stamp(left=10))
    killed = load_checkpoint(tmp_path / "killed" / "checkpoint.pt")
    assert killed.iteration == 3
    fit(shapes, out=tmp_path / "killed", config=config, paste=Stamp())
    first, second = (load_checkpoint(tmp_path / name / "checkpoint.pt") for name in ("whole", "killed"))
    assert all(torch.equal(first.model[key], second.model[key]) for key in first.model)
    assert first.step == "bsgal"
    if changes.get("mode") != "lookahead":  # which forgets its real batch, and judges from the next one on
        written = [(tmp_path / name / "contributions.jsonl").read_text() for name in ("whole", "killed")]
        assert written[0] == written[1]


def test_detector__training_losses_are_those_of_what_encode_gave(shapes: Dataset, tiny: TrainConfig) -> None:
    torch.manual_seed(0)
    detector: Any = build_detector(tiny.detector, shapes.categories)
    detector.train(True)
    image, target = make_target(3, 1)
    torch.manual_seed(1)
    whole = detector([image], [target])
    torch.manual_seed(1)
    pieces = detector.losses(detector.encode([image]), [target])
    assert whole.keys() == pieces.keys()
    assert all(torch.equal(whole[name], pieces[name]) for name in whole)


@pytest.mark.parametrize(
    ("settings", "shares"),
    [
        ({"real_images": 0}, False),
        ({"real_images": 0, "mode": "last-layer"}, True),
        ({"real_images": 0, "mode": "random-projection", "parameters": ("roi_heads.*",)}, True),
        ({"real_images": 0, "mode": "last-layer", "parameters": ("backbone.fpn.*",)}, False),
        ({"real_images": 1, "mode": "last-layer"}, True),
    ],
    ids=["directional", "last-layer", "heads", "not-heads", "real-images"],
)
def test_step__accepting_everything_is_the_plain_gradient_in_two_pieces(
    shapes: Dataset, tiny: TrainConfig, settings: dict[str, Any], shares: bool
) -> None:
    """Real and pasted images apart, each as its own part; what judges on the features does not make them again."""
    gradients = []
    items = [make_target(3, 1), make_target(3, 2, ("a", None, "b"))]
    together = [BatchSlice([image for image, _ in items], [target for _, target in items], 7, 1.0)]
    apart = (
        [BatchSlice([image], [target], 7, 0.5) for image, target in items] if not settings["real_images"] else together
    )
    for kind in ("plain", "selective"):
        with join_world("cpu") as world:
            torch.manual_seed(0)
            engine = Engine(build_detector(tiny.detector, shapes.categories), tiny, world)
            engine.detector.train(True)
            counted: Any = engine.detector
            passes: list[None] = []
            counted.backbone.fpn.register_forward_hook(lambda *_, passes=passes: passes.append(None))
            config = BsgalConfig(threshold=ThresholdConfig(fixed=-1e9), real_share=0.5, **settings)
            step: Any = PlainStep() if kind == "plain" else BsgalStep(config, shapes.categories)
            logged = step(engine, apart if kind == "plain" else together)
            gradients.append([p.grad for p in engine.detector.parameters() if p.grad is not None])
    assert logged["accepted"] == 1
    assert (len(passes) == 2) is shares  # the real image, and the pasted one
    assert all(row.mean for row in step.ledger)
    for ours, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("real_images", [0, 2])
@pytest.mark.parametrize("mode", ["directional", "last-layer"])
def test_step__the_measure_is_the_gradient_of_the_real_objects_own_losses(
    shapes: Dataset, tiny: TrainConfig, mode: Any, real_images: int
) -> None:
    """Over all slices, whatever the training loss of the other regions says, and not of what is pasted."""
    items = [make_target(3, 1), make_target(3, 2, ("a", None, "b")), make_target(1, 3)]
    with join_world("cpu") as world:
        torch.manual_seed(0)
        engine = Engine(build_detector(tiny.detector, shapes.categories), tiny, world)
        engine.detector.train(True)
        step = BsgalStep(BsgalConfig(mode=mode, real_images=real_images), shapes.categories)
        step(engine, [BatchSlice([image], [target], 7, 1 / 3) for image, target in items])
    detector: Any = engine.detector
    found = step.state_dict()["estimator"]["cache"]
    named = {name: value for name, value in detector.named_parameters() if name in found}
    assert found
    assert (mode == "last-layer") == all(name.startswith("roi_heads") for name in found)
    (first, one), _, (last, other) = items
    losses = detector.instance_losses(detector.encode([first, last]), [one, other])
    truth = torch.autograd.grad(losses.mean(), list(named.values()), allow_unused=True)
    for (name, value), gradient in zip(named.items(), truth, strict=True):
        expected = torch.zeros_like(value) if gradient is None else gradient
        torch.testing.assert_close(found[name], expected, rtol=1e-3, atol=1e-6)


def test_step__real_images_are_kept_and_measured_from_time_to_time(shapes: Dataset, tiny: TrainConfig) -> None:
    def real(seed: int) -> BatchSlice:
        items = [make_target(2, seed), make_target(2, 100 + seed, ("a", "b"))]
        return BatchSlice([image for image, _ in items], [target for _, target in items], seed, 1.0)

    with join_world("cpu") as world:
        torch.manual_seed(0)
        engine = Engine(build_detector(tiny.detector, shapes.categories), tiny, world)
        engine.detector.train(True)
        step = BsgalStep(BsgalConfig(mode="last-layer", real_images=2, refresh=3), shapes.categories)
        measures = []
        for iteration in range(6):
            step(engine, [real(iteration)])
            state = step.state_dict()
            cache = state["estimator"]["cache"]
            measures.append({name: value.clone() for name, value in cache.items()})
    assert [entry["image_id"] for entry in state["bank"]] == [4, 5]
    assert not measures[0], "nothing is judged before there are enough"
    assert sum(row.n for row in step.ledger) == 5 * 2
    changed = [any(not torch.equal(a[k], b[k]) for k in b) for a, b in pairwise(measures[1:])]
    assert changed == [False, False, True, False], "after calls 1 and 4"


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("real_images", [0, 1])
def test_step__slices_are_judged_as_the_whole(
    shapes: Dataset, tiny: TrainConfig, precision: str, real_images: int
) -> None:
    """The features of the last slice are those that it learns from, the others' are made for the judgement."""
    items = [make_target(3, 1), make_target(3, 2, ("a", None, "b")), make_target(2, 3, ("c", "d"))]
    apart = [BatchSlice([image], [target], 7, 1 / 3) for image, target in items]
    together = BatchSlice([image for image, _ in items], [target for _, target in items], 7, 1.0)
    means = []
    for parts in (apart, [together]):
        with join_world("cpu") as world:
            torch.manual_seed(0)
            config = tiny.model_copy(update={"precision": precision})
            engine = Engine(build_detector(tiny.detector, shapes.categories), config, world)
            engine.detector.train(True)
            chosen = BsgalConfig(mode="last-layer", threshold=ThresholdConfig(fixed=0.0), real_images=real_images)
            step = BsgalStep(chosen, shapes.categories)
            step(engine, parts)
            means.append([row.mean for row in step.ledger])
    assert means[0] == pytest.approx(means[1], rel=0.02 if precision == "float32" else 0.1, abs=1e-3)


def test_fit__bad_settings(shapes: Dataset, tiny: TrainConfig, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="give paste too"):
        fit(shapes, out=tmp_path, config=selective(tiny))
    with pytest.raises(ValueError, match="must be 'global'"):
        BsgalConfig(unit="image", threshold=ThresholdConfig(rate=0.5, per="category"))
    with pytest.raises(ValueError, match="needs mode='gradient'"):
        BsgalConfig(normalize="cosine")
    with pytest.raises(ValueError, match="normalize='none'"):
        BsgalConfig(mode="lookahead")


def test_step__a_detector_that_cannot_judge(tiny: TrainConfig) -> None:
    class Plain(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.backbone = torch.nn.Linear(2, 2)

    with join_world("cpu") as world, pytest.raises(ConfigError, match="Plain cannot judge instances; it needs encode"):
        BsgalStep(BsgalConfig(), [])(Engine(Plain(), tiny, world), [])  # type: ignore[arg-type]


def test_paste_in_some__a_share_decided_by_image_and_visit() -> None:
    image = np.zeros((64, 64, 3), np.uint8)
    paste = PasteInSome(Stamp(), 0.25, seed=1)
    samples = [Sample(image, (), image_id, epoch) for image_id in range(20) for epoch in range(20)]
    pasted = [bool(paste(sample).instances) for sample in samples]
    assert 0.68 < sum(pasted) / len(pasted) < 0.82
    assert pasted == [bool(paste(sample).instances) for sample in samples]


def test_ledger__means_verdicts_and_file(shapes: Dataset, tmp_path: Path) -> None:
    ledger = Ledger(shapes.categories)
    assert ledger.remembered("new")
    assert ledger.score("new", 3.0) == 3.0
    for value, accepted in ((1.0, True), (2.0, False), (float("nan"), False)):
        ledger.add("b", 2, value, accepted)
    ledger.add("a", 1, float("nan"), False)
    assert ledger.score("b", 6.0) == 3.0
    assert not ledger.remembered("b")
    resumed = Ledger(shapes.categories)
    resumed.load_state_dict(ledger.state_dict())
    resumed.write(tmp_path / "contributions.jsonl")
    a, b = read_contributions(tmp_path / "contributions.jsonl")
    assert (a.source, a.category_id, a.n, a.accepted, a.mean) == ("a", 5, 1, 0, None)
    assert (b.source, b.category, b.n, b.accepted, b.mean) == ("b", "green", 3, 1, 1.5)


@pytest.mark.slow
@pytest.mark.parametrize("real_images", [0, 2])
def test_step__two_processes_match_one(tmp_path: Path, real_images: int) -> None:
    """The measure comes from one process' image and judges the other's, in turns; or of the last image of each."""
    script = Path(__file__).with_name("two_trainings.py")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    started = [
        subprocess.Popen(
            [sys.executable, script, str(rank), "2", str(port), tmp_path, str(real_images)], start_new_session=True
        )
        for rank in (0, 1)
    ]
    runpy.run_path(str(script))["train"](0, 1, str(tmp_path), real_images)
    assert [process.wait(timeout=400) for process in started] == [0, 0]
    one, first, second = (torch.load(tmp_path / f"{name}.pt", weights_only=True) for name in ("1-0", "2-0", "2-1"))
    assert first["ledger"] == second["ledger"]
    assert first["threshold"] == second["threshold"] == one["threshold"]
    assert [row[:4] for row in first["ledger"]["rows"]] == [row[:4] for row in one["ledger"]["rows"]]
    sums = [[row[5] for row in state["ledger"]["rows"]] for state in (first, one)]
    assert sums[0] == pytest.approx(sums[1], rel=0.05, abs=0.01)
    for key in first["model"]:
        assert torch.equal(first["model"][key], second["model"][key])
        torch.testing.assert_close(first["model"][key], one["model"][key], rtol=1e-3, atol=1e-4)
    for iteration in range(4):
        for name in ("loss", "accepted"):
            parts = first["logged"][iteration].get(name, 0.0) + second["logged"][iteration].get(name, 0.0)
            assert parts == pytest.approx(one["logged"][iteration][name], rel=1e-3)
