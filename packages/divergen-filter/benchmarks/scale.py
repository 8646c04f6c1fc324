"""Inter-similarity, real crops and decisions against DiverGen's published scripts, restated here; and at scale.

python benchmarks/scale.py                 # all; needs 5 GB of disk for the million rows
python benchmarks/scale.py pairs crops     # some of: pairs, crops, score, decide, compare

Ratios are of CPU time (all threads), as the machine may be busy; wall time stands beside them.
"""

import argparse
import csv
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
from divergen_filter import CategorySums, References, ScoreStage, Summary, decide_table, inter_similarity
from divergen_filter.columns import FolderColumns, SimilarityColumns
from divergen_filter.config import CropConfig
from divergen_filter.embed_real import reference_crops
from divergen_filter.generated import compare_generated
from divergen_filter.rules import RulesConfig
from divergen_records import Category, InstanceTable, fill
from divergen_records.coco import Annotation, ImageInfo, read_dataset, write_lvis
from divergen_records.masks import encode_rle, mask_to_bbox

CATEGORIES = 1203


def timed(call: Callable[[], Any]) -> tuple[Any, float, float]:
    """What a call returns, its CPU time and its wall time, seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = call()
    return result, time.process_time() - cpu, time.perf_counter() - wall


def units(count: int, dim: int, seed: int) -> np.ndarray:
    rows = np.random.default_rng(seed).standard_normal((count, dim), dtype=np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def published_similarity(real: Path, generated: Path, out: Path) -> dict[str, float]:
    """One feature file per picture, one similarity per pair into JSON and CSV, which are read again for the mean."""
    import torch

    files = sorted(generated.glob("*.pt"))
    features = [torch.load(file, weights_only=True) for file in files]
    total: dict[str, dict[str, float]] = {}
    for path in sorted(real.glob("*.pt")):
        crop = torch.load(path, weights_only=True)
        similarity = torch.cosine_similarity(crop, torch.cat(features)).tolist()
        total[path.name] = {file.name: value for file, value in zip(files, similarity, strict=True)}
    (out / "total.json").write_text(json.dumps(total))
    with (out / "total.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["real", *(path.name for path in files), "mean"])
        for name, pairs in total.items():
            writer.writerow([name, *pairs.values(), sum(pairs.values()) / len(pairs)])
    again = json.loads((out / "total.json").read_text())
    return {path.name: sum(pairs[path.name] for pairs in again.values()) / len(again) for path in files}


def bench_pairs(folder: Path, arguments: argparse.Namespace) -> None:
    """1,000 generated against 5,000 real ones of one category.

    The published time is proportional to the real ones, so that a sample of them tells it.
    """
    import torch

    torch.set_num_threads(1)
    real, generated = units(5000, 768, 0), units(1000, 768, 1)
    sample = min(arguments.sample, len(real))
    for name, vectors in (("real", real[:sample]), ("generated", generated)):
        (folder / name).mkdir()
        for number, vector in enumerate(vectors):
            torch.save(torch.from_numpy(vector[None].copy()), folder / name / f"{number:05d}.pt")
    theirs, cpu, wall = timed(lambda: published_similarity(folder / "real", folder / "generated", folder))
    ids = np.ones(1000, dtype=np.int64)

    def ours() -> np.ndarray:
        return inter_similarity(generated, ids, CategorySums(real, np.ones(5000, dtype=np.int64)))

    ours()
    runs = [timed(ours) for _ in range(5)]
    cpu, wall = cpu * len(real) / sample, wall * len(real) / sample
    found = inter_similarity(generated, ids, CategorySums(real[:sample], np.ones(sample, dtype=np.int64)))
    own_cpu, own_wall = min(run[1] for run in runs), min(run[2] for run in runs)
    difference = np.abs(found - np.array([theirs[name] for name in sorted(theirs)])).max()
    size = sum((folder / name).stat().st_size for name in ("total.json", "total.csv"))
    size *= len(real) // sample
    print(f"published  {cpu:8.2f} s CPU  {wall:8.2f} s, {size / 1e6:.0f} MB of pairs; from {sample} real crops")
    print(f"ours       {own_cpu:8.4f} s CPU  {own_wall:8.4f} s, 8 kB; largest difference {difference:.1e}")
    print(f"ratio      {cpu / own_cpu:8,.0f}          {wall / own_wall:8,.0f}\n")


def make_scenes(folder: Path, images: int, each: int) -> Path:
    """An LVIS file of 640 x 480 JPEGs with ``each`` ellipses."""
    random, infos, notes = np.random.default_rng(0), [], []
    for number in range(images):
        small = random.integers(0, 255, (60, 80, 3), dtype=np.uint8)
        picture = cv2.resize(small, (640, 480), interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(folder / f"{number:06d}.jpg"), picture, [cv2.IMWRITE_JPEG_QUALITY, 90])
        name = f"{number:06d}.jpg"
        infos.append(ImageInfo(id=number + 1, width=640, height=480, file_name=name))
        for _ in range(each):
            mask = np.zeros((480, 640), dtype=np.uint8)
            centre, axes = random.integers((80, 80), (560, 400)), random.integers(12, 80, 2)
            cv2.ellipse(mask, centre.tolist(), axes.tolist(), float(random.integers(180)), 0, 360, 1, -1)
            box = mask_to_bbox(mask)
            notes.append(Annotation(len(notes) + 1, number + 1, 1, box, int(mask.sum()), encode_rle(mask)))
    write_lvis(folder / "scenes.json", infos, notes, [Category(id=1, name="thing")])
    return folder / "scenes.json"


def published_crops(annotations: Path, out: Path) -> int:
    """For each annotation: draw its mask, open the image, blur all of it, crop with 40 px around, write a PNG."""
    from PIL import Image
    from pycocotools.coco import COCO

    coco, count = COCO(str(annotations)), 0
    for note in coco.dataset["annotations"]:
        mask = coco.annToMask(note)
        columns, rows = np.flatnonzero(mask.sum(axis=0)), np.flatnonzero(mask.sum(axis=1))
        image = Image.open(annotations.parent / coco.imgs[note["image_id"]]["file_name"])
        pixels = np.array(image)
        blurred = cv2.blur(pixels.copy(), (10, 10))
        pixels[mask == 0] = blurred[mask == 0]
        left, top = max(columns[0] - 40, 0), max(rows[0] - 40, 0)
        right, bottom = min(columns[-1] + 41, image.width), min(rows[-1] + 41, image.height)
        Image.fromarray(pixels).crop((left, top, right, bottom)).save(out / f"{note['id']}.png")
        count += 1
    for file in out.glob("*.png"):  # the next script reads them
        np.array(Image.open(file).convert("RGB"))
    return count


def bench_crops(folder: Path, arguments: argparse.Namespace) -> None:
    """Ten instances an image, ready for the embedder."""
    annotations = make_scenes(folder, arguments.images, 10)
    (folder / "crops").mkdir()
    with redirect_stdout(StringIO()):  # pycocotools talks
        count, cpu, wall = timed(lambda: published_crops(annotations, folder / "crops"))

    def ours() -> int:
        dataset = read_dataset(annotations)
        crop = CropConfig(fill="blur", margin=40)
        return sum(len(crops) for crops in reference_crops(dataset, dataset.images, crop=crop, workers=2))

    runs = [timed(ours) for _ in range(3)]
    own_cpu, own_wall = min(run[1] for run in runs), min(run[2] for run in runs)
    assert runs[0][0] == count
    print(f"published  {1000 * cpu / count:8.2f} ms CPU  {1000 * wall / count:8.2f} ms an instance, {count} instances")
    print(f"ours       {1000 * own_cpu / count:8.2f} ms CPU  {1000 * own_wall / count:8.2f} ms")
    print(f"ratio      {cpu / own_cpu:8.1f}         {wall / own_wall:8.1f}\n")


def million(folder: Path, rows: int, dim: int, fragment_rows: int) -> InstanceTable:
    """A table as embedding leaves it, without pictures."""
    path = folder / "million.lance"
    if (folder / "references.npz").exists():  # written last
        return InstanceTable.open(path)
    import lance

    table = InstanceTable.create(path)
    for columns in (FolderColumns, SimilarityColumns):
        table.ensure_columns(columns)
    table.ensure_vector(SimilarityColumns, "embedding", dim)
    schema, step = table.schema, 50_000

    def batches() -> Iterator[pa.RecordBatch]:
        for start in range(0, rows, step):
            count = min(step, rows - start)
            number = np.arange(start, start + count)
            random = np.random.default_rng(start)
            values: dict[str, Any] = {
                "id": [f"{value * 0x9E3779B97F4A7C15 % 2**128:032x}" for value in number.tolist()],
                "category_id": number * CATEGORIES // rows + 1,
                "category": [f"category_{value}" for value in number * CATEGORIES // rows + 1],
                "prompt": ["a photo"] * count,
                "generator": ["none"] * count,
                "generator_revision": ["1"] * count,
                "seed": number,
                "area_fraction": random.random(count, dtype=np.float32),
                "components": np.ones(count, dtype=np.int32),
                "border_contact": random.random(count, dtype=np.float32) * np.float32(0.12),
                "embedder": ["made/up"] * count,
                "embedding": pa.FixedSizeListArray.from_arrays(pa.array(units(count, dim, start).reshape(-1)), dim),
            }
            arrays = [
                pa.array(values[field.name], field.type) if field.name in values else pa.nulls(count, field.type)
                for field in schema
            ]
            yield pa.record_batch(
                [array if isinstance(array, pa.Array) else array.chunk(0) for array in arrays], schema
            )

    reader = pa.RecordBatchReader.from_batches(schema, batches())
    lance.write_dataset(reader, path, mode="append", max_rows_per_file=fragment_rows)
    real = units(CATEGORIES * 50, dim, 7)
    ids = np.repeat(np.arange(1, CATEGORIES + 1), 50)
    References("made/up", real, ids, np.arange(len(ids))).save(folder / "references.npz")
    return InstanceTable.open(path)


def bench_score(folder: Path, arguments: argparse.Namespace) -> None:
    """Inter-similarity and rank of a million rows, in a process of its own for its memory."""
    million(folder, arguments.rows, arguments.dim, arguments.fragment_rows)
    subprocess.run([sys.executable, __file__, "--worker", str(folder)], check=True)


def work(folder: Path) -> None:
    table = InstanceTable.open(folder / "million.lance")
    table.clear(ScoreStage.writes)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    def score() -> Any:
        return fill(table, ScoreStage(Summary.load(folder / "references.npz")), batch_size=4096, progress=False)

    report, cpu, wall = timed(score)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    width = table.schema.field("embedding").type.list_size
    print(f"score      {report.done:,} x {width} against {CATEGORIES} categories: {wall:.1f} s ({cpu:.1f} s CPU)")
    print(f"           {peak / 1e6:.2f} GB at the most, {before / 1e6:.2f} GB of it before\n")


def bench_decide(folder: Path, arguments: argparse.Namespace) -> None:
    """A million rows, decided again; one in four is kept."""
    table = million(folder, arguments.rows, arguments.dim, arguments.fragment_rows)
    if table.count("rival_share IS NULL"):
        bench_score(folder, arguments)
    rules = RulesConfig(
        rules=(*RulesConfig().rules[:4], {"score": "inter_similarity", "op": ">=", "threshold": {"best": 300}})
    )
    found_by_name = {"default rules": RulesConfig(), "best 300 of each category": rules, "the same again": rules}
    for name, found in found_by_name.items():
        references = References.load(folder / "references.npz")
        report, cpu, wall = timed(lambda found=found, references=references: decide_table(table, found, references))
        print(f"decide     {name}: {wall:.2f} s ({cpu:.2f} s CPU), {report.kept:,} kept, {report.rejected:,} rejected")


def bench_compare(folder: Path, arguments: argparse.Namespace) -> None:
    """The generated instances of one category with each other, for near-duplicates."""
    del folder
    vectors = units(arguments.count, arguments.dim, 0)
    _, cpu, wall = timed(lambda: compare_generated(vectors))
    print(f"compare    {arguments.count:,} x {arguments.dim}, all pairs: {wall:.2f} s ({cpu:.2f} s CPU)\n")


BENCHES = {
    "pairs": bench_pairs,
    "crops": bench_crops,
    "score": bench_score,
    "decide": bench_decide,
    "compare": bench_compare,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", default=list(BENCHES), metavar="|".join(BENCHES))
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--dim", type=int, default=768)
    parser.add_argument("--fragment-rows", type=int, default=50_000, help="a table that grew by runs has 512")
    parser.add_argument("--count", type=int, default=20_000, help="generated instances of one category to compare")
    parser.add_argument("--images", type=int, default=20)
    parser.add_argument("--sample", type=int, default=5000, help="real crops that the published pairs are timed with")
    parser.add_argument("--folder", type=Path, help="keep the table of a million rows here")
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        work(arguments.worker)
        return
    for what in arguments.what:
        with tempfile.TemporaryDirectory() as temporary:
            keep = arguments.folder if arguments.folder and what in ("score", "decide") else Path(temporary)
            keep.mkdir(parents=True, exist_ok=True)
            BENCHES[what](keep, arguments)


if __name__ == "__main__":
    main()
