"""Which estimator tells harmful generated samples from helpful ones? 30 % are harmful, and we know which.

OMP_NUM_THREADS=1 python packages/divergen-train/benchmarks/bsgal_planted.py
OMP_NUM_THREADS=1 python packages/divergen-train/benchmarks/bsgal_planted.py --data minilvis --iterations 200

Area under the ROC curve, harmful against helpful, at several stages of one training on real data: of the contribution
at that moment ("now") and of its mean over all judgements so far ("mean"). 0.5 is chance. The sample's own loss, which
needs no real data, is shown beside it. Correlation is that with `directional` at the same moment (Spearman).

digits: half the harmful ones have a wrong label, half are noise. minilvis: objects cut from the validation images and
pasted into training images; the harmful ones in three equal parts have a wrong label, a broken mask, or are noise.
"""

import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np
import torch
import torch.nn.functional as F
from divergen_records import derive_seed
from divergen_records.coco import Dataset, load_sample, read_dataset
from divergen_records.sample import Instance, Sample
from divergen_train import fit, preset
from divergen_train.augment import Augmentation
from divergen_train.bsgal import ContributionEstimator
from divergen_train.bsgal.detection import Judged, _instance_losses, _subset
from divergen_train.bsgal.study import study_config
from divergen_train.bsgal.study_data import add_noise, classifier, load_data
from divergen_train.data import to_tensors
from divergen_train.step import Engine, Part, PlainStep
from torch import Tensor, nn

VARIANTS: dict[str, dict[str, Any]] = {
    "directional, momentum 0.1, raw": {"momentum": 0.1},
    "directional, momentum 0.9, raw": {"momentum": 0.9},
    "directional, momentum 0.9, /loss": {"momentum": 0.9, "normalize": "loss"},
    "directional, all real, /loss": {"momentum": 0.0, "normalize": "loss"},
    "last-layer, momentum 0.9, /loss": {"mode": "last-layer", "momentum": 0.9, "normalize": "loss"},
    "random-projection, 0.9, /loss": {"mode": "random-projection", "momentum": 0.9, "normalize": "loss"},
    "gradient, momentum 0.1, cosine": {"mode": "gradient", "momentum": 0.1, "normalize": "cosine"},
    "lookahead": {"mode": "lookahead"},
}
REFERENCE = "directional, momentum 0.9, /loss"


class Table:
    """AUC and correlation of each variant, now and over all judgements so far."""

    def __init__(self, harmful: Tensor) -> None:
        self.harmful, self.sums, self.judged = harmful, {}, 0

    def add(self, stage: str, scores: dict[str, Tensor], show: bool) -> None:
        self.judged += 1
        if show:
            print(f"\n{stage:<36}{'now':>6}{'mean':>7}{'corr.':>8}")
        for name, values in scores.items():
            values = values.double().nan_to_num(-1e9)
            self.sums[name] = self.sums.get(name, 0) + values
            if show:
                now, mean = auc(values, self.harmful), auc(self.sums[name], self.harmful)
                print(f"{name:<36}{now:>6.2f}{mean:>7.2f}{spearman(values, scores[REFERENCE]):>8.2f}", flush=True)


def ranks(values: Tensor) -> Tensor:
    _, place, count = values.unique(return_inverse=True, return_counts=True)
    return (count.cumsum(0) - (count - 1) / 2).double()[place]


def auc(scores: Tensor, harmful: Tensor) -> float:
    good, bad = int((~harmful).sum()), int(harmful.sum())
    return float((ranks(scores)[~harmful].sum() - good * (good + 1) / 2) / (good * bad))


def spearman(first: Tensor, second: Tensor) -> float:
    return float(torch.corrcoef(torch.stack([ranks(first), ranks(second.double())]))[0, 1])


def digits(iterations: int, seed: int, stages: Sequence[int], every: int) -> None:
    config = study_config("digits", seed=seed)
    torch.manual_seed(seed)
    data = load_data(config, None)
    real, images, labels = (
        (data.images[:300], data.labels[:300]),
        data.test_images[:480].clone(),
        data.test_labels[:480].clone(),
    )
    kinds = torch.zeros(len(labels), dtype=torch.long)
    bad = torch.randperm(len(labels))[: int(0.3 * len(labels))]
    kinds[bad] = torch.arange(len(bad)) % 2 + 1
    labels[kinds == 1] = (labels[kinds == 1] + torch.randint(1, 10, (int((kinds == 1).sum()),))) % 10
    images[kinds == 2] = add_noise(images[kinds == 2], 150, seed)
    model, table = classifier(config), Table(kinds > 0)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    estimators = {
        name: ContributionEstimator(model, digit_losses, optimizer=optimizer, **settings)
        for name, settings in VARIANTS.items()
    }
    for iteration in range(1, iterations + 1):
        chosen = torch.randint(0, 300, (32,))
        batch = (real[0][chosen], real[1][chosen])
        optimizer.zero_grad()
        digit_losses(model, batch).mean().backward()
        for name, estimator in estimators.items():
            if name == "lookahead":
                estimator.observe(batch)
            elif "all real" not in name:
                estimator.observe_gradients()
        optimizer.step()
        if iteration % every == 0:
            estimators["directional, all real, /loss"].observe(real)
            parts = list(zip(images.split(16), labels.split(16), strict=True))
            scores = {name: torch.cat([e.estimate(part) for part in parts]) for name, e in estimators.items()}
            with torch.no_grad():
                model.train(False)
                scores["- own loss"] = -digit_losses(model, (images, labels))
                model.train(True)
            table.add(f"digits, iteration {iteration}", scores, iteration in stages)


