"""AP for CPU seconds: trainings of several settings on the same data, seed by seed.

divergen-minilvis make --out minilvis
OMP_NUM_THREADS=1 python packages/divergen-train/benchmarks/cost.py minilvis "quickstart image_size=192" thrifty

Each SETTING is a preset and what it changes. CPU seconds on one thread, of the training and of the prediction that
evaluates it; differences in mask AP are those to the first setting, paired by seed.
"""

import statistics
import tempfile
import time
from pathlib import Path

import click
import torch
from divergen_evaluate import evaluate_lvis
from divergen_records.coco import Dataset, read_dataset
from divergen_records.settings import apply_settings
from divergen_train import TrainConfig, fit, predict, preset


def config_of(setting: str) -> TrainConfig:
    name, *changes = setting.split()
    config: TrainConfig = apply_settings(TrainConfig, preset(name), changes)
    return config


def measured(config: TrainConfig, train: Dataset, val: Dataset, seed: int) -> tuple[float, float, list[float]]:
    """CPU seconds of training and of prediction; mask AP, APr, APc and APf in percent."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.process_time()
        checkpoint = fit(train, out=folder, config=config, seed=seed).checkpoint
        trained = time.process_time()
        results = predict(checkpoint, val)
        predicted = time.process_time()
    mask = evaluate_lvis(results, val).mask
    return trained - began, predicted - trained, [100 * (ap or 0) for ap in (mask.AP, mask.APr, mask.APc, mask.APf)]


@click.command(help=__doc__)
@click.argument("folder", type=click.Path(path_type=Path, exists=True))
@click.argument("settings", nargs=-1, required=True)
@click.option("--seeds", default=1, show_default=True)
def main(folder: Path, settings: tuple[str, ...], seeds: int) -> None:
    torch.set_num_threads(1)
    train, val = (read_dataset(folder / f"{name}.json", image_dir=folder / name) for name in ("train", "val"))
    found: dict[str, list[float]] = {setting: [] for setting in settings}
    click.echo("training  prediction  mask AP    APr    APc    APf  to the first  setting")
    for seed in range(seeds):
        for setting in settings:
            training, prediction, aps = measured(config_of(setting), train, val, seed)
            found[setting].append(aps[0])
            shown = "".join(f"{value:7.1f}" for value in aps)
            more = aps[0] - found[settings[0]][seed]
            click.echo(f"{training:6.1f} s  {prediction:8.1f} s  {shown}  {more:+12.1f}  {setting}, seed {seed}")
    first = found[settings[0]]
    for setting, values in found.items():
        changes = [value - base for value, base in zip(values, first, strict=True)]
        click.echo(f"{setting}: {statistics.mean(values):.1f}, {statistics.mean(changes):+.1f} to the first")


if __name__ == "__main__":
    main()
