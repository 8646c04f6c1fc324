"""The published pipeline, `divergen run divergen-lvis`, with tiny models of the same classes in the same layout."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from divergen import Run, load_config, run_pipeline

for needed in ("diffusers", "open_clip", "segment_anything", "transformers"):
    pytest.importorskip(needed)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory, builders: Callable[[str], ModuleType]) -> dict[str, Path]:
    """Stable Diffusion, SAM and CLIP, tiny, with weights that never learned."""
    import open_clip
    import torch
    from safetensors.torch import save_file

    folder = tmp_path_factory.mktemp("models")
    builders("divergen-gen/tests/tiny.py").stable_diffusion(folder / "sd")
    sam = builders("divergen-annotate/tests/models.py")
    weights = sam.fix_weights(sam.save_original_sam(folder / "sam_vit.pth"), seed=4)  # these see objects everywhere
    torch.save(weights.state_dict(), folder / "sam_vit.pth")
    clip = {
        "embed_dim": 16,
        "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 16},
        "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
    }
    torch.manual_seed(0)
    (folder / "clip").mkdir()
    processing = {"mean": [0.5] * 3, "std": [0.5] * 3, "interpolation": "bicubic"}
    config = json.dumps({"model_cfg": clip, "preprocess_cfg": processing})
    (folder / "clip" / "open_clip_config.json").write_text(config)
    save_file(open_clip.CLIP(**clip).state_dict(), folder / "clip" / "open_clip_model.safetensors")
    return {"sd": folder / "sd", "sam": folder / "sam_vit.pth", "clip": folder / "clip"}


@pytest.mark.slow
def test_run__the_published_backends(tmp_path: Path, small: tuple[str, ...], models: dict[str, Path]) -> None:
    data = small[0].replace("apple, cup, banana", "cup, teapot, car")
    config = load_config(
        "divergen-lvis",
        [
            data,
            f"generators=[{{kind: diffusers, name: sd15, model: {models['sd']}, size: 64, steps: 2, device: cpu}}]",
            "counts={per_category: 2}",
            "prompts={kind: template, template: divergen}",
            "extra_categories=null",
            "control=false",
            f"annotator={{kind: sam-background, checkpoint: {models['sam']}, device: cpu}}",
            f"embedder={{kind: open-clip, model: 'local-dir:{models['clip']}', device: cpu}}",
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
