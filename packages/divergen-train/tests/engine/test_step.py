"""Slices, precision and processes: the same step however it is cut up."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from divergen_records import derive_seed
from divergen_records.coco import Dataset
from divergen_records.errors import ConfigError
from divergen_train import TrainConfig, fit, read_log
from divergen_train.detectors.build import build_detector
from divergen_train.detectors.protocol import Target
from divergen_train.engine.distributed import World, join_world
from divergen_train.engine.step import BatchSlice, Engine, PlainStep
from divergen_train.training.checkpoint import load_checkpoint
from torch import nn

TRAIN = Path(__file__).with_name("_train_process.py")


class Toy(nn.Module):
    """Losses that are means over images, so that slices of equal size must add up to the batch exactly."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.backbone, self.head, self.unused = nn.Linear(3, 4), nn.Linear(4, 1), nn.Linear(2, 2)

    def forward(self, images: Sequence[torch.Tensor], targets: Any = None) -> dict[str, torch.Tensor]:
        means = torch.stack([image.float().mean((1, 2)) for image in images]) / 255
        value = self.head(self.backbone(means)).squeeze(1)
        return {"first": (value - 1).square().mean(), "second": value.abs().mean()}


def parts(sizes: Sequence[int]) -> list[BatchSlice]:
    generator = torch.Generator().manual_seed(3)
    images = [torch.randint(0, 256, (3, 8, 8), dtype=torch.uint8, generator=generator) for _ in range(sum(sizes))]
    none = torch.zeros(0)
    empty = Target(boxes=none, labels=none, masks=none, image_id=0, sources=())
    made, start = [], 0
    for size in sizes:
        made.append(BatchSlice(images[start : start + size], [empty] * size, start, size / sum(sizes)))
        start += size
    return made


def weights_after(sizes: Sequence[int], **settings: Any) -> tuple[dict[str, torch.Tensor], float]:
    config = TrainConfig(warmup=0, lr=0.01, ema_decay=0.5, **settings)
    engine = Engine(Toy(), config, World())
    if engine.scaler.is_enabled():  # its first factor, 65536, is too large for this toy and would cost a step
        engine.scaler = torch.amp.GradScaler("cpu", init_scale=256.0)
    for iteration in range(3):
        engine.optimizer.zero_grad()
        logged = PlainStep()(engine, parts(sizes))
        engine.update(iteration)
    return dict(engine.detector.state_dict()), float(logged["loss"])


