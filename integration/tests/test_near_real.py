"""Pictures from training images, and from a single-file checkpoint, through a run's YAML."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from divergen import Run, load_config, run_pipeline
from divergen_records.coco import read_dataset, write_dataset

pytest.importorskip("diffusers")


@pytest.mark.slow
def test_run__pictures_are_near_training_images_and_none_of_validation(
    tmp_path: Path,
    drawn: tuple[str, ...],
    builders: Callable[[str], ModuleType],
    capsys: pytest.CaptureFixture[str],
) -> None:
    model = builders("divergen-gen/tests/tiny.py").stable_diffusion(tmp_path / "model")
    scenes = Path(drawn[0].removeprefix("data="))
    train = read_dataset(scenes / "train.json", image_dir=scenes)
    shared = train.images[:4]  # somebody's validation images that are training images too
    ids = {image.id for image in shared}
    held = [one for one in train.annotations if one.image_id in ids]
    write_dataset(train.replace(images=shared, annotations=held), tmp_path / "val.json")
    splits = {"train": scenes / "train.json", "val": tmp_path / "val.json"}
    data = ", ".join(f"{name}: {{annotations: {path}, images: {scenes}}}" for name, path in splits.items())
    image = "{from: real-crops, strength: 0.6, smallest: 12}"
    generator = f"{{kind: diffusers, model: {model}, size: 32, steps: 2, dtype: float32, device: cpu, image: {image}}}"
    config = load_config("quickstart", [f"data={{kind: lvis, {data}}}", *drawn[1:], f"generators=[{generator}]"])
    run_pipeline(Run(tmp_path / "run", config), until="gen")
    run = Run(tmp_path / "run")  # as its own YAML says
    run_pipeline(run, until="gen")
    rows = run.table.select(["category", "source_annotation", "error"]).to_pylist()
    names = {category.id: category.name for category in train.categories}
    known = {str(one.id): (names[one.category_id], one.image_id) for one in train.annotations}
    assert len(rows) == 12
    made = [row for row in rows if not row["error"]]
    assert made
    for row in made:
        category, image_id = known[row["source_annotation"]]
        assert category == row["category"] and image_id not in ids
    assert all("to begin from" in row["error"] for row in rows if row["error"])
    assert "4 training images are validation images too" in capsys.readouterr().err


@pytest.mark.slow
def test_run__a_single_file_and_an_ip_adapter(
    tmp_path: Path, drawn: tuple[str, ...], builders: Callable[[str], ModuleType]
) -> None:
    tiny = builders("divergen-gen/tests/tiny.py")
    model = tiny.stable_diffusion(tmp_path / "model")
    file = builders("divergen-gen/tests/single_file.py").single_file(model, tmp_path / "mine.safetensors")
    adapter = tiny.ip_adapter(tmp_path / "adapter", model)
    common = "kind: diffusers, size: 32, steps: 2, dtype: float32, device: cpu"
    generators = (
        f"{{name: file, {common}, model: {file}, config: {model}}}",
        f"{{name: near, {common}, model: {model}, image: {{from: real-crops, adapter: {adapter}, smallest: 12}}}}",
    )
    config = load_config("quickstart", [*drawn, f"generators=[{', '.join(generators)}]"])
    run_pipeline(Run(tmp_path / "run", config), until="gen")
    rows = Run(tmp_path / "run").table.select(["generator", "source_annotation", "error"]).to_pylist()
    assert {name: sum(row["generator"] == name and not row["error"] for row in rows) for name in ("file", "near")} == {
        "file": 6,
        "near": 6,
    }
    assert all(bool(row["source_annotation"]) == (row["generator"] == "near") for row in rows)
