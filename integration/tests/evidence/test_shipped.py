"""Every ablation that comes with the package, walked to its plan, and in a tiny form to its end."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from divergen.cli import main
from divergen.evidence.ablation import load_ablation, shipped_ablations
from divergen.evidence.outcomes import CONTROL, REAL

TINY = (
    "data={kind: minilvis, train_images: 12, val_images: 10, size: 96, categories: [apple, cup, banana]}",
    "counts={per_category: 6}",
    "train={preset: quickstart, iterations: 4, warmup: 1, batch_size: 2, image_size: 64}",
)


def embedder(name: str, tiny: Callable[[str], Path]) -> list[str]:
    """CLIP's weights are 1.7 GB; a CLIP that never learned is in their place."""
    if name != "filter-metric":
        return []
    pytest.importorskip("open_clip")
    return [f"embedder.model=local-dir:{tiny('open_clip')}", "embedder.pretrained=null"]


@pytest.mark.parametrize("name", shipped_ablations())
def test_dry_run__says_what_each_arm_makes(name: str, tmp_path: Path) -> None:
    (tmp_path / "open_clip_config.json").write_text("{}")
    (tmp_path / "open_clip_model.safetensors").write_bytes((2).to_bytes(8, "little") + b"{}")  # CLIP's own is 1.7 GB
    clip = [f"embedder.model=local-dir:{tmp_path}", "embedder.pretrained=null"]
    own = {"filter-metric": clip, "photos": [TINY[0]]}.get(name, [])  # photos: the user's
    arguments = ["ablate", name, "--seeds", "1", "--dry-run", "--out", str(tmp_path / name), *own]
    answer = CliRunner().invoke(main, arguments)
    assert answer.exit_code == 0, answer.output
    for arm in load_ablation(name).arms:
        (line,) = (line for line in answer.output.splitlines() if line.startswith(f"{arm}, seed 0: "))
        assert " 0 pictures" not in line
        assert "training" in line
    assert not (tmp_path / name).exists()


def test_dry_run__says_what_would_stop_it(tmp_path: Path) -> None:
    arguments = ["ablate", "filter", "--dry-run", "--out", str(tmp_path / "out"), "embedder.weights=/nowhere/a.pth"]
    answer = CliRunner().invoke(main, arguments)
    assert answer.exit_code == 2
    assert answer.output.count("/nowhere/a.pth is not there") == 1, "once for all arms"


@pytest.mark.slow
@pytest.mark.skipif("DIVERGEN_ABLATIONS" not in os.environ, reason="five minutes; DIVERGEN_ABLATIONS=1 asks for them")
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("name", shipped_ablations())
def test_ablate__every_arm_to_its_end(
    name: str, tmp_path_factory: pytest.TempPathFactory, tiny: Callable[[str], Path]
) -> None:
    # Beside one another, so that they share scenes, pictures and trainings as a user's do.
    out = tmp_path_factory.getbasetemp() / "ablations" / name
    arguments = ["ablate", name, "--seeds", "1", "--out", str(out), *TINY, *embedder(name, tiny)]
    answer = CliRunner().invoke(main, arguments)
    assert answer.exit_code == 0, f"{answer.output}\n{answer.exception!r}"
    found = json.loads((out / "ablation.json").read_text(encoding="utf-8"))
    arms = {row["arm"]: row for row in found["arms"]}
    assert list(arms) == [REAL, CONTROL, *load_ablation(name).arms]
    assert (out / "ablation.png").exists()
    assert all(arm in answer.output for arm in load_ablation(name).arms)