@pytest.mark.parametrize("sizes", [[4, 4], [2, 2, 2, 2], [1] * 8])
def test_plain_step__slices_add_up_to_the_batch(sizes: list[int]) -> None:
    (whole, loss), (sliced, sliced_loss) = weights_after([8]), weights_after(sizes)
    assert sliced_loss == pytest.approx(loss, rel=1e-5)
    for name, value in whole.items():
        torch.testing.assert_close(sliced[name], value, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_engine__half_precision_stays_near_and_weights_are_whole(precision: str) -> None:
    (whole, loss), (half, half_loss) = weights_after([8]), weights_after([8], precision=precision)
    assert half_loss == pytest.approx(loss, rel=0.02)
    assert half_loss != loss
    for name, value in half.items():
        assert value.dtype == torch.float32
        torch.testing.assert_close(value, whole[name], rtol=0, atol=0.03)


def test_engine__float16_overflow_leaves_the_step_out() -> None:
    engine = Engine(Toy(), TrainConfig(warmup=0, precision="float16"), World())
    before = {name: value.clone() for name, value in engine.detector.state_dict().items()}
    PlainStep()(engine, parts([2]))
    engine.detector.head.weight.grad[0, 0] = float("inf")  # type: ignore[attr-defined]
    scale = engine.scaler.get_scale()
    engine.update(0)
    assert all(torch.equal(value, before[name]) for name, value in engine.detector.state_dict().items())
    assert engine.scaler.get_scale() == scale / 2


def test_engine__equal_calls_give_equal_losses(shapes: Dataset, tiny: TrainConfig) -> None:
    """A strategy may ask for the losses of a part again: the sampled regions are the same."""
    from divergen_train.training.augment import Augmentation
    from divergen_train.training.data import TrainImages
    from divergen_train.training.sampling import Draw

    detector = build_detector(tiny.detector, shapes.categories)
    detector.train(True)
    engine = Engine(detector, tiny, World())
    images = TrainImages(shapes, Augmentation(64), seed=0)
    drawn = [images[Draw(index, 0)] for index in (0, 1)]
    part = BatchSlice([image for image, _ in drawn], [target for _, target in drawn], 11, 1.0)
    first, second = (engine.losses(part) for _ in range(2))
    assert {name: loss.item() for name, loss in first.items()} == {name: loss.item() for name, loss in second.items()}


class Half:
    """A strategy that learns from the first slice only, and counts its steps."""

    name = "half"

    def __init__(self) -> None:
        self.steps = 0

    def __call__(self, engine: Engine, parts: Sequence[BatchSlice]) -> dict[str, Any]:
        self.steps += 1
        return {**engine.backward(engine.losses(parts[0])), "used": 1 / len(parts)}

    def state_dict(self) -> dict[str, Any]:
        return {"steps": self.steps}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.steps = state["steps"]

    def write(self, folder: Path) -> None:
        (folder / "steps.txt").write_text(str(self.steps))


def test_fit__own_step_is_logged_saved_and_needed_to_go_on(shapes: Dataset, tiny: TrainConfig, tmp_path: Path) -> None:
    config = tiny.model_copy(update={"micro_batch": 1, "iterations": 4})
    result = fit(shapes, out=tmp_path, config=config, step=Half())
    assert json.loads(result.log.read_text().splitlines()[0])["used"] == 0.5
    assert (tmp_path / "steps.txt").read_text() == "4"
    assert load_checkpoint(result.checkpoint).step_state == {"steps": 4}
    again = Half()
    fit(shapes, out=tmp_path, config=config, step=again)
    assert again.steps == 4
    with pytest.raises(ConfigError, match="trained with the step 'half', not 'plain'"):
        fit(shapes, out=tmp_path, config=config)


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_fit__half_precision_trains_the_real_detector_and_resumes(
    shapes: Dataset, tiny: TrainConfig, tmp_path: Path, precision: str
) -> None:
    config = tiny.model_copy(update={"precision": precision, "iterations": 3, "micro_batch": 1})
    result = fit(shapes, out=tmp_path, config=config)
    checkpoint = load_checkpoint(result.checkpoint)
    assert bool(checkpoint.scaler) == (precision == "float16")
    assert all(value.dtype == torch.float32 for value in checkpoint.model.values() if value.is_floating_point())
    assert fit(shapes, out=tmp_path, config=config).iterations == 3


def distance(one: Mapping[str, torch.Tensor], other: Mapping[str, torch.Tensor]) -> float:
    """Of all weights and statistics, as one vector."""
    return torch.stack([(value.double() - other[name]).norm() for name, value in one.items()]).norm().item()


def test_fit__two_processes_equal_one(shapes: Dataset, shapes_path: Path, tiny: TrainConfig, tmp_path: Path) -> None:
    """Slices of one image: one process with two of them, and two processes by torchrun with one each."""
    config = tiny.model_copy(update={"micro_batch": 1, "iterations": 3, "checkpoint_every": 3})
    one = fit(shapes, out=tmp_path / "one", config=config, val=shapes)
    (tmp_path / "config.json").write_text(config.model_dump_json())
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", str(TRAIN)]
    run = subprocess.run(
        [*command, str(shapes_path), str(tmp_path / "config.json"), str(tmp_path / "two")],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    first, second = load_checkpoint(one.checkpoint), load_checkpoint(tmp_path / "two/checkpoint.pt")
    # As a whole: where a gradient is nearly nothing, Adam makes a whole step of the order in which a CPU sums.
    torch.manual_seed(derive_seed(0, "init"))
    start = build_detector(config.detector, shapes.categories).state_dict()
    apart, travelled = (distance(first.model, other) for other in (second.model, start))
    assert apart < 1e-3 * travelled
    lines = [read_log(tmp_path / name / "log.jsonl") for name in ("one", "two")]
    assert [line["iteration"] for line in lines[1]] == [line["iteration"] for line in lines[0]]
    assert lines[1][0]["loss"] == pytest.approx(lines[0][0]["loss"], rel=1e-4)
    # Each rank tells what it got: both have the metrics, and the results of all images.
    told = [json.loads((tmp_path / f"two/rank{rank}.json").read_text()) for rank in (0, 1)]
    assert told[0] == told[1]
    assert told[0]["detections"] == one.metrics.detections  # type: ignore[union-attr]
    assert told[0]["size"] == 2


def test_fit__batch_that_processes_cannot_share(tiny: TrainConfig) -> None:
    from divergen_train.training.fit import _micro_batch

    with pytest.raises(ConfigError, match="batch_size=2 in slices of 1 cannot be shared by 3 processes"):
        _micro_batch(tiny, World(size=3))
    assert _micro_batch(tiny, World(size=2)) == 1


def test_join_world__no_gpu_for_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    monkeypatch.setenv("LOCAL_RANK", "1")
    with pytest.raises(ConfigError, match=r"there is one GPU .cuda:0. .*cuda:1 is wanted"), join_world("cuda"):
        pass


def test_world__alone_changes_nothing() -> None:
    world, rows = World(), [1, 2, 3]
    assert world.gather(rows) == world.part(rows) == rows
    assert world.broadcast("x") == "x"
    assert [World(rank, 2).part(rows) for rank in (0, 1)] == [[1], [2, 3]]
