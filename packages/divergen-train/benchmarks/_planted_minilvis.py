"""MiniLVIS with planted harm: a detector trained on real images, judged at several stages of its training."""

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from _planted import ALL_REAL, REFERENCE, VARIANTS, Table
from divergen_records import derive_seed
from divergen_records.coco import Dataset, load_sample, read_dataset
from divergen_records.sample import Instance, Sample
from divergen_train import fit, preset
from divergen_train.bsgal import ContributionEstimator
from divergen_train.bsgal.detection import Judged, _instance_losses, _subset
from divergen_train.engine.step import BatchSlice, Engine, PlainStep
from divergen_train.training.augment import Augmentation
from divergen_train.training.data import to_tensors

TRAINING_LOSS = "directional, 0.9, training loss"
"""By the gradient that the step makes anyway, of all regions; the others by that of the objects' own losses."""

MINILVIS = {
    TRAINING_LOSS: VARIANTS[REFERENCE],
    **{name: settings for name, settings in VARIANTS.items() if not name.endswith("raw")},
}


class Cut(NamedTuple):
    """An object cut from an image: (h, w, 3) uint8 and what it is."""

    pixels: np.ndarray
    mask: np.ndarray
    category_id: int


class Paster:
    """Pastes cuts into a sample; source ``kind-number`` tells what was done to it."""

    def __init__(self, cuts: list[Cut], count: int, seed: int) -> None:
        self.cuts, self.count, self.seed = cuts, count, seed

    def __call__(self, sample: Sample) -> Sample:
        rng = np.random.default_rng(derive_seed(self.seed, sample.image_id, sample.epoch))
        image, instances = sample.image.copy(), list(sample.instances)
        height, width = image.shape[:2]
        for _ in range(self.count):
            number = int(rng.integers(len(self.cuts)))
            pixels, mask, category = self.cuts[number]
            h, w = mask.shape
            if h >= height or w >= width:
                continue
            y, x = int(rng.integers(height - h)), int(rng.integers(width - w))
            kind = KINDS[number % 10]
            if kind == "noise":
                pixels = rng.integers(0, 256, pixels.shape).astype(np.uint8)
            image[y : y + h, x : x + w][mask] = pixels[mask]
            if kind == "mask":
                mask = broken(mask, rng)
            if kind == "label":
                category = self.cuts[int(rng.integers(len(self.cuts)))].category_id
            instances.append(Instance(category, mask, x, y, source=f"{kind}-{number}"))
        return Sample(image, tuple(instances), sample.image_id, sample.epoch)


KINDS = ["good"] * 7 + ["label", "mask", "noise"]


