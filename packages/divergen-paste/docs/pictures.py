"""Make this folder's pictures from rendered scenes, whose objects are the pool:

divergen-minilvis make --out mini --size 640 --train-images 24 --val-images 10
python docs/pictures.py mini
"""

import tempfile
from dataclasses import replace
from pathlib import Path

import click
import cv2
import numpy as np
from divergen_paste import InstancePool, Paster, area_statistics, pool_from_dataset
from divergen_paste.blending import BLENDS
from divergen_paste.paster import Placement
from divergen_paste.preview import preview_sheet, stack_tiles
from divergen_records.coco import load_sample, read_dataset
from divergen_records.images import encode_image

HERE = Path(__file__).parent
TILE = 176


@click.command()
@click.argument("minilvis", type=click.Path(path_type=Path))
@click.option("--scene", default=1, help="Of the training set.")
def main(minilvis: Path, scene: int) -> None:
    """Write preview.jpg, blends.jpg, appearance.jpg and harmonize.jpg beside this script."""
    train, val = (read_dataset(minilvis / f"{name}.json", image_dir=minilvis) for name in ("train", "val"))
    with tempfile.TemporaryDirectory() as folder:
        pool = pool_from_dataset(val, Path(folder) / "pool", min_area=5000, whole_only=True, progress=False)
        paster = Paster(pool, area_statistics(train), count="fixed", max_instances=5, min_pixels=300, seed=3)
        write("preview", preview_sheet(train, paster, count=2, start=scene, width=300), 75)
        sample = replace(load_sample(train, train.images[scene]), instances=())
        write("blends", blends(paster, sample), 78)
        write("appearance", appearance(pool, sample), 78)
        write("harmonize", harmonies(pool, sample), 82)


def write(name: str, sheet: np.ndarray, quality: int) -> None:
    (HERE / f"{name}.jpg").write_bytes(encode_image(sheet, "jpeg", quality))


def placed(pool: InstancePool, row: int, **changes) -> Placement:
    """An instance in the middle of a tile."""
    height, width = (int(pool.index[row][name]) for name in ("height", "width"))
    scale = 0.72 * TILE / max(height, width)
    size = round(height * scale), round(width * scale)
    place = (TILE - size[1]) // 2, (TILE - size[0]) // 2
    return replace(Placement(row, 1, size, place, False, 0.0, None, "feather"), **changes)


def largest(pool: InstancePool, count: int) -> list[int]:
    """Rows of the largest instances, of different categories."""
    rows, seen = [], set()
    for row in np.argsort(pool.index["area"])[::-1].tolist():
        if pool.index["category_id"][row] not in seen:
            seen.add(pool.index["category_id"][row])
            rows.append(row)
    return rows[:count]


def corner(sample, x, y):
    return replace(sample, image=np.ascontiguousarray(sample.image[y : y + TILE, x : x + TILE]))


def blends(paster, sample):
    """Two instances in each of the ways, and a corner of each enlarged."""
    background, rows = corner(sample, 300, 60), []
    for row in largest(paster.pool, 2):
        plan = placed(paster.pool, row)
        tiles = [paster.apply(background, [replace(plan, blend=name)]).image for name in BLENDS]
        x, y = plan.place[0] + plan.size[1] // 2 - 22, plan.place[1] - 10
        details = [
            cv2.resize(tile[y : y + 44, x : x + 44], (TILE, TILE), interpolation=cv2.INTER_NEAREST) for tile in tiles
        ]
        rows += [[labelled(tile, name) for tile, name in zip(tiles, BLENDS, strict=True)], details]
    return stack_tiles(rows, gap=4)


def appearance(pool, sample):
    """One instance with each of the changes, on an image that is blurred and noisy."""
    rng = np.random.default_rng(0)
    tile = cv2.GaussianBlur(corner(sample, 300, 60).image, (0, 0), 1.6).astype(float)
    noisy = np.clip(tile + rng.normal(0, 9, (TILE, TILE, 1)), 0, 255).astype(np.uint8)
    background = replace(sample, image=noisy)
    changes = {
        "as it is": {},
        "flip": {"flip": True},
        "rotation": {"angle": 25.0},
        "colour_jitter": {"colours": (1.15, 1.25, 0.5)},
        "match_blur": {},
        "match_noise": {},
        "both": {},
    }
    rows = []
    for row in largest(pool, 2):
        tiles = []
        for name, change in changes.items():
            matching = {key: name in (key, "both") for key in ("match_blur", "match_noise")}
            paster = Paster(pool, **matching)
            tiles.append(labelled(paster.apply(background, [placed(pool, row, **change)]).image, name))
        rows.append(tiles)
    return stack_tiles(rows, gap=4)


def harmonies(pool, sample):
    """Two instances with each of the ways, in a room as it is, in the evening and in dim blue light."""
    rows = []
    lights = (1.0, 1.0, 1.0), (0.95, 0.62, 0.38), (0.3, 0.38, 0.55)
    for row in largest(pool, 2):
        for light in lights[1:] if rows else lights[:2]:
            tile = corner(sample, 300, 60)
            lit = replace(tile, image=(tile.image * np.array(light)).astype(np.uint8))
            rows.append(
                [
                    labelled(Paster(pool, harmonize=name).apply(lit, [placed(pool, row)]).image, name)
                    for name in ("none", "colour", "shadow", "both")
                ]
            )
    return stack_tiles(rows, gap=4)


def labelled(tile, text):
    tile = tile.copy()
    cv2.rectangle(tile, (0, 0), (cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.45, 1)[0][0] + 8, 17), (0, 0, 0), -1)
    cv2.putText(tile, text, (4, 13), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (255, 255, 255), 1, cv2.LINE_AA)
    return tile


if __name__ == "__main__":
    main()
