from __future__ import annotations

import runpy
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from divergen_records.coco import Dataset
from divergen_records.errors import ConfigError, WeightsError
from divergen_records.sample import Instance, Sample
from divergen_train import TrainConfig, fit, read_log
from divergen_train.bsgal.belief_step import BeliefStep
from divergen_train.bsgal.config import BeliefConfig, PublishedConfig, ThresholdConfig
from divergen_train.bsgal.draws import Candidates
from divergen_train.bsgal.ledger import Ledger, read_contributions, write_contributions
from divergen_train.detectors.build import build_detector
from divergen_train.detectors.protocol import Target
from divergen_train.engine.distributed import join_world
from divergen_train.engine.step import BatchSlice, Engine, PlainStep
from divergen_train.training.augment import Augmentation
from divergen_train.training.checkpoint import load_checkpoint
from divergen_train.training.data import TrainImages
from divergen_train.training.matched import MatchedImages
from divergen_train.training.sampling import Draw
from numpy.typing import NDArray
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


def judging(tiny: TrainConfig, config: Any, **changes: Any) -> TrainConfig:
    return tiny.model_copy(update={"bsgal": config, "batch_size": 4, **changes})


SOURCES = ("good-0", "good-1", "good-2", "bad-0", "bad-1", "bad-2")


class Weights:
    """What `Stamp` could draw; it draws as it likes, whatever the weights are."""

    def __init__(self, ids: Sequence[str] = SOURCES) -> None:
        generators = [name.split("-")[0] for name in ids]
        category_ids = [5 if generator == "good" else 10 for generator in generators]
        self.candidates = Candidates(ids, category_ids, generators, [None] * len(ids))
        self.now, self.changes = np.ones(len(ids)), 0

    def weights(self) -> NDArray[np.float64]:
        return self.now.copy()

    def set_weights(self, weights: NDArray[np.float64]) -> None:
        self.now, self.changes = np.array(weights), self.changes + 1


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


@pytest.mark.parametrize("classifier", ["softmax", "sigmoid"])
def test_class_activations__are_the_last_layers_gradient_of_each_object_alone(
    shapes: Dataset, tiny: TrainConfig, classifier: str
) -> None:
    detector: Any = build_detector(tiny.detector.model_copy(update={"classifier": classifier}), shapes.categories)
    (first, one), (second, two) = make_target(3, 1), make_target(2, 2)
    both = detector.class_activations(detector.encode([first, second]), [one, two]).objects
    assert both.losses.shape == (5,)
    alone = [detector.class_activations(detector.encode([i]), [t]).objects for i, t in ((first, one), (second, two))]
    torch.testing.assert_close(both.losses, torch.cat([o.losses for o in alone]), rtol=1e-4, atol=1e-5)
    layer = detector.roi_heads.box_predictor.logits.weight
    (gradient,) = torch.autograd.grad(both.losses[3], layer, retain_graph=True)
    ours = both.errors[3, 0][:, None] * both.features[3, 0][None]
    torch.testing.assert_close(gradient[len(gradient) - len(ours) :], ours, rtol=1e-4, atol=1e-6)
    wrong = Target(**{**two, "labels": two["labels"] % 3 + 1})  # type: ignore[typeddict-item]
    other = detector.class_activations(detector.encode([first, second]), [one, wrong]).objects
    assert torch.equal(both.losses[:3], other.losses[:3])
    assert (both.losses[3:] != other.losses[3:]).all()
    empty = make_target(0, 3)
    assert detector.class_activations(detector.encode([empty[0]]), [empty[1]]).objects.losses.shape == (0,)


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


def test_fit__belief_judges_all_changes_the_weights_and_writes_what_it_believes(
    shapes: Dataset, tiny: TrainConfig, tmp_path: Path
) -> None:
    draws, config = Weights(), judging(tiny, BeliefConfig(start=0.3, every=2))
    result = fit(shapes, out=tmp_path, config=config, paste=Stamp(), draws=draws)
    rows = read_contributions(tmp_path / "contributions.jsonl")
    assert {row.source for row in rows} <= set(draws.candidates.ids)
    assert sum(row.n for row in rows) > 20, "two in each image of four steps, but for those that are covered"
    assert all(row.accepted is None and row.mean is not None and row.belief is not None for row in rows)
    assert draws.changes == 2, "after steps 4 and 6; the first two are not judged"
    assert [row.weight for row in rows] == [draws.now[draws.candidates.ids.index(row.source)] for row in rows]
    assert all(0 < line["drawn"] <= 1 for line in read_log(result.log))


