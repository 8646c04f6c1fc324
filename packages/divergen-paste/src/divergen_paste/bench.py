"""How fast the paste is, beside the published mapper's on the same pictures, sizes and places, in one thread."""

from __future__ import annotations

import cProfile
import os
import pstats
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
from divergen_records import Category
from divergen_records.sample import Instance, Sample
from numpy.typing import NDArray

from .build_files import build_from_folder
from .paster import Paster
from .pool import INDEX, InstancePool, PoolManifest, build_hash
from .published import FullCanvasPaste, PublishedPaste, Scene

__all__ = ["Comparison", "compare", "make_cutouts", "make_large_pool", "make_scene", "measure_opening", "report"]

CATEGORY = Category(id=1, name="thing", frequency="f")


@dataclass(frozen=True)
class Comparison:
    """Seconds for an image: as the published mapper does, on the whole canvas in one go, by ours, with no instance."""

    side: int
    published: float
    full_canvas: float
    ours: float
    nothing: float

    @property
    def ratio(self) -> float:
        """How many times faster."""
        return self.published / self.ours


def report(sides: Sequence[int], *, instances: int, objects: int, rows: int, profile: bool) -> Iterator[str]:
    """The lines that ``divergen-paste bench`` prints, as they come."""
    yield f"{instances} instances into images with {objects} objects, CPU time of one thread, median"
    yield "side   published  full canvas      ours   times   nothing pasted"
    with TemporaryDirectory() as name:
        for side in sides:
            result = compare(Path(name) / str(side), side, instances=instances, objects=objects)
            times = f"{result.published * 1e3:8.0f} ms {result.full_canvas * 1e3:9.0f} ms {result.ours * 1e3:6.1f} ms"
            yield f"{side:4d} {times} {result.ratio:7.0f} {result.nothing * 1e6:8.0f} us"
        small = InstancePool.open(Path(name) / str(sides[0]) / "pool")
        opening, reading, memory = measure_opening(make_large_pool(small, Path(name) / "large", rows))
        yield f"a pool of {rows} rows opens in {opening * 1e3:.0f} ms; a random read takes {reading * 1e3:.2f} ms"
        yield f"a process that reads from it grows by {memory:.0f} MB"
        if profile:
            yield profile_paste(Paster(small, count="fixed", max_instances=instances), sides[0], objects)


def profile_paste(paster: Paster, side: int, objects: int, images: int = 40) -> str:
    """Where our time goes, by function."""
    scenes = [make_scene(side, objects, seed) for seed in range(images)]
    profiler, text = cProfile.Profile(), StringIO()
    with one_thread(), profiler:
        for scene in scenes:
            paster(scene)
    pstats.Stats(profiler, stream=text).sort_stats("tottime").print_stats(12)
    return text.getvalue()


def compare(
    folder: Path, side: int, *, instances: int = 20, objects: int = 12, images: int = 40, published_images: int = 3
) -> Comparison:
    """Time both ways on square images.

    Args:
        folder: An empty folder to work in.
        side: Of the images, pixels.
        instances: Pasted into each image.
        objects: That each image has already.
        images: How many our way is timed on (median).
        published_images: How many the other ways are timed on, the first of the same (median).
    """
    files = make_cutouts(folder / "cutouts" / CATEGORY.name)
    pool = build_from_folder(folder / "cutouts", folder / "pool", [CATEGORY], progress=False)
    paster = Paster(pool, count="fixed", max_instances=instances)
    scenes = [make_scene(side, objects, seed) for seed in range(images)]
    with one_thread():
        paster(scenes[0])
        ours = _median(scenes, paster)
        nothing = _median(scenes, Paster(pool, max_instances=0))
        published, full_canvas = (
            _median(scenes[:published_images], partial(paste_as, way, paster, files))
            for way in (PublishedPaste(), FullCanvasPaste())
        )
    return Comparison(side, published, full_canvas, ours, nothing)


def paste_as(way: PublishedPaste, paster: Paster, files: dict[str, Path], sample: Sample) -> Scene:
    """The plan that the paster draws for a sample, carried out in another way."""
    plan = paster.plan(sample, paster.generator(sample))
    scene = Scene(
        np.ascontiguousarray(sample.image.transpose(2, 0, 1)),
        sample.boxes(),
        sample.category_ids(),
        sample.masks(),
    )
    return way(
        scene,
        [files[paster.pool.source(placement.row)] for placement in plan],
        [placement.category_id for placement in plan],
        [placement.size for placement in plan],
        [placement.place for placement in plan],
        [placement.flip for placement in plan],
    )


