from __future__ import annotations

from typing import Any

import pytest
from divergen_records import ConfigError
from divergen_records.devices import device_name, pick_device


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


@pytest.fixture
def torch(monkeypatch: pytest.MonkeyPatch) -> Any:
    """PyTorch on a machine with two GPUs, in a process that torchrun calls the fourth."""
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setenv("LOCAL_RANK", "3")
    return torch


@pytest.mark.parametrize(("given", "index"), [("cuda", 1), ("auto", 1), (None, 1), ("cuda:0", 0), ("1", 1)])
def test_pick_device__a_gpu_has_a_number(torch: Any, given: str | None, index: int) -> None:
    assert pick_device(given) == torch.device("cuda", index)


@pytest.mark.parametrize(
    ("given", "share", "said"),
    [
        ("cuda:2", True, r"there are 2 GPUs \(cuda:0 to cuda:1\) that PyTorch .* can use, and cuda:2 is wanted"),
        ("cuda", False, "cuda:3 is wanted; take another, cpu, or fewer processes"),
        ("meta", True, "holds no values"),
        ("hpu", True, "can use no hpu here; take cpu or auto"),
    ],
)
def test_pick_device__what_is_not_there_is_a_sentence(torch: Any, given: str, share: bool, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        pick_device(given, share=share)


def test_pick_device__the_cpu_where_there_is_no_gpu(torch: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert pick_device().type == "cpu"
    with pytest.raises(ConfigError, match="there is no GPU that"):
        pick_device("cuda")
