from __future__ import annotations

import pytest
from divergen_records import ConfigError
from divergen_records.devices import device_name


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, "auto"),
        ("", "auto"),
        ("Auto", "auto"),
        ("CPU", "cpu"),
        ("cuda", "cuda"),
        ("CUDA:1", "cuda:1"),
        ("gpu", "cuda"),
        ("gpu:0", "cuda:0"),
        ("2", "cuda:2"),
        ("mps", "mps"),
    ],
)
def test_device_name__as_people_write_it(given: str | None, expected: str) -> None:
    assert device_name(given) == expected


@pytest.mark.parametrize("given", ["tpu", "cuda:x", "cuda0", "/dev/nvidia0"])
def test_device_name__none_is_a_sentence(given: str) -> None:
    with pytest.raises(ConfigError, match="is none; there are auto, cpu, cuda"):
        device_name(given)
