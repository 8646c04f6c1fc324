from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from divergen_records.errors import ConfigError
from divergen_train import preset
from divergen_train.cli import main
from divergen_train.detectors.config import CenterNet2Config, ResNet50Config, SwinConfig, TorchvisionConfig
from divergen_train.training.recipe import load_recipe, recipe, recipe_names, recipe_text

METHODS = ("baseline", "bsgal", "copy-paste", "divergen", "xpaste")


def test_recipe_names__every_method_in_three_sizes() -> None:
    expected = {f"{method}-{size}" for method in METHODS for size in ("r50", "swin-l", "tiny")}
    assert set(recipe_names()) == expected | {"overfit-r50", "overfit-swin"}


@pytest.mark.parametrize("method", METHODS)
def test_recipe__papers_settings(method: str) -> None:
    small, large, tiny = (recipe(f"{method}-{size}") for size in ("r50", "swin-l", "tiny"))
    for found in (small, large):
        detector = found.train.detector
        assert isinstance(detector, CenterNet2Config)
        # What the recipe says line by line are the defaults of the detector, which are the papers'.
        assert detector == CenterNet2Config(backbone=detector.backbone)
        assert (found.train.warmup, found.train.repeat_threshold) == (10_000, 0.001)
        assert (found.train.clip_norm, found.train.clip_value) == (None, 1.0)
        assert (found.train.scale, found.train.scale_sampling) == ((0.1, 2.0), "linear")
        assert found.classes == (1453 if method == "divergen" else 1203)
        assert (found.pastes is None) == (method == "baseline")
    assert isinstance(small.train.detector.backbone, ResNet50Config)
    assert large.train.detector.backbone == SwinConfig(weights=large.train.detector.backbone.weights)
    assert (small.train.image_size, large.train.image_size) == (640, 896)
    assert (large.train.iterations, large.train.batch_size, large.train.lr) == (180_000, 16, 1e-4)
    assert isinstance(tiny.train.detector, TorchvisionConfig)
    assert (tiny.bsgal is not None) == (large.bsgal is not None) == (method == "bsgal")


def test_recipe__expected_is_printed() -> None:
    expected = recipe("divergen-swin-l").expected
    assert str(expected) == "box 51.2 mask 45.5 APr box 50.1 APr mask 45.8"
    assert recipe("bsgal-r50").expected is None


def test_recipe__unknown() -> None:
    with pytest.raises(ConfigError, match=r"recipe 'divergan-r50': unknown; there are baseline-r50"):
        recipe("divergan-r50")
    with pytest.raises(
        ConfigError, match=r"preset 'x': unknown; there are quickstart, small, thrifty, and the recipes baseline"
    ):
        preset("x")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "mine.yaml: not valid YAML"),
        ("", "mine.yaml: the configuration: expected keys with values"),
        (
            "summary: x\nhardware: y\ntrain: {iteration: 3}\n",
            r"mine.yaml: train.iteration: there is no such key; did you mean 'iterations'",
        ),
        ("summary: x\nhardware: y\ntrain: {detector: {kind: yolo}}\n", r"train.detector.kind: 'yolo' is not one of"),
    ],
)
def test_load_recipe__refuses(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(ConfigError, match=message):
        load_recipe(tmp_path / "mine.yaml")


def test_load_recipe__missing(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no such file"):
        load_recipe(tmp_path / "none.yaml")


def test_preset__recipe_by_name_and_by_file(tmp_path: Path) -> None:
    assert preset("xpaste-tiny") == recipe("xpaste-tiny").train
    (tmp_path / "mine.yaml").write_text(recipe_text("xpaste-tiny").replace("iterations: 400", "iterations: 300"))
    assert preset(str(tmp_path / "mine.yaml")).iterations == 300


def test_command_recipes() -> None:
    listed = CliRunner().invoke(main, ["recipes"])
    assert listed.exit_code == 0
    assert "divergen-swin-l\n  DiverGen; CenterNet2, Swin-L" in listed.output
    assert "AP on LVIS v1 val: box 51.2 mask 45.5" in listed.output
    shown = CliRunner().invoke(main, ["recipes", "baseline-r50"])
    assert shown.output == recipe_text("baseline-r50")
    assert CliRunner().invoke(main, ["recipes", "x"]).exit_code == 2


def test_command_fit__says_what_the_recipe_wants_pasted(shapes_path: Path, tmp_path: Path) -> None:
    small = ["image_size=64", "iterations=1", "warmup=0", "batch_size=1"]
    arguments = ["fit", str(shapes_path), "--images", str(shapes_path.parent / "images"), "--out", str(tmp_path)]
    result = CliRunner().invoke(main, [*arguments, "--preset", "xpaste-tiny", *small])
    assert result.exit_code == 0, result.output
    assert "xpaste-tiny is made for images with generated instances" in result.stderr


def test_command_truncate(shapes_path: Path, tmp_path: Path) -> None:
    small = ["image_size=64", "iterations=1", "warmup=0", "batch_size=1"]
    arguments = ["fit", str(shapes_path), "--images", str(shapes_path.parent / "images"), "--out", str(tmp_path)]
    assert CliRunner().invoke(main, [*arguments, "--preset", "baseline-tiny", *small]).exit_code == 0
    (tmp_path / "base.json").write_text('[{"id": 15, "name": "blue"}]')
    cut = ["truncate", str(tmp_path / "checkpoint.pt"), "--categories", str(tmp_path / "base.json")]
    result = CliRunner().invoke(main, [*cut, "--out", str(tmp_path / "base.pt")])
    assert result.exit_code == 0, result.output
    assert result.output.endswith("base.pt: 1 categories\n")
    again = CliRunner().invoke(main, [*cut, "--out", str(tmp_path / "base.pt")])
    assert again.exit_code == 2
    assert "is there already" in again.output
