import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from divergen_records import Category
from divergen_records.coco import Dataset
from divergen_train.training.data import in_terms_of


class Named:
    def __init__(self, ids=()):
        self.ids = ids

    def matched(self, categories):
        return Named([category.id for category in categories])

    def __call__(self, sample):
        return sample


def test_in_terms_of__a_paster_that_knows_names_gets_the_data_sets_ids(tmp_path):
    dataset = Dataset(tmp_path / "a.json", tmp_path, [], [], [Category(id=7, name="cup")])
    plain = len
    assert in_terms_of(dataset, Named()).ids == [7]
    assert in_terms_of(dataset, plain) is plain
    assert in_terms_of(dataset, None) is None


LEAVING = """
import multiprocessing
import sys
from contextlib import closing
from pathlib import Path
import numpy as np
from divergen_records.coco import read_dataset
from divergen_train.training.augment import Augmentation
from divergen_train.training.data import TrainImages, batches, loader
from divergen_train.training.sampling import BatchSampler

if __name__ == "__main__":
    file = Path(sys.argv[1])
    dataset = read_dataset(file, image_dir=file.parent / "images")
    images = TrainImages(dataset, Augmentation(64), seed=0)
    made = loader(images, BatchSampler(np.ones(len(dataset.images)), 2, seed=0, stop=1000), 2)
    with closing(batches(made)) as drawn:
        print(len(next(drawn)[0]), len(workers := multiprocessing.active_children()))
    print([worker.exitcode for worker in workers])
"""


@pytest.mark.slow  # two workers, each with torch
def test_loader__left_early_its_workers_end_well(shapes_path: Path, tmp_path: Path) -> None:
    script = tmp_path / "leaving.py"
    script.write_text(LEAVING)
    done = subprocess.run([sys.executable, script, shapes_path], capture_output=True, text=True, timeout=600)
    drawn, codes = done.stdout.splitlines()
    assert (done.returncode, drawn) == (0, "2 2")
    # One that still starts after torch's five seconds is ended; none is aborted.
    assert set(json.loads(codes)) <= {0, -signal.SIGTERM}
    assert "terminate called" not in done.stderr