def make_cutouts(folder: Path, count: int = 24, side: int = 512) -> dict[str, Path]:
    """RGBA pictures as generators give them: ``side`` pixels square, the object on white; by their names in a pool."""
    folder.mkdir(parents=True)
    files = {}
    for number in range(count):
        rng = np.random.default_rng(number)
        noise = rng.integers(0, 256, (side // 16, side // 16, 3), dtype=np.uint8)
        picture = cv2.resize(noise, (side, side), interpolation=cv2.INTER_CUBIC)
        picture = np.clip(picture + rng.normal(0, 2, picture.shape), 0, 255).astype(np.uint8)
        alpha = _blob(side, rng).astype(np.uint8) * 255
        picture[alpha == 0] = 255
        path = folder / f"{number:03d}.png"
        cv2.imwrite(str(path), np.dstack([picture, alpha]))
        files[f"{folder.name}/{path.name}"] = path
    return files


def _blob(side: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """A wavy disc that fills a third of the picture, as a generated object does."""
    y, x = (np.mgrid[:side, :side] + 0.5) / side - 0.5
    angle = np.arctan2(y, x)
    waves = sum(rng.normal(0, 0.03) * np.cos(k * angle + rng.uniform(0, 6.3)) for k in range(2, 8))
    return np.asarray(np.hypot(x * rng.uniform(0.8, 1.25), y) < 0.33 + waves)


def make_scene(side: int, objects: int, seed: int = 0) -> Sample:
    """A square image with discs on it."""
    rng = np.random.default_rng(seed)
    noise = rng.integers(0, 256, (max(side // 16, 1), max(side // 16, 1), 3), dtype=np.uint8)
    image = np.asarray(cv2.resize(noise, (side, side), interpolation=cv2.INTER_CUBIC), dtype=np.uint8)
    instances = []
    for _ in range(objects):
        size = max(int(side * rng.uniform(0.05, 0.3)), 4)
        x, y = rng.integers(0, side - size, 2).tolist()
        instances.append(Instance.from_mask(_blob(size, rng), 1))
        instances[-1] = Instance(1, instances[-1].mask, instances[-1].x + x, instances[-1].y + y)
    return Sample(image, tuple(instances), image_id=seed)


def _median(scenes: list[Sample], function: Callable[[Sample], object]) -> float:
    seconds = []
    for scene in scenes:
        start = time.thread_time()
        function(scene)
        seconds.append(time.thread_time() - start)
    return float(np.median(seconds))


@contextmanager
def one_thread() -> Iterator[None]:
    """OpenCV in one thread inside the block, as in a loader's worker."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


def make_large_pool(pool: InstancePool, out: Path, rows: int) -> Path:
    """A pool of many rows that share the blobs of a small one, as large as it need be to time its opening."""
    out.mkdir(parents=True)
    index = np.resize(np.asarray(pool.index), rows).astype(INDEX)
    index["category_id"] = np.sort(index["category_id"])
    sources = np.char.mod("%032d", np.arange(rows)).astype("S32")
    np.save(out / "index.npy", index)
    np.save(out / "sources.npy", sources)
    os.link(pool.path / "blobs.bin", out / "blobs.bin")
    entry = pool.manifest.categories[0].model_copy(update={"first": 0, "count": rows})
    changes = {"instances": rows, "build": build_hash(index, sources), "categories": (entry,)}
    manifest: PoolManifest = pool.manifest.model_copy(update=changes)
    (out / "pool.json").write_text(manifest.model_dump_json(exclude_none=True))
    return out


def measure_opening(path: Path, reads: int = 2000) -> tuple[float, float, float]:
    """In a process of its own: seconds to open a pool, seconds of a random read, and MB that both add to it."""
    code = f"from divergen_paste.bench import _open_and_read; _open_and_read({str(path)!r}, {reads})"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout  # noqa: S603
    opening, reading, memory = map(float, output.split())
    return opening, reading, memory


def _open_and_read(path: str, reads: int) -> None:
    before = _private_mb()
    start = time.perf_counter()
    pool = InstancePool.open(path)
    opened = time.perf_counter()
    for row in np.random.default_rng(0).integers(0, len(pool), reads).tolist():
        pool.read(row, (96, 96))
    done = time.perf_counter()
    sys.stdout.write(f"{opened - start} {(done - opened) / reads} {_private_mb() - before}")


def _private_mb() -> float:
    """Memory of this process's own, without mapped files, MB; its peak where the system does not tell."""
    try:
        lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_Dirty")) / 1024
