"""What the integration's tests share: where things are, and a run small enough to be made many times."""

from __future__ import annotations

import importlib.util
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


@pytest.fixture(scope="session")
def builders() -> Callable[[str], ModuleType]:
    """The module of a package's tests that builds its tiny models, by its path in ``packages``."""

    def load(path: str) -> ModuleType:
        spec = importlib.util.spec_from_file_location(
            path.replace("/", "_").replace("-", "_"), ROOT / "packages" / path
        )
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


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
