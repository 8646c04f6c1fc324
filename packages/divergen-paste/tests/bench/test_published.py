"""The published mapper's masks, reproduced where it is right; where it is not, the README says so."""

import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from divergen_paste import InstancePool, Paster, pool_from_folder
from divergen_paste.bench.copy_paste import MmdetCopyPaste, TorchvisionCopyPaste
from divergen_paste.bench.published import FullCanvasPaste, PublishedPaste, Scene
from divergen_paste.bench.report import (
    CATEGORY,
    compare,
    make_cutouts,
    make_large_pool,
    make_scene,
    measure_opening,
    measure_scaling,
)
from divergen_paste.paster import Placement
from divergen_records.sample import Instance, Sample

ALL_STAY = {"box_shift": 10**6, "min_visible": 1}


@pytest.fixture
def cutouts(tmp_path: Path):
    """Pool and files of the same instances, with nothing but full and no alpha."""
    files = make_cutouts(tmp_path / "cutouts" / "thing", count=6, side=96)
    pool = pool_from_folder(
        tmp_path / "cutouts",
        tmp_path / "pool",
        [CATEGORY],
        image_format="png",
        inset=0,
        keep_largest=True,
        progress=False,
    )
    return pool, files


def both(pool: InstancePool, files: dict[str, Path], sample: Sample, places, way=PublishedPaste, **limits):
    """Both results for instances in their stored size, so that no filter is between them."""
    rows = range(len(places))
    sizes = [tuple(map(int, pool.index[row][["height", "width"]])) for row in rows]
    plan = [
        Placement(row, 1, size, place, False, 0.0, None, "hard")
        for row, size, place in zip(rows, sizes, places, strict=True)
    ]
    ours = Paster(pool, min_pixels=1, **limits).apply(sample, plan)
    scene = Scene(sample.image.transpose(2, 0, 1), sample.boxes(), sample.category_ids(), sample.masks())
    theirs = way(limits["box_shift"], limits["min_visible"])(
        scene, [files[pool.source(row)] for row in rows], [1] * len(rows), sizes, places, [False] * len(rows)
    )
    return ours, theirs


PLACES = [(10, 10), (30, 20), (-20, 60), (80, 80), (150, 5), (60, 150)]


@pytest.mark.parametrize("way", [PublishedPaste, FullCanvasPaste])
def test_published__same_picture_masks_and_boxes(cutouts, way):
    sample = make_scene(192, 6)
    ours, theirs = both(*cutouts, sample, PLACES, way, **ALL_STAY)
    shown = theirs.masks.any(axis=(1, 2))
    assert (ours.masks() == theirs.masks[shown].astype(bool)).all()
    assert (ours.boxes() == theirs.boxes[shown]).all()
    assert (ours.image == theirs.image.transpose(1, 2, 0)).all()


def test_published__an_object_eaten_bit_by_bit_stays_there(cutouts):
    # Each paste moves the box by less than 10 px against the one before, all together by far more.
    pool, files = cutouts
    wide = int(pool.index[0]["width"])
    image = np.zeros((192, 192, 3), dtype=np.uint8)
    sample = Sample(image, (Instance(1, np.ones((10, 40), bool), 60, 90, annotation_id=1),), image_id=1)
    places = [(60 + 8 * step - wide + 4, 70) for step in range(1, 5)]
    ours, theirs = both(pool, files, sample, places, box_shift=10, min_visible=300)
    assert len(theirs.masks) == len(ours.instances) + 1


def test_compare__runs_small(tmp_path):
    result = compare(tmp_path, 96, instances=3, objects=2, images=2, published_images=1)
    assert min(result.published, result.full_canvas, result.ours) > 0
    assert result.mmdet > 0
    assert result.torchvision is None or result.torchvision > 0
    assert result.nothing < result.ours


def test_measure_scaling__more_instances_take_longer(cutouts):
    lines = list(measure_scaling(cutouts[0], repeats=1))
    milliseconds = [[float(value) for value in re.findall(r": ([\d.]+) ms", line)] for line in lines]
    assert [len(values) for values in milliseconds] == [4, 4, 4, 1]
    assert milliseconds[0][3] > milliseconds[0][0] > 0


def scenes_of_discs(side=96):
    """A scene, and another of the same size, as arrays."""
    made = []
    for seed in (0, 1):
        sample = make_scene(side, 4, seed)
        channels = np.ascontiguousarray(sample.image.transpose(2, 0, 1))
        made.append(Scene(channels, sample.boxes(), sample.category_ids(), sample.masks()))
    return made


def test_mmdet_copy_paste__masks_and_pixels():
    target, source = scenes_of_discs()
    result = MmdetCopyPaste(box_shift=10**6)(target, source)
    covered = source.masks.any(axis=0)
    assert (result.image == np.where(covered, source.image, target.image)).all()
    assert (result.masks[:4] == target.masks & ~covered).all()
    assert (result.masks[4:] == source.masks).all()
    few = MmdetCopyPaste(box_shift=-1, min_visible=10**6)(target, source)
    assert (few.masks == source.masks).all()


def test_torchvision_copy_paste__equals_mmdets_without_its_blur():
    pytest.importorskip("torchvision")
    target, source = scenes_of_discs()
    way, expected = TorchvisionCopyPaste(blend=False), MmdetCopyPaste(box_shift=10**6)(target, source)
    result = way(way.tensors(target), way.tensors(source))
    assert (result["image"].numpy() == expected.image).all()
    assert (result["masks"].numpy() == expected.masks).all()
    assert result["area"].tolist() == expected.masks.sum(axis=(1, 2)).tolist()
    blurred = TorchvisionCopyPaste()(way.tensors(target), way.tensors(source))
    assert (blurred["image"].numpy() != expected.image).any()


def test_measure_opening__many_rows(tmp_path, cutouts):
    opening, reading, memory = measure_opening(make_large_pool(cutouts[0], tmp_path / "large", 10_000), reads=20)
    assert opening < 1
    assert reading < 0.1
    assert memory < 100


def test_make_cutouts__object_on_white(tmp_path):
    (path,) = make_cutouts(tmp_path / "thing", count=1, side=64).values()
    rgba = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert 0.1 < (rgba[..., 3] > 0).mean() < 0.9
    assert (rgba[rgba[..., 3] == 0][:, :3] == 255).all()
