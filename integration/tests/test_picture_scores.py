"""The example of a package of scores: built, found by its entry points in a run, and held to the contract."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[1] / "examples" / "picture_scores"

USE = """
import numpy as np, torch, transformers
from divergen import load_config
from divergen_filter.testing import check_score
from divergen_records.images import encode_image
torch.manual_seed(0)
torch.save(torch.nn.Linear(10, 1).state_dict(), "head.pth")
labels = {0: "normal", 1: "nsfw"}
sizes = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
names = {"id2label": labels, "label2id": {name: key for key, name in labels.items()}}
config = transformers.ViTConfig(**sizes, **names, image_size=32, patch_size=16)
transformers.ViTForImageClassification(config).save_pretrained("vit")
transformers.ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained("vit")
run = load_config("quickstart", ["scores=[{kind: aesthetic, head: head.pth}, {kind: nsfw, model: vit}]"])
random = np.random.default_rng(0)
images = [encode_image(random.integers(0, 255, (20, 30, 3)).astype(np.uint8), "png") for _ in "ab"]
batch = {"id": ["a", "b"], "image": images, "embedding": random.normal(size=(2, 10)).astype(np.float32)}
for score in run.scores:
    check_score(score, batch)
    print(score.kind)
"""


@pytest.mark.skipif(not find_spec("transformers"), reason="the score `nsfw` needs transformers")
def test_picture_scores__join_by_entry_point_and_keep_the_contract(tmp_path: Path) -> None:
    source = shutil.copytree(EXAMPLE, tmp_path / "source")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(source)]
    subprocess.run(build, check=True, capture_output=True, env={**os.environ, "PYTHONWARNINGS": "ignore"})
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        wheel.extractall(tmp_path / "site")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site"), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", USE], capture_output=True, text=True, env=environment, cwd=tmp_path, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["aesthetic", "nsfw"]
