"""Train a recipe on the first photos of a data set until it knows them by heart, and say its AP on the same photos.

python packages/divergen-train/benchmarks/overfit.py overfit-r50 --data coco100_train --out overfit

DATA is a folder with annotations.json and images/; MiniLVIS, made on the spot, where left out. Needs detectron2 and
centernet2, and says so without. Killed, the same line goes on.
"""

import subprocess
import tempfile
from importlib.util import find_spec
from pathlib import Path

import click
import torch
from divergen_records.coco import Dataset, read_dataset
from divergen_records.settings import apply_settings
from divergen_train import fit, read_log
from divergen_train.training.config import TrainConfig
from divergen_train.training.recipe import recipe


def first_images(dataset: Dataset, count: int) -> Dataset:
    images = dataset.images[:count]
    annotations = [annotation for image in images for annotation in dataset.annotations_of(image.id)]
    return Dataset(dataset.path, dataset.image_dir, images, annotations, dataset.categories)


@click.command(help=__doc__)
@click.argument("name", default="overfit-r50")
@click.argument("settings", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--data", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="A folder that goes where left out.")
@click.option("--photos", default=8, show_default=True)
@click.option("--threads", default=2, show_default=True)
def main(name: str, settings: tuple[str, ...], data: Path | None, out: Path | None, photos: int, threads: int) -> None:
    if not find_spec("detectron2") or not find_spec("centernet"):
        click.echo("left out: detectron2 and centernet2 are not installed")
        return
    torch.set_num_threads(threads)
    with tempfile.TemporaryDirectory() as scratch:
        overfit(name, settings, first_images(read(data, Path(scratch)), photos), out or Path(scratch) / "run")


def read(data: Path | None, scratch: Path) -> Dataset:
    if data is not None:
        return read_dataset(data / "annotations.json", image_dir=data / "images")
    made = ["--out", str(scratch / "minilvis"), "--train-images", "40", "--val-images", "10"]
    subprocess.run(["divergen-minilvis", "make", *made], check=True)
    return read_dataset(scratch / "minilvis" / "train.json")


def overfit(name: str, settings: tuple[str, ...], dataset: Dataset, out: Path) -> None:
    config = apply_settings(TrainConfig, recipe(name).train, settings)
    result = fit(dataset, out=out, config=config, val=dataset)
    for line in read_log(result.log):
        if "loss" in line and line["iteration"] % 40 == 0:
            parts = {key: value for key, value in line.items() if key.startswith("loss") and key != "loss"}
            shown = " ".join(f"{key.removeprefix('loss_')} {value:.3f}" for key, value in parts.items())
            click.echo(f"{line['iteration']:4d}  loss {line['loss']:.3f}  {shown}")
    assert result.metrics is not None
    click.echo(f"{len(dataset.images)} photos, {len(dataset.annotations)} objects")
    click.echo(result.metrics.table())


if __name__ == "__main__":
    main()
