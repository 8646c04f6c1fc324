"""Somebody else's package joins by its entry points alone: installed, named in a YAML, run; we do not know it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from divergen_records import InstanceTable
from divergen_records.cli import main as records
from divergen_records.images import read_image

PACKAGE = Path(__file__).parents[1] / "examples" / "template"

RUN = """
name: visit
data: {kind: minilvis, train_images: 10, val_images: 10, size: 96, categories: [apple, cup]}
prompts: {kind: grammar, per_category: 2}
generators: [{kind: blots, size: 64}]
counts: {per_category: 3}
annotator: {kind: corner, tolerance: 30}
embedder: {kind: hues}
scores: [{kind: darkness, limit: 0.99}]
rules:
  rules:
    - {score: darkness, op: ">=", threshold: 0.1}
    - {score: gloomy, op: "==", threshold: 0}
    - {score: inter_similarity, op: ">=", threshold: -1}
paste: {harmonize: {kind: tint, share: 1, colour: [255, 0, 255]}}
bake: {copies: 1, formats: [box-lines]}
train: {kind: hasty, detector: {kind: guess}}
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package built as a wheel from a copy of its sources, and unpacked with its dist-info."""
    folder = tmp_path_factory.mktemp("outside")
    source = shutil.copytree(PACKAGE, folder / "source")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(source)]
    environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
    subprocess.run(build, check=True, capture_output=True, env=environment)
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
        wheel.extractall(folder / "site")
    return folder / "site"


def call(installed: Path, *arguments: object, status: int = 0) -> str:
    command = [sys.executable, "-c", *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(installed), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == status, done.stderr
    return done.stdout + done.stderr


DIVERGEN = "from divergen.cli import main; main()"


def test_outside__a_run_of_nothing_but_it(installed: Path, tmp_path: Path) -> None:
    config, out = tmp_path / "run.yaml", tmp_path / "run"
    config.write_text(RUN)
    printed = call(installed, DIVERGEN, "run", config, "--out", out)
    assert "AP" in printed and (out / "report.html").exists()
    assert (out / "pasted" / "box-lines" / "boxes.txt").read_text().count("\n") > 5
    glowing = [read_image(path) for path in sorted((out / "pasted").rglob("*.jpg"))]
    assert any((np.abs(image.astype(int) - (255, 0, 255)).max(axis=2) < 40).any() for image in glowing)
    assert json.loads((out / "train" / "generated" / "metrics.json").read_text())["box"]
    table = InstanceTable.open(out / "instances.lance")
    assert {record.model_extra["gloomy"] for record in table.records() if record.model_extra} == {False}
    assert table.count("kept") > 0
    look = CliRunner().invoke(records, ["table", "columns", str(table.path)]).output
    line = next(line for line in look.splitlines() if line.startswith("darkness"))
    assert line.split()[1:5] == ["float", "6", "far-away", "3.1"] and "no installed package declares it" in line
    # A rule has its score computed without a word under `scores:`, but not with other settings than before.
    config.write_text(RUN.replace("scores: [{kind: darkness, limit: 0.99}]\n", ""))
    assert "score 'darkness' changed" in call(installed, DIVERGEN, "run", config, "--out", out, status=2)


def test_outside__a_rule_of_an_unknown_column(installed: Path, tmp_path: Path) -> None:
    config = tmp_path / "run.yaml"
    config.write_text(RUN.replace("score: darkness", "score: darknes"))
    message = call(installed, DIVERGEN, "run", config, "--out", tmp_path / "other", "--dry-run", status=2)
    assert "'darknes'" in message and "did you mean 'darkness'?" in message and "inter_similarity" in message


CONTRACTS = """
from pathlib import Path
import sys
import numpy as np
from divergen.testing import check_trainer
from divergen_annotate.testing import check_annotator, plain_picture
from divergen_filter.testing import check_embedder, check_score
from divergen_gen.testing import check_generator
from divergen_records.images import encode_image
from divergen_records.masks import encode_rle
from divergen_records.testing import check_format, small_dataset
from divergen_train.testing import check_detector
from far_away import annotator, detector, embedder, generator, relighter, score, trainer

folder = Path(sys.argv[1])
check_generator(generator.BlotsConfig(size=64).build, "cup")
check_annotator(annotator.CornerConfig().build)
check_embedder(embedder.HuesConfig().build)
pairs = [plain_picture(seed) for seed in (1, 2)]
images, masks = [encode_image(image) for image, _ in pairs], [encode_rle(mask)["counts"] for _, mask in pairs]
check_score(score.DarknessConfig(), {"id": ["a", "b"], "image": images, "mask": masks})
check_format("box-lines", folder / "format")
relit = relighter.Tint()(*pairs[0], seed=0)
assert relit.shape == pairs[0][0].shape and (relit != pairs[0][0])[pairs[0][1]].any()
assert (relit == pairs[0][0])[~pairs[0][1]].all()
check_detector(detector.GuessConfig())
data = small_dataset(folder / "data")
check_trainer(trainer.HastyConfig(detector=detector.GuessConfig()).build, data, data, folder / "training")
"""


def test_outside__keeps_every_contract(installed: Path, tmp_path: Path) -> None:
    call(installed, CONTRACTS, tmp_path)


def test_outside__appears_in_the_help(installed: Path) -> None:
    for package, command, name in (
        ("divergen_annotate", "images", "corner"),
        ("divergen_filter", "embed-real", "hues"),
        ("divergen_records", "convert", "box-lines"),
    ):
        text = call(installed, f"from {package}.cli import main; main()", command, "--help")
        assert name in text


def test_outside__the_doctor_names_it(installed: Path) -> None:
    text = call(installed, DIVERGEN, "doctor")
    line = next(line for line in text.splitlines() if line.strip().startswith("far-away"))
    assert "3.1: " in line and "generators blots" in line and "does not load" not in line
