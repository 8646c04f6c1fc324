"""The papers' configs from one YAML each, with tiny models of the real classes, killed on the way, to AP and report.

The detector is the recipe's CenterNet2 where detectron2 is installed, else the tiny recipe's Mask R-CNN; all other keys
of the shipped file stand, but for sizes, paths and thresholds that models which never learned cannot pass.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from divergen import Run, load_config
from divergen.cli import main
from divergen.extras import extra_choices
from divergen.loading import dump_config
from divergen.personal import personal_status
from divergen.prompting import prompts_status

for needed in ("diffusers", "open_clip", "transformers", "onnxruntime", "openai"):
    pytest.importorskip(needed)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]

NAMES = ("bird", "bowl", "car", "chair", "cup", "donut")
SMALL = {"size": 32, "steps": 2, "dtype": "float32", "device": "cpu"}
TRAINING = {"iterations": 2, "warmup": 1, "batch_size": 2, "image_size": 64}
SWIN = {"kind": "swin", "weights": "none", "embed_dim": 12, "depths": [1] * 4, "heads": [1, 1, 2, 2], "window": 4}
HEADS = {"fpn_channels": 32, "box_features": 16, "mask_channels": 16, "mask_convs": 1, "roi_batch": 16}
PROPOSALS = {"federated_categories": 3, "proposals_train": [100, 40], "proposals_test": [100, 20]}
PUBLISHED = all(map(find_spec, ("detectron2", "centernet")))


@pytest.fixture(scope="module")
def photos(coco100: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Real photos that show the six categories: a few to learn from, a few to be judged by."""
    whole = json.loads((coco100 / "annotations.json").read_text())
    categories = [row for row in whole["categories"] if row["name"] in NAMES]
    ids = {row["id"] for row in categories}
    objects = [row for row in whole["annotations"] if row["category_id"] in ids]
    shown = sorted({row["image_id"] for row in objects})
    folder, splits = tmp_path_factory.mktemp("photos"), {}
    for name, chosen in (("train", set(shown[::2])), ("val", set(shown[1::4]))):
        part = {
            "images": [row for row in whole["images"] if row["id"] in chosen],
            "annotations": [row for row in objects if row["image_id"] in chosen],
            "categories": categories,
        }
        (folder / f"{name}.json").write_text(json.dumps(part))
        splits[name] = {"annotations": str(folder / f"{name}.json"), "images": str(coco100 / "images")}
    return json.dumps({"kind": "lvis", **splits})


def settings(index: int, changes: dict[str, Any]) -> list[str]:
    """Changes of one generator."""
    return [f"generators.{index}.{key}={json.dumps(value)}" for key, value in changes.items()]


def common(photos: str, tiny: Callable[[str], Path]) -> list[str]:
    """What all three files need to run here."""
    return [
        f"data={photos}",
        *settings(0, {"model": str(tiny("sd")), **SMALL}),
        f"embedder.model=local-dir:{tiny('open_clip')}",
        "embedder.pretrained=null",
        "embedder.device=cpu",
        "embedder.precision=fp32",
        "control=false",
    ]


def stages(tiny: Callable[[str], Path]) -> list[str]:
    """DeepFloyd-IF as the second generator."""
    small = {"dtype": "float32", "steps": 2}
    both = {f"stage{n}": {"model": str(tiny("if") / f"stage{n}"), **small} for n in (1, 2)}
    return settings(1, {**both, "device": "cpu"})


def best_of(tiny: Callable[[str], Path]) -> list[str]:
    """Three saliency networks, CLIPSeg and the CLIP that chooses."""
    nets = tiny("saliency")
    return [
        f"annotator.annotators.0.weights={nets / 'u2net.onnx'}",
        *(f"annotator.annotators.{n}.model={nets / name}.onnx" for n, name in ((1, "selfreformer"), (2, "ufo"))),
        *(f"annotator.annotators.{n}.card={nets / name}.json" for n, name in ((1, "selfreformer"), (2, "ufo"))),
        f"annotator.annotators.3.model={tiny('clipseg')}",
        f"annotator.scorer.model={tiny('clip')}",
        *(f"rules.rules.{n}.threshold={bound}" for n, bound in enumerate((0, 1, -1))),
        "extra_categories=[teapot, guitar]",
    ]


def training(paper: str) -> list[str]:
    """The shipped recipe with a small CenterNet2, or the tiny recipe."""
    if not PUBLISHED:
        return [f"train={{recipe: {paper}-tiny}}", *(f"train.{key}={value}" for key, value in TRAINING.items())]
    small = {"backbone": SWIN, **HEADS, **PROPOSALS, "score_threshold": 0}
    detector = [f"train.detector.{key}={json.dumps(value)}" for key, value in small.items()]
    here = {**TRAINING, "precision": "float32", "workers": 0}
    return [*detector, *(f"train.{key}={value}" for key, value in here.items())]


def xpaste(photos: str, tiny: Callable[[str], Path]) -> list[str]:
    """X-Paste, and the same detector without pasting."""
    return [*common(photos, tiny), *best_of(tiny), "counts.per_category=2", *training("xpaste")]


