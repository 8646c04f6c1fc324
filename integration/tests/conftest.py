"""What the integration's tests share: where things are, and a run small enough to be made many times."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from divergen import Run, load_config, run_pipeline

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


def _module(path: str) -> ModuleType:
    """A module of a package's tests, by its path in ``packages``."""
    spec = importlib.util.spec_from_file_location(path.replace("/", "_").replace("-", "_"), ROOT / "packages" / path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def builders() -> Callable[[str], ModuleType]:
    """The module of a package's tests that builds its tiny models, by its path in ``packages``."""
    return _module


@pytest.fixture(scope="session")
def coco100() -> Path:
    """100 real photos with LVIS annotations, where the machine has them beside the checkout."""
    folder = ROOT.parent / "shared" / "data" / "coco100_train"
    if not folder.exists():
        pytest.skip("the photos of coco100_train are not on this machine")
    return folder


SMALL = (
    "data={kind: minilvis, train_images: 12, val_images: 10, size: 96, categories: [apple, cup, banana]}",
    "prompts.per_category=3",
    "counts={per_category: 4}",
    "generators=[{kind: procedural, size: 128}]",
    "train=null",
)


@pytest.fixture(scope="session")
def small() -> tuple[str, ...]:
    """Overrides that make the quickstart a matter of seconds."""
    return SMALL


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory, small: tuple[str, ...]) -> tuple[str, ...]:
    """The same overrides over scenes that are drawn once for all."""
    from divergen_minilvis import make_minilvis

    folder = tmp_path_factory.mktemp("scenes") / "minilvis"
    make_minilvis(folder, train_images=12, val_images=10, size=96, categories=("apple", "cup", "banana"))
    return (f"data={folder}", *small[1:])


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, small: tuple[str, ...]) -> Run:
    """A small run of all steps but training, made once."""
    run = Run(tmp_path_factory.mktemp("runs") / "whole", load_config("quickstart", small))
    run_pipeline(run)
    return run


def _open_clip(folder: Path) -> Path:
    """CLIP in the layout that open_clip reads from a folder."""
    import open_clip
    import torch
    from safetensors.torch import save_file

    clip = {
        "embed_dim": 16,
        "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 16},
        "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
    }
    torch.manual_seed(0)
    folder.mkdir()
    processing = {"mean": [0.5] * 3, "std": [0.5] * 3, "interpolation": "bicubic"}
    config = json.dumps({"model_cfg": clip, "preprocess_cfg": processing})
    (folder / "open_clip_config.json").write_text(config)
    save_file(open_clip.CLIP(**clip).state_dict(), folder / "open_clip_model.safetensors")
    return folder


def _of_annotate(name: str) -> Callable[[Path], Path]:
    def build(path: Path) -> Path:
        path.mkdir()
        module = _module("divergen-annotate/tests/models.py")
        getattr(module, name)(path)
        return path

    return build


def _saliency(folder: Path) -> Path:
    """Three ONNX networks and their cards."""
    folder.mkdir()
    module = _module("divergen-annotate/tests/test_saliency.py")
    for name in ("u2net", "selfreformer", "ufo"):
        module.save_onnx(folder / f"{name}.onnx", size=(320, 320) if name == "u2net" else (24, 32))
        (folder / f"{name}.json").write_text(json.dumps(module.CARD))
    return folder


def _of_gen(name: str) -> Callable[[Path], Path]:
    def build(path: Path) -> Path:
        _module("divergen-gen/tests/tiny.py").MODELS[name](path)
        return path

    return build


MODELS: dict[str, Callable[[Path], Path]] = {
    "sd": _of_gen("sd"),
    "if": _of_gen("if"),
    "sam": _of_annotate("save_hub_sam"),
    "clipseg": _of_annotate("save_clipseg"),
    "clip": _of_annotate("save_clip"),
    "saliency": _saliency,
    "open_clip": _open_clip,
}
"""Tiny models of the real classes, with weights that never learned, in the layouts that the real ones come in."""


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of a tiny model, by a name of `MODELS`; made once."""
    made: dict[str, Path] = {}

    def build(name: str) -> Path:
        if name not in made:
            made[name] = MODELS[name](tmp_path_factory.mktemp("models") / name)
        return made[name]

    return build