def digit_losses(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    return F.cross_entropy(model(batch[0]), batch[1], reduction="none")


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


class Watch(PlainStep):
    """Trains on real images alone, and judges the same pasted images again and again."""

    name = "watch"

    def __init__(self, judged: list[Part], real: list[Part], stages: Sequence[int], every: int) -> None:
        self.judged, self.real, self.stages, self.every = judged, real, stages, every
        self.iteration, self.estimators = 0, {}
        self.table = Table(torch.tensor([s[:4] != "good" for part in judged for s in pasted_sources(part)]))

    def __call__(self, engine: Engine, parts: Sequence[Part]) -> Any:
        logged = super().__call__(engine, parts)
        detector: Any = engine.detector
        for name, settings in VARIANTS.items():
            if name not in self.estimators:
                heads = {"parameters": detector.head_parameters()} if name.startswith("last") else {}
                self.estimators[name] = ContributionEstimator(
                    detector,
                    _instance_losses,
                    derivative="differences",
                    optimizer=engine.optimizer,
                    **{**settings, **heads},
                )
            if name != "lookahead" and "all real" not in name:
                self.estimators[name].observe_gradients()
        self.iteration += 1
        if self.iteration % self.every == 0:
            self._judge(detector)
        return logged

    def _judge(self, detector: Any) -> None:
        images = [image for part in self.real for image in part.images]
        targets = [target for part in self.real for target in part.targets]
        self.estimators["directional, all real, /loss"].observe(Judged(images, None, targets))
        self.estimators["lookahead"].observe(Judged(self.real[0].images, None, self.real[0].targets))
        batches = [Judged(p.images, None, [only_pasted(t) for t in p.targets]) for p in self.judged]
        scores = {name: torch.cat([e.estimate(b) for b in batches]) for name, e in self.estimators.items()}
        with torch.no_grad():
            scores["- own loss"] = -torch.cat([_instance_losses(detector, batch) for batch in batches])
        self.table.add(f"minilvis, iteration {self.iteration}", scores, self.iteration in self.stages)


def pasted_sources(part: Part) -> Iterator[str]:
    return (source for target in part.targets for source in target["sources"] if source)


def only_pasted(target: Any) -> Any:
    return _subset(target, [source is not None for source in target["sources"]], torch.device("cpu"))


def minilvis(iterations: int, seed: int, stages: Sequence[int], every: int, folder: Path) -> None:
    if not (folder / "train.json").exists():
        subprocess.run(["divergen-gen", "minilvis", "--out", str(folder), "--seed", str(seed)], check=True)
    train, val = read_dataset(folder / "train.json"), read_dataset(folder / "val.json")
    config = preset("quickstart").model_copy(update={"iterations": iterations, "warmup": min(40, iterations - 1)})
    labels = {category.id: label for label, category in enumerate(train.categories, start=1)}
    frame = Augmentation(config.image_size, 0.0)

    def parts(paste: Callable[[Sample], Sample], start: int, count: int) -> list[Part]:
        found = []
        for first in range(start, start + count, 4):
            samples = [paste(load_sample(train, image, 999)) for image in train.images[first : first + 4]]
            items = [to_tensors(frame(sample, np.random.default_rng(0)), labels) for sample in samples]
            found.append(Part([image for image, _ in items], [target for _, target in items], 0, 1.0))
        return found

    judged = parts(Paster(cut_out(val, 200), 4, seed), 0, 40)
    watch = Watch(judged, parts(lambda sample: sample, 40, 16), stages, every)
    with tempfile.TemporaryDirectory() as out:
        fit(train, out=out, config=config, seed=seed, step=watch)


@click.command(help=__doc__)
@click.option("--data", type=click.Choice(["digits", "minilvis"]), default="digits", show_default=True)
@click.option("--iterations", type=int, help="Steps of the training; 400 for digits, 200 for minilvis.")
@click.option("--judgements", type=int, help="How often all variants judge; 20 for digits, 10 for minilvis.")
@click.option("--folder", type=click.Path(path_type=Path), help="MiniLVIS, made there if it is not.")
@click.option("--seed", default=0, show_default=True)
def main(data: str, iterations: int | None, judgements: int | None, folder: Path | None, seed: int) -> None:
    torch.set_num_threads(1)
    total = iterations or (400 if data == "digits" else 200)
    every = max(total // (judgements or (20 if data == "digits" else 10)), 1)
    stages = sorted({every * max(round(total * share / every), 1) for share in (0.1, 0.3, 0.6, 1.0)})
    if data == "digits":
        digits(total, seed, stages, every)
    else:
        with tempfile.TemporaryDirectory() as scratch:
            minilvis(total, seed, stages, every, folder or Path(scratch) / "minilvis")


if __name__ == "__main__":
    main()
