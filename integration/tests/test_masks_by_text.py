"""Masks by the category's name, through a run's YAML: tiny models of the real classes, one row for each object."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from divergen import Run, load_config, run_pipeline
from divergen.status import run_status

pytest.importorskip("transformers")


def config_of(drawn: tuple[str, ...], annotator: str) -> list[str]:
    return [*drawn, f"annotator={annotator}"]


def folder(path: Path) -> Path:
    path.mkdir()
    return path


def test_run__sam3_gives_each_object_a_row(
    tmp_path: Path, drawn: tuple[str, ...], builders: Callable[[str], ModuleType]
) -> None:
    model = builders("divergen-annotate/tests/models.py").save_sam3(folder(tmp_path / "sam3"))
    annotator = f"{{kind: sam3, model: {model}, threshold: 0, instances: all, device: cpu}}"
    run = Run(tmp_path / "run", load_config("quickstart", config_of(drawn, annotator)))
    run_pipeline(run, until="annotate")
    further = run.table.count("object_of IS NOT NULL")
    assert further > 0 and run.table.count("object_of IS NULL") == 12
    assert run.table.count("object_of IS NOT NULL AND (mask IS NULL OR image IS NULL OR mask_score IS NULL)") == 0
    status = run_status(run)
    assert [(stage.done + stage.failed, stage.pending) for stage in status.stages[:2]] == [(12 + further, 0)] * 2
    assert status.frequencies[-1].planned == status.frequencies[-1].generated == 12 + further
    run_pipeline(run, until="annotate")
    assert run.table.count() == 12 + further
    again = load_config("quickstart", config_of(drawn, "{kind: colour-key, plain: 0}"))
    run_pipeline(Run(tmp_path / "run", again), redo="annotate", until="annotate")
    assert run.table.count() == 12 and run.table.count("object_of IS NOT NULL") == 0


def test_run__grounded_sam(tmp_path: Path, drawn: tuple[str, ...], builders: Callable[[str], ModuleType]) -> None:
    models = builders("divergen-annotate/tests/models.py")
    detector, sam = models.save_grounding_dino(folder(tmp_path / "dino")), models.save_hub_sam2(tmp_path / "sam2")
    annotator = f"{{kind: grounded-sam, detector: {detector}, sam: {sam}, threshold: 0, device: cpu}}"
    run = Run(tmp_path / "run", load_config("quickstart", config_of(drawn, annotator)))
    run_pipeline(run, until="annotate")
    rows = run.table.select(["annotator", "mask_score", "error"]).to_pylist()
    assert len(rows) == 12 and any(row["mask_score"] for row in rows)
    for row in rows:
        assert row["error"] or (row["annotator"].startswith("grounded-sam box=") and 0 <= row["mask_score"] <= 1)


def test_run__clipseg(tmp_path: Path, drawn: tuple[str, ...], builders: Callable[[str], ModuleType]) -> None:
    model = builders("divergen-annotate/tests/models.py").save_clipseg(folder(tmp_path / "clipseg"))
    run = Run(tmp_path / "run", load_config("quickstart", config_of(drawn, f"{{kind: clipseg, model: {model}}}")))
    run_pipeline(run, until="annotate")
    rows = run.table.select(["annotator", "mask_score", "error"]).to_pylist()
    assert len(rows) == 12
    assert all(row["error"] or (row["annotator"] == "clipseg" and 0 <= row["mask_score"] <= 1) for row in rows)
