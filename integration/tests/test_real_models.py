"""The published pipeline, `divergen run divergen-lvis`, with tiny models of the same classes in the same layout."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from divergen import Run, load_config, run_pipeline

for needed in ("diffusers", "open_clip", "segment_anything", "transformers"):
    pytest.importorskip(needed)


@pytest.mark.slow
def test_run__the_published_backends(tmp_path: Path, small: tuple[str, ...], tiny: Callable[[str], Path]) -> None:
    data = small[0].replace("apple, cup, banana", "cup, teapot, car")
    config = load_config(
        "divergen-lvis",
        [
            data,
            f"generators=[{{kind: diffusers, name: sd15, model: {tiny('sd')}, size: 64, steps: 2, device: cpu}}]",
            "counts={per_category: 2}",
            "prompts={kind: template, template: divergen}",
            "extra_categories=null",
            "control=false",
            f"annotator={{kind: sam-background, checkpoint: {tiny('sam')}, device: cpu}}",
            f"embedder={{kind: open-clip, model: 'local-dir:{tiny('open_clip')}', device: cpu}}",
            "rules={rules: [{score: clip_score, op: '>=', threshold: -1}]}",
            "train={recipe: divergen-tiny, iterations: 2, warmup: 1, batch_size: 2, image_size: 64}",
            "baseline=false",
        ],
    )
    run = Run(tmp_path / "run", config)
    run_pipeline(run)
    rows = run.table.select(["generator", "annotator", "embedder", "clip_score", "mask", "error"]).to_pylist()
    assert len(rows) == 6
    assert {row["error"] for row in rows} == {None}
    assert {row["generator"] for row in rows} == {"sd15"}
    assert all("open-clip" in row["embedder"].replace("_", "-") and -1 <= row["clip_score"] <= 1 for row in rows)
    assert json.loads((run.training("generated") / "metrics.json").read_text())["mask"]["AP"] is not None
    assert "sd15" in run.report.read_text()
