"""Which estimator tells harmful generated samples from helpful ones? 30 % are harmful, and we know which.

OMP_NUM_THREADS=1 python packages/divergen-train/benchmarks/bsgal_planted.py
OMP_NUM_THREADS=1 python packages/divergen-train/benchmarks/bsgal_planted.py --data minilvis --folder FOLDER

Area under the ROC curve, harmful against helpful, at several stages of one training on real data: of the contribution
at that moment ("now") and of its mean over the judgements so far ("mean"), and of that mean for each kind of harm.
0.5 is chance. The sample's own loss, which needs no real data, is shown beside it. Correlation is that with
`directional` at the same moment (Spearman).

digits: half the harmful ones have a wrong label, half are noise. minilvis: objects cut from the validation images and
pasted into training images; the harmful ones in three equal parts have a wrong label, a broken mask, or are noise. The
stages' detectors (preset quickstart, 480 steps) stay in the folder; each is judged in the last of some further steps.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import click
import torch
import torch.nn.functional as F
from _planted import ALL_REAL, VARIANTS, Table
from _planted_minilvis import minilvis
from divergen_train.bsgal import ContributionEstimator
from divergen_train.bsgal.study_config import study_config
from divergen_train.bsgal.study_data import add_noise, classifier, load_data
from torch import Tensor, nn


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
    model, table = classifier(config), Table([("good", "label", "noise")[kind] for kind in kinds])
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
            estimators[ALL_REAL].observe(real)
            parts = list(zip(images.split(16), labels.split(16), strict=True))
            scores = {name: torch.cat([e.estimate(part) for part in parts]) for name, e in estimators.items()}
            with torch.no_grad():
                model.train(False)
                scores["- own loss"] = -digit_losses(model, (images, labels))
                model.train(True)
            table.add(f"digits, iteration {iteration}", scores, iteration in stages)


def digit_losses(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    return F.cross_entropy(model(batch[0]), batch[1], reduction="none")


@click.command(help=__doc__)
@click.option("--data", type=click.Choice(["digits", "minilvis"]), default="digits", show_default=True)
@click.option("--iterations", default=400, show_default=True, help="Steps of the training (digits).")
@click.option("--stages", "at", default="120,240,432", show_default=True, help="Multiples of 24 below 480 (minilvis).")
@click.option("--judgements", type=int, help="How often all variants judge; 20 for digits, 3 a stage for minilvis.")
@click.option("--images", default=40, show_default=True, help="With 4 pasted objects each (minilvis).")
@click.option(
    "--steps", default=24, show_default=True, help="Further ones at a stage, of directions' memory (minilvis)."
)
@click.option("--folder", type=click.Path(path_type=Path), help="MiniLVIS, made there if it is not, and the stages.")
@click.option("--seed", default=0, show_default=True)
def main(
    data: str, iterations: int, at: str, judgements: int | None, images: int, steps: int, folder: Path | None, seed: int
) -> None:
    torch.set_num_threads(1)
    if data == "digits":
        every = max(iterations // (judgements or 20), 1)
        stages = sorted({every * max(round(iterations * share / every), 1) for share in (0.1, 0.3, 0.6, 1.0)})
        digits(iterations, seed, stages, every)
        return
    with tempfile.TemporaryDirectory() as scratch:
        at_stages = [int(stage) for stage in at.split(",")]
        minilvis(seed, at_stages, folder or Path(scratch), images, steps, judgements or 3)


if __name__ == "__main__":
    main()
