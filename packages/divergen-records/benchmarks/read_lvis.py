"""How long reading an LVIS-sized file takes, and how much memory; with another installation's reader beside.

    python read_lvis.py --annotations 1270141 --points 24 --other /path/of/another/environment/bin/python

The file is made: polygons of random stars, on 100,170 images of 1,203 categories, with LVIS's keys.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path

CHILD = """
import resource, sys, time
from divergen_records.coco import read_dataset
wall, cpu = time.perf_counter(), time.process_time()
dataset = read_dataset(sys.argv[1])
wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
print(f"{len(dataset.annotations):,} annotations: {cpu:.1f} CPU s ({wall:.1f} s), peak {peak:.2f} GB")
"""


def write_file(path: Path, annotations: int, points: int) -> None:
    rng = random.Random(0)
    images = max(annotations // 13, 1)
    stars = ["[[" + ",".join(f"{rng.uniform(0, 400):.2f}" for _ in range(2 * points)) + "]]" for _ in range(500)]
    with path.open("w", encoding="utf-8") as file:
        file.write('{"info":{},"licenses":[],"images":[')
        rows = (
            {"id": key, "width": 640, "height": 480, "coco_url": f"http://images.cocodataset.org/train2017/{key:012}.jpg",
             "flickr_url": "", "date_captured": "2013-11-14 17:02:52", "license": 4, "neg_category_ids": [1, 2],
             "not_exhaustive_category_ids": []}
            for key in range(images)
        )  # fmt: skip
        file.write(",".join(map(json.dumps, rows)) + '],"categories":[')
        rows = (
            {"id": key, "name": f"thing_{key}", "synonyms": [f"thing_{key}"], "synset": "a.n.01", "def": "a thing",
             "frequency": "f", "image_count": 200, "instance_count": 900}
            for key in range(1203)
        )  # fmt: skip
        file.write(",".join(map(json.dumps, rows)) + '],"annotations":[')
        for key in range(annotations):
            file.write(
                f'{"," if key else ""}{{"id":{key},"image_id":{rng.randrange(images)},'
                f'"category_id":{rng.randrange(1203)},"segmentation":{stars[rng.randrange(500)]},"area":123.45,"bbox":[1.5,2.5,300.25,200.5]}}'
            )
        file.write("]}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--annotations", type=int, default=1_270_141)
    parser.add_argument("--points", type=int, default=24, help="of each polygon")
    parser.add_argument("--other", action="append", default=[], help="another environment's python, to compare with")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "lvis_v1_train.json"
        write_file(path, asked.annotations, asked.points)
        print(f"{path.name}: {path.stat().st_size / 2**20:,.0f} MB")
        for python in (*asked.other, sys.executable):
            done = subprocess.run([python, "-c", CHILD, str(path)], capture_output=True, text=True, check=True)
            print(f"{python}: {done.stdout.strip()}", flush=True)


if __name__ == "__main__":
    main()