def divergen(photos: str, tiny: Callable[[str], Path], url: str, folder: Path) -> list[str]:
    """DiverGen: prompts of a language model for two categories, two of four candidates as extra categories."""
    (folder / "candidates.txt").write_text("teapot\nguitar\nlamp\nwolf\n")
    return [
        *common(photos, tiny),
        *stages(tiny),
        "prompts.1={kind: llm, model: m, per_category: 3, share: 1, retries: 0, categories: [cup, bowl], "
        f"base_url: '{url}'}}",
        f"extra_categories={{from: {folder / 'candidates.txt'}, similarity: words, below: 0.9, take: 2}}",
        "counts.per_category=2",
        f"annotator.checkpoint={tiny('sam')}",
        "rules.rules.0.threshold=-1",
        *training("divergen"),
        "baseline=false",
    ]


def bsgal(photos: str, tiny: Callable[[str], Path]) -> list[str]:
    """BSGAL: three generators, of which one is taught every category first, and the published loop."""
    train = [*training("bsgal"), "train.bsgal={kind: published, compare: steps}"]
    taught = settings(2, {"model": str(tiny("sd")), **SMALL, "personal.steps": 2})
    small = ["counts.per_category=4", "baseline=false", *train]
    return [*common(photos, tiny), *stages(tiny), *taught, *best_of(tiny), *small]


def write(folder: Path, name: str, overrides: Iterable[str]) -> list[str]:
    """The arguments of a run from one file."""
    (folder / f"{name}.yaml").write_text(dump_config(load_config(name, list(overrides))))
    return ["run", str(folder / f"{name}.yaml"), "--out", str(folder / "run")]


def kill(arguments: list[str], at: str) -> None:
    """Begin a run as a program of its own, and kill it in a step."""
    command = [sys.executable, "-m", "divergen", *arguments]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env=environment
    ) as run:
        assert run.stderr is not None
        said = []
        for line in run.stderr:
            said.append(line)
            if f"] {at}:" in line:
                run.send_signal(signal.SIGKILL)
    assert run.returncode == -signal.SIGKILL, "".join(said)


def finish(arguments: list[str], folder: Path) -> Run:
    """The same line again, to AP and report; what was lost shows in its status."""
    answer = CliRunner().invoke(main, arguments)
    run = Run(folder / "run")
    lost = [row for note in run.notes().values() for row in note.get("lost", ())]
    failed = run.table.count("error IS NOT NULL")
    assert answer.exit_code == (3 if lost or failed else 0), f"{answer.output}\n{answer.exception!r}"
    assert run.report.exists()
    metrics = json.loads((run.training("generated") / "metrics.json").read_text())
    assert metrics["mask"]["AP"] is not None
    assert run.config.train.detector.kind == ("centernet2" if PUBLISHED else "torchvision")
    assert len(metrics["mask"].get("per_category", NAMES)) == len(NAMES)  # the extra ones are cut off
    return run


def made(run: Run) -> set[tuple[str, str]]:
    """Category and generator of every picture that has a mask."""
    rows = run.table.select(["category", "generator", "area_fraction"]).to_pylist()
    return {(row["category"], row["generator"]) for row in rows if row["area_fraction"] is not None}


def test_run__xpaste_lvis(tmp_path: Path, photos: str, tiny: Callable[[str], Path]) -> None:
    arguments = write(tmp_path, "xpaste-lvis", xpaste(photos, tiny))
    kill(arguments, "annotate")
    run = finish(arguments, tmp_path)
    assert run.table.count() == 16
    assert {generator for _, generator in made(run)} == {"sd15"}
    assert (run.training("real") / "metrics.json").exists()


def test_run__divergen_lvis(tmp_path: Path, photos: str, tiny: Callable[[str], Path]) -> None:
    from divergen_prompts.testing import FakeEndpoint

    with FakeEndpoint() as endpoint:
        arguments = write(tmp_path, "divergen-lvis", divergen(photos, tiny, endpoint.url, tmp_path))
        kill(arguments, "gen")
        run = finish(arguments, tmp_path)
    assert endpoint.asked == {"cup": 3, "bowl": 3}  # what was paid for is not asked again
    assert [source.prompts for source in prompts_status(run)] == [8, 6]
    extra = {choice.name for choice in extra_choices(run) if choice.taken}
    assert len(extra) == 2
    assert run.table.count() == 16
    rows = run.table.select(["category", "generator", "prompt_source"]).to_pylist()
    assert {row["category"] for row in rows} == {*NAMES, *extra}
    assert {row["generator"] for row in rows} == {"sd15", "if"}
    assert {row["category"] for row in rows if row["prompt_source"] == "llm"} == {"cup", "bowl"}


def test_run__bsgal_lvis(tmp_path: Path, photos: str, tiny: Callable[[str], Path]) -> None:
    arguments = write(tmp_path, "bsgal-lvis", bsgal(photos, tiny))
    kill(arguments, "personal")
    run = finish(arguments, tmp_path)
    (own,) = personal_status(run)
    assert own.generator == "perfusion"
    assert own.trained == own.wanted
    assert {"teapot", "guitar"} <= set(own.without)
    counts = run.table.select(["generator"]).to_pydict()["generator"]
    assert {name: counts.count(name) for name in set(counts)} == {"sd15": 16, "if": 8, "perfusion": 8}