def broken(mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Half of the object, and the other half's background."""
    half = np.zeros_like(mask)
    half[:, : mask.shape[1] // 2] = True
    changed = mask ^ half
    return changed if changed.any() else ~mask


def cut_out(dataset: Dataset, limit: int) -> list[Cut]:
    found = []
    for image in dataset.images:
        sample = load_sample(dataset, image, 0)
        for instance in sample.instances:
            if 150 < instance.area < 10_000:
                found.append(Cut(sample.image[instance.slices].copy(), instance.mask, instance.category_id))
    order = np.random.default_rng(0).permutation(len(found))[:limit]
    return [found[int(i)] for i in order]


class Enough(Exception):
    """A stage was judged."""


class Keep(PlainStep):
    """Trains on real images, and keeps the checkpoints of the stages."""

    def __init__(self, folder: Path, stages: Sequence[int]) -> None:
        self.folder, self.stages = folder, stages

    def __call__(self, engine: Engine, parts: Sequence[BatchSlice]) -> Any:
        path = self.folder / "run" / "checkpoint.pt"
        done = torch.load(path, weights_only=True, mmap=True)["iteration"] if path.exists() else 0
        if done in self.stages and not stage_path(self.folder, done).exists():
            shutil.copy(path, stage_path(self.folder, done))
        if all(stage_path(self.folder, stage).exists() for stage in self.stages):
            raise Enough
        return super().__call__(engine, parts)


class Watch(PlainStep):
    """Goes on with a stage's training on real images, and judges the same pasted images again and again.

    Args:
        stage: Iterations that the detector was trained for.
        judged: Images with planted objects.
        real: Images for a gradient of many.
        steps: To take, in which directions with a memory fill up.
        judgements: In the last of them.
    """

    def __init__(
        self, stage: int, judged: list[BatchSlice], real: list[BatchSlice], steps: int, judgements: int
    ) -> None:
        self.stage, self.judged, self.real, self.steps, self.judgements = stage, judged, real, steps, judgements
        self.taken, self.estimators = 0, {}
        self.table = Table([source.split("-")[0] for part in judged for source in pasted_sources(part)])

    def __call__(self, engine: Engine, parts: Sequence[BatchSlice]) -> Any:
        logged = super().__call__(engine, parts)
        detector: Any = engine.detector
        if not self.estimators:
            self.estimators = {name: self._estimator(name, engine) for name in MINILVIS}
        self._observe(detector, parts)
        self.taken += 1
        left = self.steps - self.taken
        if left % 4 == 0 and left < 4 * self.judgements:
            self._judge(detector, show=not left)
        if not left:
            raise Enough
        return logged

    def _observe(self, detector: Any, parts: Sequence[BatchSlice]) -> None:
        """By the training loss' gradient, then by that of the objects' own losses, made once for all."""
        self.estimators[TRAINING_LOSS].observe_gradients()
        kept = [parameter.grad for parameter in detector.parameters()]
        detector.zero_grad()
        for part in parts:
            _instance_losses(detector, Judged(part.images, None, part.targets)).mean().backward()
        for name, estimator in self.estimators.items():
            if name not in (TRAINING_LOSS, ALL_REAL, "lookahead"):
                estimator.observe_gradients()
        for parameter, gradient in zip(detector.parameters(), kept, strict=True):
            parameter.grad = gradient

    def _estimator(self, name: str, engine: Engine) -> ContributionEstimator:
        detector: Any = engine.detector
        settings = dict(MINILVIS[name])
        if name.startswith("last"):
            settings["parameters"] = detector.head_parameters()
        return ContributionEstimator(
            detector, _instance_losses, derivative="differences", optimizer=engine.optimizer, **settings
        )

    def _judge(self, detector: Any, show: bool) -> None:
        images = [image for part in self.real for image in part.images]
        targets = [target for part in self.real for target in part.targets]
        self.estimators[ALL_REAL].observe(Judged(images, None, targets))
        self.estimators["lookahead"].observe(Judged(self.real[0].images, None, self.real[0].targets))
        batches = [Judged(p.images, None, [only_pasted(t) for t in p.targets]) for p in self.judged]
        scores = {name: torch.cat([e.estimate(b) for b in batches]) for name, e in self.estimators.items()}
        with torch.no_grad():
            scores["- own loss"] = -torch.cat([_instance_losses(detector, batch) for batch in batches])
        self.table.add(f"minilvis, iteration {self.stage}", scores, show)
        if show:
            error = self.estimators[REFERENCE].error
            print(f"differences against the backward pass: {error:.1e}", flush=True)


def stage_path(folder: Path, stage: int) -> Path:
    return folder / f"stage-{stage}.pt"


def pasted_sources(part: BatchSlice) -> list[str]:
    return [source for target in part.targets for source in target["sources"] if source]


def only_pasted(target: Any) -> Any:
    return _subset(target, [source is not None for source in target["sources"]], torch.device("cpu"))


def minilvis(seed: int, stages: Sequence[int], folder: Path, images: int, steps: int, judgements: int) -> None:
    """Train where the stages' checkpoints are not in the folder yet, then judge at each."""
    if not (folder / "train.json").exists():
        subprocess.run(["divergen-minilvis", "make", "--out", str(folder), "--seed", str(seed)], check=True)
    train, val = read_dataset(folder / "train.json"), read_dataset(folder / "val.json")
    config = preset("quickstart").model_copy(update={"iterations": 480, "checkpoint_every": 24})
    if not all(stage_path(folder, stage).exists() for stage in stages):
        with suppress(Enough):
            fit(train, out=folder / "run", config=config, seed=seed, step=Keep(folder, stages))
    labels = {category.id: label for label, category in enumerate(train.categories, start=1)}
    frame = Augmentation(config.image_size, 0.0)

    def parts(paste: Callable[[Sample], Sample], start: int, count: int) -> list[BatchSlice]:
        found = []
        for first in range(start, start + count, 4):
            samples = [paste(load_sample(train, image, 999)) for image in train.images[first : first + 4]]
            items = [to_tensors(frame(sample, np.random.default_rng(0)), labels) for sample in samples]
            found.append(BatchSlice([image for image, _ in items], [target for _, target in items], 0, 1.0))
        return found

    judged, real = parts(Paster(cut_out(val, 200), 4, seed), 0, images), parts(lambda sample: sample, images, 16)
    for stage in stages:
        with tempfile.TemporaryDirectory() as out, suppress(Enough):
            shutil.copy(stage_path(folder, stage), Path(out) / "checkpoint.pt")
            watch = Watch(stage, judged, real, steps, judgements)
            fit(train, out=out, config=config, seed=seed, step=watch)