@pytest.mark.parametrize(
    "config",
    [
        BeliefConfig(start=0, every=2),
        PublishedConfig(),
        PublishedConfig(threshold=ThresholdConfig(rate=0.5, warmup=2)),
        PublishedConfig(compare="steps"),
    ],
    ids=["belief", "published", "rate", "steps"],
)
def test_fit__killed_and_resumed_equals_uninterrupted(
    shapes: Dataset, tiny: TrainConfig, tmp_path: Path, config: Any
) -> None:
    # Resumed at an odd iteration: in the middle between two changes of the weights.
    train = judging(tiny, config, checkpoint_every=3)
    draws = [Weights(), Weights()]
    fit(shapes, out=tmp_path / "whole", config=train, paste=Stamp(), draws=draws[0])
    with pytest.raises(PowerCut):
        fit(shapes, out=tmp_path / "killed", config=train, paste=Stamp(left=13), draws=Weights())
    assert load_checkpoint(tmp_path / "killed" / "checkpoint.pt").iteration == 3
    fit(shapes, out=tmp_path / "killed", config=train, paste=Stamp(), draws=draws[1])
    first, second = (load_checkpoint(tmp_path / name / "checkpoint.pt") for name in ("whole", "killed"))
    assert all(torch.equal(first.model[key], second.model[key]) for key in first.model)
    assert first.step == config.kind
    written = [(tmp_path / name / "contributions.jsonl").read_text() for name in ("whole", "killed")]
    assert written[0] == written[1] != ""
    assert np.array_equal(draws[0].now, draws[1].now)


def test_belief_step__learns_as_the_plain_one_does(shapes: Dataset, tiny: TrainConfig) -> None:
    items = [make_target(3, 1), make_target(3, 2, ("good-1", None, "bad-1"))]
    parts = [BatchSlice([image], [target], 7, 0.5) for image, target in items]
    gradients = []
    for step in (PlainStep(), BeliefStep(shapes.categories, Weights(), 10, start=0)):
        with join_world("cpu") as world:
            torch.manual_seed(0)
            engine = Engine(build_detector(tiny.detector, shapes.categories), tiny, world)
            engine.detector.train(True)
            step(engine, parts)
            gradients.append([p.grad for p in engine.detector.parameters() if p.grad is not None])
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(*gradients, strict=True))


def test_belief_step__says_that_its_weights_were_changed_and_keeps_those_of_instances_that_are_left(
    shapes: Dataset, tiny: TrainConfig
) -> None:
    items = [make_target(3, 1), make_target(3, 2, ("good-1", None, "bad-1"))]
    part = BatchSlice([image for image, _ in items], [target for _, target in items], 7, 1.0)
    draws = Weights()
    step = BeliefStep(shapes.categories, draws, 10, start=0, every=1)
    with join_world("cpu") as world:
        engine = Engine(build_detector(tiny.detector, shapes.categories), tiny, world)
        engine.detector.train(True)
        step(engine, [part])
        draws.set_weights(np.full(6, 3.0))
        with pytest.warns(UserWarning, match="changed by something else"):
            step(engine, [part])
    fewer = Weights(["bad-1", "new-1"])
    other = BeliefStep(shapes.categories, fewer, 10, start=0, every=1)
    other.load_state_dict(step.state_dict())
    assert fewer.now[0] == draws.now[draws.candidates.ids.index("bad-1")]
    assert fewer.now[1] == 1


def test_matched_images__the_original_is_equally_augmented_and_the_match_shows_what_was_pasted(
    shapes: Dataset, tiny: TrainConfig
) -> None:
    plain = TrainImages(shapes, Augmentation(64, scale=(0.9, 1.1)), seed=3)
    images = MatchedImages(TrainImages(shapes, Augmentation(64, scale=(0.9, 1.1)), seed=3, paste=Stamp()))
    image, target = images[Draw(4, 1)]
    versions: Any = target
    assert sum(source is not None for source in target["sources"]) > 0
    assert torch.equal(versions["original"][0], plain[Draw(4, 1)][0])
    assert not torch.equal(versions["original"][0], image)
    shown = set(versions["matched"][1]["labels"].tolist())
    assert shown & {label for label, source in zip(target["labels"].tolist(), target["sources"], strict=True) if source}
    _, unpasted = MatchedImages(plain)[Draw(4, 1)]
    assert cast(Any, unpasted)["matched"] is None


