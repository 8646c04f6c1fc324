from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest
from divergen_records import WeightsError
from divergen_records.hub import local_model
from divergen_records.pretrained import Pretrained, find_pretrained, why_not_loaded

WEIGHTS = "model.safetensors"
NO_TENSORS = (2).to_bytes(8, "little") + b"{}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """As ``save_pretrained`` writes it."""
    folder = tmp_path / "model"
    folder.mkdir()
    for name in ("config.json", "processor_config.json"):
        (folder / name).write_text("{}")
    (folder / WEIGHTS).write_bytes(NO_TENSORS)
    return folder


def only_half_precision(folder: Path) -> None:
    (folder / WEIGHTS).rename(folder / "model.fp16.safetensors")


def only_pickled(folder: Path) -> None:
    (folder / WEIGHTS).unlink()
    (folder / "pytorch_model.bin").write_bytes(b"\x80")


@pytest.mark.parametrize(
    ("change", "variant"), [(lambda _: None, None), (only_half_precision, "fp16"), (only_pickled, None)]
)
def test_find_pretrained__forms_of_weights(folder: Path, change: Callable[[Path], None], variant: str | None) -> None:
    change(folder)
    found = find_pretrained(str(folder))
    found.check_processor()
    assert (found.source, found.find_variant()) == (str(folder), variant)


def test_find_pretrained__a_hub_id_is_left_to_the_hub() -> None:
    assert find_pretrained("org/name") == Pretrained("org/name")
    check("org/name")


def check(model: str) -> None:
    found = find_pretrained(model)
    found.check_processor()
    found.find_variant()


def inside(folder: Path) -> None:
    shutil.copytree(folder, folder / "inner")
    (folder / "config.json").unlink()


def lacks_a_shard(folder: Path) -> None:
    index = {"weight_map": {"a": WEIGHTS, "b": "model-2.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda folder: (folder / "config.json").unlink(), "no config.json; give the folder of a whole model"),
        (inside, r"no config.json; give .*inner"),
        (lambda folder: (folder / "processor_config.json").unlink(), "no preprocessor_config.json; copy that file"),
        (lambda folder: (folder / WEIGHTS).unlink(), r"no weights: no model\.safetensors"),
        (lambda folder: (folder / WEIGHTS).write_bytes(b""), r"model\.safetensors is empty"),
        (lacks_a_shard, r"lacks model-2\.safetensors \(1 of 2 files\)"),
    ],
)
def test_find_pretrained__says_what_a_folder_lacks(folder: Path, damage: Callable[[Path], None], said: str) -> None:
    damage(folder)
    with pytest.raises(WeightsError, match=said):
        check(str(folder))


def test_find_pretrained__a_file_is_no_folder(folder: Path) -> None:
    with pytest.raises(WeightsError, match="give the folder that holds it"):
        find_pretrained(str(folder / WEIGHTS))


def test_local_model__a_folder_of_the_hubs_cache(folder: Path) -> None:
    cache = folder.parent / "models--org--name"
    for commit in ("a1", "b2"):
        shutil.copytree(folder, cache / "snapshots" / commit)
    with pytest.raises(WeightsError, match="2 snapshots; give one"):
        local_model(str(cache))
    (cache / "refs").mkdir()
    (cache / "refs" / "main").write_text("b2\n")
    assert local_model(str(cache)) == cache / "snapshots" / "b2"


def test_why_not_loaded__a_package_that_is_missing_is_one_to_install() -> None:
    error = PackageNotFoundError("bitsandbytes")
    assert why_not_loaded(error) == "bitsandbytes is not installed; pip install bitsandbytes"
    assert why_not_loaded(ImportError("x needs y:\n`pip install y`.")) == "x needs y: `pip install y`"
    assert why_not_loaded(KeyError()) == "KeyError"


def test_why_not_loaded__random_weights_are_no_remedy() -> None:
    error = RuntimeError("You set `ignore_mismatched_sizes` to `False`, thus raising an error. See the above report!")
    assert why_not_loaded(error) == "its weights have other shapes than its config.json says; download the model again"
