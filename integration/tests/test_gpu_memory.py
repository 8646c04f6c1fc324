"""A GPU's memory against the weights: what does not fit is refused, what is not counted is said."""

from __future__ import annotations

import pytest
from divergen import load_config
from divergen.gpu_memory import memory_findings

GIB = 2**30


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU of 16 GB."""
    monkeypatch.setattr("divergen.gpu_memory.gpu_memory", lambda: 16 * GIB)


@pytest.mark.usefixtures("room")
@pytest.mark.parametrize(
    ("place", "size", "offload", "said"),
    [
        ("generators.0", 8, "none", "4.0 GB of weights in half precision, of the GPU's 16.0 GB; activations"),
        ("generators.0", 40, "none", "20.0 GB of weights in half precision, of the GPU's 16.0 GB: they do not fit"),
        ("generators.0", 40, "model", None),
        (
            "train.detector.backbone",
            5,
            "none",
            "20.0 GB of weights, gradients and moments, of the GPU's 16.0 GB: they",
        ),
        ("train.detector.backbone", 2, "none", "8.0 GB of weights, gradients and moments, of the GPU's 16.0 GB; act"),
        ("annotator", 1, "none", None),
    ],
)
def test_memory_findings(place: str, size: int, offload: str, said: str | None) -> None:
    config = load_config("quickstart", [f"generators=[{{kind: diffusers, model: a/b, offload: {offload}}}]"])
    found = list(memory_findings(config, [(place, size * GIB)]))
    assert [entry for entry, _ in found] == ([] if said is None else [place])
    assert all(finding.text.startswith(said or "") for _, finding in found)
    assert [finding.problem for _, finding in found] == (
        [] if said is None else ["do not fit" in said or "they" in said]
    )


def test_memory_findings__a_gpu_that_is_named_and_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("divergen.gpu_memory.gpu_memory", lambda: None)
    config = load_config("quickstart", ["embedder.device=cuda"])
    ((place, finding),) = memory_findings(config, [])
    assert place == "embedder"
    assert finding.problem
    assert "embedder.device=cpu" in finding.text
    workers = [
        load_config("quickstart", [f"executor={{kind: ray, gpus: 1{more}}}"]) for more in ("", ", address: auto")
    ]
    assert [[place for place, _ in memory_findings(config, [])] for config in workers] == [["executor"], []]
