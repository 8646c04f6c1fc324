"""Tiny pipelines of the real classes, made once and loaded as users load theirs."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

pytest.importorskip("diffusers", exc_type=ImportError)

TINY: dict[str, Any] = {"steps": 2, "size": 32, "dtype": "float32", "batch_size": 2}
"""Settings for a picture in no time."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:  # what diffusers and transformers warn of is theirs
            item.add_marker(pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"))
            item.add_marker(pytest.mark.filterwarnings("ignore::FutureWarning"))


@pytest.fixture(autouse=True)
def no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


@pytest.fixture(scope="session")
def tiny() -> ModuleType:
    spec = importlib.util.spec_from_file_location("tiny", Path(__file__).parent.parent / "tiny.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def model(tiny: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Any]:
    """The folder of a tiny model by its short name; of DeepFloyd-IF, two folders."""
    made: dict[str, Any] = {}

    def build(name: str) -> Any:
        if name not in made:
            made[name] = tiny.MODELS[name](tmp_path_factory.mktemp("models") / name)
        return made[name]

    return build


@pytest.fixture
def build(model: Callable[[str], Any]) -> Callable[..., Any]:
    """A generator of a tiny model."""
    from divergen_gen import DiffusersGenerator

    return lambda name="sd", **changes: DiffusersGenerator(str(model(name)), **{**TINY, **changes})


@pytest.fixture
def count_encodes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Grows by a class name with every call of a text encoder."""
    from transformers import CLIPTextModel, CLIPTextModelWithProjection, T5EncoderModel

    calls: list[str] = []
    inside: list[str] = []  # a CLIPTextModelWithProjection has a CLIPTextModel in it
    for kind in (CLIPTextModel, CLIPTextModelWithProjection, T5EncoderModel):
        original = kind.forward

        def forward(self: Any, *args: Any, _original: Any = original, **kwargs: Any) -> Any:
            calls.extend([] if inside else [type(self).__name__])
            inside.append(type(self).__name__)
            try:
                return _original(self, *args, **kwargs)
            finally:
                inside.pop()

        monkeypatch.setattr(kind, "forward", forward)
    return calls
