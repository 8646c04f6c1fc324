from __future__ import annotations

import pytest
from divergen_records.errors import ConfigError
from divergen_records.settings import apply_settings
from divergen_train.training.config import TrainConfig
from divergen_train.training.presets import preset, preset_names


@pytest.mark.parametrize("name", preset_names())
def test_preset__valid(name: str) -> None:
    assert TrainConfig.model_validate(preset(name).model_dump(mode="json")) == preset(name)


def test_preset__unknown() -> None:
    with pytest.raises(ConfigError, match=r"preset 'tiny': unknown; there are quickstart, small"):
        preset("tiny")
    with pytest.raises(ConfigError, match="did you mean 'thrifty'"):
        preset("thrfty")


def test_settings__change_numbers_inside_sections_and_lists() -> None:
    config = apply_settings(
        TrainConfig, TrainConfig(), ["iterations=300", "detector.fpn_channels=32", "scale=[0.9,1.1]"]
    )
    assert (config.iterations, config.detector.fpn_channels, config.scale) == (300, 32, (0.9, 1.1))


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("iterations", "expected key=value"),
        ("iteration=3", "iteration: there is no such key; did you mean 'iterations'"),
        ("iterations=-3", "iterations: input should be greater than 0"),
        ("detectr.fpn_channels=3", "detectr: there is no such key; did you mean 'detector'"),
        ("iterations.x=3", "'iterations' is 10000, not a section"),
        ("warmup=20000", "warmup=20000 must be below"),
        ("scale=[2,1]", "the smallest comes first"),
        ("detector.min_stride=8", "has 3 levels"),
        ("detector.kind=yolo", "detector.kind: 'yolo' is not one of 'torchvision'"),
        ("loggers.0.kind=tensorbord", "loggers.0.kind: 'tensorbord' is not one of"),
    ],
)
def test_settings__refuses(setting: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        apply_settings(TrainConfig, TrainConfig(), [setting])