@pytest.mark.parametrize("compare", ["gradient", "raw gradient", "steps"])
def test_published_step__a_rejected_batch_is_learned_unpasted(shapes: Dataset, tiny: TrainConfig, compare: Any) -> None:
    images = MatchedImages(TrainImages(shapes, Augmentation(64), seed=3, paste=Stamp()))
    items = [images[Draw(index, 0)] for index in range(3)]
    part = BatchSlice([image for image, _ in items], [target for _, target in items], 7, 1.0)
    originals = [cast(Any, target)["original"] for _, target in items]
    plain = BatchSlice([image for image, _ in originals], [target for _, target in originals], 7, 1.0)
    never, always = (PublishedConfig(compare=compare, threshold=ThresholdConfig(fixed=f)) for f in (1e9, -1e9))
    cases = [(never, part), (None, plain), (always, part), (None, part)]
    gradients, ledgers = [], []
    for config, given in cases:
        step: Any = config.build(shapes.categories, None, 1) if config else PlainStep()
        with join_world("cpu") as world:
            torch.manual_seed(0)
            engine = Engine(build_detector(tiny.detector, shapes.categories), tiny, world)
            engine.detector.train(True)
            step(engine, [given])
            gradients.append([p.grad for p in engine.detector.parameters() if p.grad is not None])
        ledgers.append(list(step.contributions()) if config else [])
    for first, second in ((0, 1), (2, 3)):
        assert all(torch.equal(a, b) for a, b in zip(gradients[first], gradients[second], strict=True))
    assert all(row.accepted == 0 for row in ledgers[0])
    assert len({row.mean for row in ledgers[0]}) == 1, "one verdict for the batch"
    assert [row.mean for row in ledgers[0]] == [row.mean for row in ledgers[2]]


def test_fit__begins_with_the_weights_of_a_baseline(shapes: Dataset, tiny: TrainConfig, tmp_path: Path) -> None:
    fit(shapes, out=tmp_path / "baseline", config=tiny)
    path = tmp_path / "baseline" / "checkpoint.pt"
    later = tiny.model_copy(update={"init": path, "iterations": 3, "lr": 1e-12, "ema_decay": 0.0})
    fit(shapes, out=tmp_path / "later", config=later)
    before, after = load_checkpoint(path).average, load_checkpoint(tmp_path / "later" / "checkpoint.pt").model
    for key, value in before.items():
        torch.testing.assert_close(value, after[key], rtol=1e-4, atol=1e-4)
    other = tiny.detector.model_copy(update={"box_features": 16})
    with pytest.raises(WeightsError, match="weights of another detector"):
        fit(shapes, out=tmp_path / "other", config=later.model_copy(update={"detector": other}))


def test_fit__bad_settings(shapes: Dataset, tiny: TrainConfig, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="give paste too"):
        fit(shapes, out=tmp_path, config=judging(tiny, BeliefConfig()))
    with pytest.raises(ConfigError, match="give draws"):
        fit(shapes, out=tmp_path, config=judging(tiny, BeliefConfig()), paste=Stamp())
    with pytest.raises(ValueError, match="only references=4 are kept"):
        BeliefConfig(least=5, references=4)


def test_step__a_detector_that_cannot_judge(tiny: TrainConfig) -> None:
    class Plain(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.backbone = torch.nn.Linear(2, 2)

    step = BeliefStep([], Weights(), 10)
    with join_world("cpu") as world, pytest.raises(ConfigError, match="Plain cannot judge instances; it needs encode"):
        step(Engine(Plain(), tiny, world), [BatchSlice([], [], 0, 1.0)])  # type: ignore[arg-type]


def test_ledger__means_verdicts_and_file(shapes: Dataset, tmp_path: Path) -> None:
    ledger = Ledger(shapes.categories)
    for value, accepted in ((1.0, True), (2.0, False), (float("nan"), False)):
        ledger.add("b", 2, value, accepted)
    ledger.add("a", 1, float("nan"), False)
    resumed = Ledger(shapes.categories)
    resumed.load_state_dict(ledger.state_dict())
    write_contributions(tmp_path / "contributions.jsonl", resumed)
    a, b = read_contributions(tmp_path / "contributions.jsonl")
    assert (a.source, a.category_id, a.n, a.accepted, a.mean) == ("a", 5, 1, 0, None)
    assert (b.source, b.category, b.n, b.accepted, b.mean) == ("b", "green", 3, 1, 1.5)


@pytest.mark.slow
def test_step__two_processes_match_one(tmp_path: Path) -> None:
    script = Path(__file__).with_name("two_trainings.py")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    started = [
        subprocess.Popen([sys.executable, script, str(rank), "2", str(port), tmp_path], start_new_session=True)
        for rank in (0, 1)
    ]
    runpy.run_path(str(script))["train"](0, 1, str(tmp_path))
    assert [process.wait(timeout=400) for process in started] == [0, 0]
    one, first, second = (torch.load(tmp_path / f"{name}.pt", weights_only=True) for name in ("1-0", "2-0", "2-1"))
    assert first["known"] == second["known"]
    assert first["known"].keys() == one["known"].keys() != set()
    for name, numbers in first["known"].items():
        assert numbers == pytest.approx(one["known"][name], rel=0.05, abs=0.02)
    assert torch.equal(first["weights"], second["weights"])
    for key in first["model"]:
        assert torch.equal(first["model"][key], second["model"][key])
        torch.testing.assert_close(first["model"][key], one["model"][key], rtol=1e-3, atol=1e-4)
