"""Images that a loader's worker makes in a second: read, 20 instances pasted, augmented to 896 px; and how many workers
keep up with a detector.

OMP_NUM_THREADS=1 python integration/benchmarks/loader.py

CPU seconds of one thread, because wall time on a shared machine says little.
"""

import statistics
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import click
from divergen_paste.bench.report import CATEGORY, make_cutouts, make_scene
from divergen_paste.paster import Paster
from divergen_paste.pool.from_files import pool_from_folder
from divergen_records.coco import Annotation, Dataset, ImageInfo, read_dataset, write_lvis
from divergen_records.images import encode_image
from divergen_records.masks import encode_rle, mask_to_bbox
from divergen_train.training.augment import Augmentation
from divergen_train.training.data import TrainImages
from divergen_train.training.sampling import Draw


def photos(folder: Path, count: int, objects: int) -> Dataset:
    """JPEG files of 640x640 pixels with so many objects."""
    images, annotations = [], []
    for number in range(1, count + 1):
        sample = make_scene(640, objects, number)
        path = folder / "images" / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode_image(sample.image, "jpeg"))
        images.append(ImageInfo(id=number, width=640, height=640, file_name=path.name))
        for mask in sample.masks():
            key = len(annotations) + 1
            annotations.append(
                Annotation(key, number, CATEGORY.id, mask_to_bbox(mask), int(mask.sum()), encode_rle(mask))
            )
    write_lvis(folder / "lvis.json", images, annotations, [CATEGORY])
    return read_dataset(folder / "lvis.json", image_dir=folder / "images")


def cpu_seconds(images: TrainImages, count: int, rounds: int) -> float:
    """Of one image, median; the first of each is left out."""
    taken = []
    for visit in range(rounds + 1):
        for index in range(count):
            start = time.process_time()
            images[Draw(index, visit)]
            taken.append(time.process_time() - start)
    return statistics.median(taken[count:])


@click.command(help=__doc__)
@click.option("--side", default=896, show_default=True)
@click.option("--pastes", default=20, show_default=True)
@click.option("--objects", default=12, show_default=True, help="Of a photo.")
@click.option(
    "--gpu-rate",
    default=2.62,
    show_default=True,
    help="Images a second of one GPU; by default CenterNet2's with Swin-L on a V100, see divergen/rates.yaml.",
)
@click.option("--rounds", default=3, show_default=True, help="Each of 16 photos is made so many times.")
def main(side: int, pastes: int, objects: int, gpu_rate: float, rounds: int) -> None:
    with TemporaryDirectory() as name:
        folder, count = Path(name), 16
        make_cutouts(folder / "cutouts" / CATEGORY.name)
        pool = pool_from_folder(folder / "cutouts", folder / "pool", [CATEGORY], progress=False)
        dataset, augmentation = photos(folder / "photos", count, objects), Augmentation(side, scale=(0.1, 2.0))
        paster = Paster(pool, count="fixed", max_instances=pastes)
        plain = cpu_seconds(TrainImages(dataset, augmentation, seed=0), count, rounds)
        pasted = cpu_seconds(TrainImages(dataset, augmentation, seed=0, paste=paster), count, rounds)
    for words, seconds in (("nothing pasted", plain), (f"{pastes} instances pasted", pasted)):
        click.echo(f"{side} px, {words}: {1e3 * seconds:.0f} ms, {1 / seconds:.1f} images/s of a worker")
    click.echo(f"a GPU that takes {gpu_rate} images/s: keeps {gpu_rate * pasted:.2f} workers busy")


if __name__ == "__main__":
    main()
