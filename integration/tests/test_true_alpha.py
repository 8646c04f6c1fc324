"""Pictures that come with their own alpha: an image API and a diffusers pipeline, through a run's YAML."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from divergen import Run, load_config, run_pipeline
from divergen_records.images import read_image
from divergen_records.masks import decode_counts

pytest.importorskip("diffusers")
pytest.importorskip("openai")


@pytest.mark.slow
def test_run__layered_diffusion_needs_no_annotator(
    tmp_path: Path, drawn: tuple[str, ...], builders: Callable[[str], ModuleType]
) -> None:
    model = builders("divergen-gen/tests/tiny.py").layered_diffusion(tmp_path / "model")
    generator = f"{{kind: diffusers, model: {model}, size: 32, steps: 2, dtype: float32, device: cpu}}"
    settings = [f"generators=[{generator}]", "annotator={kind: true-alpha}", "repair={keep_share: 0, fill_below: 0}"]
    run = Run(tmp_path / "run", load_config("quickstart", [*drawn, *settings]))
    run_pipeline(run, until="annotate")
    rows = run.table.select(["alpha", "mask", "height", "width", "error"]).to_pylist()
    assert len(rows) == 12 and all(row["alpha"] for row in rows)
    for row in rows:
        truth = read_image(row["alpha"])[..., 0] >= 128
        assert row["error"] or (decode_counts(row["mask"], row["height"], row["width"]) == truth).all()
    assert any(row["mask"] for row in rows)


def test_run__an_image_api_with_alpha_needs_no_annotator(
    tmp_path: Path, drawn: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    from divergen_gen.testing import answer_pictures
    from divergen_records.endpoint.testing import Loopback

    monkeypatch.setenv("OPENAI_API_KEY", "sk-planted-0123456789")
    with Loopback(answer_pictures) as server:
        api = f"{{kind: openai-images, model: m, base_url: '{server.url}', price_picture: 0.1, max_cost: 0.5, n: 2}}"
        config = load_config("quickstart", [*drawn, f"generators=[{api}]", "annotator={kind: true-alpha}"])
        run = Run(tmp_path / "run", config)
        run_pipeline(run, until="annotate")
    assert sum(body.get("n", 1) for body in server.bodies) == 5
    rows = run.table.select(["alpha", "mask", "height", "width", "error"]).to_pylist()
    made = [row for row in rows if row["error"] is None]
    assert (len(rows), len(made)) == (12, 5)
    for row in made:
        alpha = read_image(row["alpha"])[..., 0]
        assert (decode_counts(row["mask"], row["height"], row["width"]) == (alpha >= 128)).all()
    assert {row["error"].partition(" is reached")[0] for row in rows if row["error"]} == {"the cost limit of 0.5"}
    assert run.previews.joinpath("generated.jpg").exists()
