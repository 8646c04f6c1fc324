"""Inputs for every command, made by our own commands; tiny models by the tests of the packages that read them."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import numpy as np
from divergen_filter.review.merging import merge_reviews
from divergen_filter.review.verdicts import Kind, Verdict, VerdictLog, log_path
from divergen_records import InstanceTable

from .cases import CATEGORIES, RUN, TRAIN, TRAINED

__all__ = ["make_inputs"]

_PACKAGES = Path(__file__).resolve().parents[3] / "packages"


def make_inputs(place: Path, words: str) -> None:
    """Make the inputs that are not there yet, with our own commands.

    Args:
        place: The folder, ``IN``.
        words: Of all commands that will read them; what takes long and none of them names is left out.
    """
    for names, make in _GROUPS.items():
        mark = place / f"{names[0]}.made"
        wanted = make is _basic or any(f"IN/{name}" in words or f"OUT/{name}" in words for name in names)
        if wanted and not mark.exists():
            for path in (path for name in names for path in place.glob(f"{name}*")):  # of one that was stopped
                shutil.rmtree(path) if path.is_dir() else path.unlink()
            make(place)
            mark.touch()


def _basic(place: Path) -> None:
    """Real pictures, their pool, and what needs no command."""
    scenes = f"divergen-minilvis make --out real --train-images 20 --val-images 10 --size 96 --categories {CATEGORIES}"
    _call(place, scenes)
    (place / "rules.json").write_text('{"rules": [{"score": "area_fraction", "op": ">=", "threshold": 0.05}]}')
    (place / "names.txt").write_text("teapot\nviolin\nskateboard\numbrella\nlantern\nanchor\nkettle\n")
    (place / "results.json").write_text('[{"image_id": 1, "category_id": 1, "bbox": [1, 2, 30, 40], "score": 0.5}]')
    _call(place, "divergen-paste pool real/train.json --min-area 1 --out pool")
    np.save(place / "embedded.npy", np.random.default_rng(0).normal(size=(9, 4)).astype(np.float32))
    shutil.copy(str(resources.files("divergen.configs").joinpath("coco100.yaml")), place / "config.yaml")
    _ablation(place / "ablations" / "models")


def _generated(place: Path) -> None:
    """Instances in every state, from prompts to reviews."""
    _call(place, "divergen-prompts grammar --categories real/train.json --per-category 8 --out prompts.jsonl")
    _call(place, "divergen-gen run prompts.jsonl --table drawn.lance --per-category 8 -g procedural,size=96")
    _pictures(place)
    _call(place, "divergen-annotate images pictures --folders-are-categories --out masks.json")
    shutil.copytree(place / "drawn.lance", place / "masked.lance")
    _call(place, "divergen-annotate table masked.lance")
    _call(place, "divergen-filter embed-real real/train.json --out references.npz")
    shutil.copytree(place / "masked.lance", place / "scored.lance")
    _call(place, "divergen-filter score scored.lance --references references.npz")
    _reviewed(place)


def _foreign(place: Path) -> None:
    for form in ("yolo", "labelme"):
        _call(place, f"divergen-records convert real/train.json {form} --format {form}")


def _call(place: Path, words: str, *more: str) -> None:
    program, *rest = words.split()
    command = [str(Path(sys.executable).with_name(program)), *rest, *more]
    done = subprocess.run(command, cwd=place, capture_output=True, text=True)
    if done.returncode not in (0, 3):
        sys.exit(f"{words}: status {done.returncode}\n{done.stderr}")


def _pictures(place: Path) -> None:
    """The drawn pictures, a folder for each category."""
    for record in InstanceTable.open(place / "drawn.lance").records("image IS NOT NULL"):
        folder = place / "pictures" / record.category
        folder.mkdir(parents=True, exist_ok=True)
        assert record.image is not None
        (folder / f"{len(list(folder.iterdir()))}.png").write_bytes(record.image)


def _run(place: Path) -> None:
    """A run until the decision; its instances published, and for other tools, with one mask redrawn there."""
    _call(place, "divergen quickstart --out run --until decide", *RUN)
    _call(place, "divergen push run org/name --folder hub")
    _call(place, "divergen export run --format xpaste-pool --out xp")
    _call(place, "divergen export run --format coco --out fix")
    file = place / "fix" / "annotations.json"
    content = json.loads(file.read_text(encoding="utf-8"))
    content["annotations"][0]["segmentation"] = [[20, 20, 60, 20, 60, 60, 20, 60]]
    file.write_text(json.dumps(content), encoding="utf-8")


def _reviewed(place: Path) -> None:
    """A scored table about half of whose rows somebody has said something."""
    shutil.copytree(place / "scored.lance", place / "reviewed.lance")
    table = InstanceTable.open(place / "reviewed.lance")
    log = VerdictLog(log_path(table.path))
    kinds: tuple[Kind, ...] = ("keep", "reject")
    log.append([Verdict(key, kinds[n % 2], "anna", "2026-01-01T00:00:00+00:00") for n, key in enumerate(table.ids())])
    merge_reviews(table, log)


def _ablation(folder: Path) -> None:
    """What an ablation of two seeds leaves."""
    row = {"metric": "mask AP", "seeds": [0, 1], "difference": 0.01, "paired": 0.02, "unpaired": 0.03}
    row |= {"first": "one model", "second": "three models", "images": [0.0, 0.02], "verdict": "not told apart"}
    plan = {"resolution": 0.005, "spread": 0.01, "freedom": 3, "seeds": 2, "smallest": 0.03, "needed": 34, "hours": 0.2}
    arms = [{"arm": arm, "values": {"mask AP": {"0": 0.1, "1": 0.2}}} for arm in ("one model", "three models")]
    content = {"name": folder.name, "question": "Which?", "base": "quickstart", "overrides": [], "arms": arms}
    content |= {"comparisons": [row, {**row, "metric": "mask APr"}], "plan": plan, "cost": {"wall": 72, "cpu": 36}}
    folder.mkdir(parents=True)
    (folder / "ablation.json").write_text(json.dumps(content), encoding="utf-8")


def _fit(place: Path) -> None:
    """A training alone."""
    _call(
        place,
        "divergen-train fit real/train.json --val real/val.json --out fit --preset quickstart eval_every=2 "
        + " ".join(TRAIN),
    )


def _trained(place: Path) -> None:
    """A whole run that judged what it drew."""
    _call(place, "divergen quickstart --out trained", *RUN, TRAINED, "rules={rules: []}")


def _models(place: Path) -> None:
    """Tiny models of the real classes, where their libraries are installed."""
    if find_spec("diffusers"):
        _module("divergen-gen/tests/tiny.py").stable_diffusion(place / "sd")
    if find_spec("onnx"):
        _saliency(place / "u2net.onnx")
    if find_spec("transformers"):
        (place / "sam3").mkdir()
        _module("divergen-annotate/tests/models.py").save_sam3(place / "sam3")


def _saliency(path: Path) -> None:
    """The smallest network of saliency, under a name whose model card is known."""
    import onnx
    from onnx import TensorProto, helper

    weights = helper.make_tensor("w", TensorProto.FLOAT, (1, 3, 1, 1), [-1.0, -1.0, -0.5])
    nodes = [helper.make_node("Conv", ["x", "w"], ["l"]), helper.make_node("Sigmoid", ["l"], ["out"])]
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["n", c, "h", "w"]) for n, c in (("x", 3), ("out", 1))]
    graph = helper.make_graph(nodes, "saliency", ends[:1], ends[1:], [weights])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)


def _module(path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(Path(path).stem, _PACKAGES / path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_GROUPS: dict[tuple[str, ...], Callable[[Path], None]] = {
    ("real", "rules", "names", "results", "pool", "embedded", "config", "ablations"): _basic,
    ("prompts", "drawn", "pictures", "masks", "masked", "references", "scored", "reviewed"): _generated,
    ("yolo", "labelme"): _foreign,
    ("run", "hub", "fix", "xp"): _run,
    ("fit",): _fit,
    ("trained",): _trained,
    ("sd", "sam3", "u2net.onnx"): _models,
}
"""Inputs -> what makes them; the first are there for all others."""
