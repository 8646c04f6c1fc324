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
from typing import TypeVar

import cv2
import numpy as np
from divergen_records import Category, MissingExtra
from divergen_records.sample import Instance, Sample
from divergen_records.temporary import scratch_folder
from numpy.typing import NDArray

from ..paster import Paster, Placement
from ..pool import INDEX, InstancePool, PoolManifest, build_hash
from ..pool.from_files import pool_from_folder
from .copy_paste import MmdetCopyPaste, TorchvisionCopyPaste
from .published import FullCanvasPaste, PublishedPaste, Scene

__all__ = [
    "Comparison",
    "compare",
    "make_cutouts",
    "make_large_pool",
    "make_scene",
    "measure_opening",
    "measure_scaling",
    "report",
]

Item = TypeVar("Item")
CATEGORY = Category(id=1, name="thing", frequency="f")


@dataclass(frozen=True)
class Comparison:
    """Seconds for an image.

    Attributes:
        side: Of the image, pixels.
        published: As the published mapper does.
        full_canvas: The same, but on the whole canvas in one go.
        mmdet: Copy-paste from a second image that is ready in memory, without reading, scaling and placing.
        torchvision: The same in torchvision's way; None without torchvision.
        ours: By `Paster`.
        nothing: By `Paster`, of no instance.
    """

    side: int
    published: float
    full_canvas: float
    mmdet: float
    torchvision: float | None
    ours: float
    nothing: float

    @property
    def ratio(self) -> float:
        """How many times faster."""
        return self.published / self.ours


def report(sides: Sequence[int], *, instances: int, objects: int, rows: int, profile: bool) -> Iterator[str]:
    """The lines that ``divergen-paste bench`` prints, as they come."""
    yield f"{instances} instances into images with {objects} objects, CPU time of one thread, median"
    yield "side   published  full canvas     mmdet*  torchvision*      ours   times   nothing pasted"
    with scratch_folder() as place:
        for side in sides:
            result = compare(place / str(side), side, instances=instances, objects=objects)
            yield _row(result)
        yield "* from a second image of the same size in memory: without reading, scaling and placing instances"
        yield from measure_scaling(InstancePool.open(place / str(sides[0]) / "pool"))
        small = InstancePool.open(place / str(sides[0]) / "pool")
        opening, reading, memory = measure_opening(make_large_pool(small, place / "large", rows))
        yield f"a pool of {rows} rows opens in {opening * 1e3:.0f} ms; a random read takes {reading * 1e3:.2f} ms"
        yield f"a process that reads from it grows by {memory:.0f} MB"
        if profile:
            yield profile_paste(Paster(small, count="fixed", max_instances=instances), sides[0], objects)


def _row(result: Comparison) -> str:
    slow = " ".join(f"{1e3 * value:9.0f} ms" for value in (result.published, result.full_canvas, result.mmdet))
    vision = "not here" if result.torchvision is None else f"{1e3 * result.torchvision:.0f} ms"
    ours = f"{1e3 * result.ours:.1f} ms"
    return f"{result.side:4d} {slow} {vision:>11} {ours:>11} {result.ratio:7.0f} {1e6 * result.nothing:8.0f} us"


def measure_scaling(pool: InstancePool, repeats: int = 9) -> Iterator[str]:
    """Lines that say how the time grows with the number and the size of instances, and with the canvas."""
    settings = [
        ("instances of 128 px onto 1280 px", [(n, 128, 1280) for n in (10, 20, 40, 80)], 0),
        ("px, of 20 instances onto 1280 px", [(20, size, 1280) for size in (64, 128, 256, 512)], 1),
        ("px canvas, under 20 instances of 128 px", [(20, 128, side) for side in (320, 640, 1280, 2560)], 2),
    ]
    for words, cases, which in settings:
        seconds = [_paste_time(pool, *case, repeats) for case in cases]
        rows = [f"{case[which]}: {1e3 * value:.1f} ms" for case, value in zip(cases, seconds, strict=True)]
        yield f"{words}: {', '.join(rows)}"
    blank = make_scene(2560, 0)
    with one_thread():
        copying = _median([blank] * repeats, lambda scene: scene.image.copy())
        yield f"of that, the one copy of an image of 2560 px: {1e3 * copying:.1f} ms"


def _paste_time(pool: InstancePool, count: int, size: int, side: int, repeats: int) -> float:
    rng, paster, scene = np.random.default_rng(0), Paster(pool), make_scene(side, 0)
    plan = [
        Placement(row, 1, (size, size), (x, y), False, 0.0, None, "feather")
        for row, x, y in zip(
            rng.integers(0, len(pool), count).tolist(),
            *rng.integers(0, max(side - size, 1), (2, count)).tolist(),
            strict=True,
        )
    ]
    with one_thread():
        return _median([scene] * repeats, lambda one: paster.apply(one, plan))


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
    pool = pool_from_folder(folder / "cutouts", folder / "pool", [CATEGORY], progress=False)
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
        mmdet, torchvision = _time_copy_paste(scenes[:published_images], paster, files)
    return Comparison(side, published, full_canvas, mmdet, torchvision, ours, nothing)


def _time_copy_paste(scenes: list[Sample], paster: Paster, files: dict[str, Path]) -> tuple[float, float | None]:
    """Seconds of mmdet's and torchvision's copy-paste, from images that show the instances of the paster's plans."""
    pairs = []
    for sample in scenes:
        empty = Sample(np.zeros_like(sample.image), (), sample.image_id)
        pairs.append((_scene(sample), paste_as(FullCanvasPaste(min_visible=0), paster, files, empty)))
    mmdet = _median(pairs, lambda pair: MmdetCopyPaste()(*pair))
    try:
        way = TorchvisionCopyPaste()
    except MissingExtra:
        return mmdet, None
    tensors = [(way.tensors(target), way.tensors(source)) for target, source in pairs]
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        way(*tensors[0])
        return mmdet, _median(tensors, lambda pair: way(*pair))
    finally:
        torch.set_num_threads(before)


def paste_as(way: PublishedPaste, paster: Paster, files: dict[str, Path], sample: Sample) -> Scene:
    """The plan that the paster draws for a sample, carried out in another way."""
    plan = paster.plan(sample, paster.generator(sample))
    return way(
        _scene(sample),
        [files[paster.pool.source(placement.row)] for placement in plan],
        [placement.category_id for placement in plan],
        [placement.size for placement in plan],
        [placement.place for placement in plan],
        [placement.flip for placement in plan],
    )


def _scene(sample: Sample) -> Scene:
    channels = np.ascontiguousarray(sample.image.transpose(2, 0, 1))
    return Scene(channels, sample.boxes(), sample.category_ids(), sample.masks())


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
        path.write_bytes(cv2.imencode(".png", np.dstack([picture, alpha]))[1].tobytes())
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


def _median(items: Sequence[Item], function: Callable[[Item], object]) -> float:
    seconds = []
    for item in items:
        start = time.thread_time()
        function(item)
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
    (out / "pool.json").write_text(manifest.model_dump_json(exclude_none=True), encoding="utf-8")
    return out


def measure_opening(path: Path, reads: int = 2000) -> tuple[float, float, float]:
    """In a process of its own: seconds to open a pool, seconds of a random read, and MB that both add to it."""
    code = f"from divergen_paste.bench.report import _open_and_read; _open_and_read({str(path)!r}, {reads})"
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
        lines = Path("/proc/self/smaps_rollup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_Dirty")) / 1024
