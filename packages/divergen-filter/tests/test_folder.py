from __future__ import annotations

import csv
import json
import shutil

import numpy as np
import pyarrow.parquet
import pytest
from click.testing import CliRunner
from divergen_filter import config, filter_folder
from divergen_filter.cli import main
from divergen_records import Category, ConfigError
from divergen_records.coco import Annotation, ImageInfo, write_lvis
from divergen_records.images import encode_image
from divergen_records.losses import Losses
from divergen_records.masks import encode_rle


@pytest.fixture
def generated(tmp_path, monkeypatch, embedder, draw):
    """Four pictures in folders of their categories, and their masks; one is of another category's colour."""
    monkeypatch.setattr(config, "build_embedder", lambda kind, settings=(): embedder)
    for number, (category, colour) in enumerate([(1, 1), (1, 2), (2, 2), (3, 3)]):
        image, mask = draw(colour)
        for root, pixels in (("generated", image), ("masks", mask.astype(np.uint8) * 255)):
            file = tmp_path / root / f"thing_{category}" / f"{number}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(encode_image(pixels, "png"))
    return tmp_path / "generated"


def run(*arguments, **options):
    return list(filter_folder(*arguments, **options))


def test_filter_folder__masks_from_a_folder(generated, dataset, tmp_path):
    out = tmp_path / "out"
    options = {"images": dataset.image_dir, "masks": tmp_path / "masks", "scores": ["rival_margin"]}
    assert run(generated, dataset.path, out, **options)[-1].startswith("kept 3 of 4, 0 failed")
    rows = {row["path"]: row for row in json.loads((out / "decisions.json").read_text())}
    assert [rows[path]["kept"] for path in sorted(rows)] == [True, False, True, True]
    wrong = rows["thing_1/1.png"]
    assert wrong["reject_reason"].startswith("rival_share") and wrong["rival_margin"] < 0
    with (out / "decisions.csv").open(newline="") as file:
        assert [row["path"] for row in csv.DictReader(file)] == sorted(rows)
    assert "3 kept of 4" in (out / "sheet.html").read_text()
    (generated / "thing_2" / "2.png").unlink()
    assert run(generated, dataset.path, out, **options)[-1].startswith("kept 3 of 3, 0 failed")


def test_filter_folder__pictures_whose_names_differ_in_their_ending(generated, dataset, draw, tmp_path):
    picture, mask = generated / "thing_2" / "2.png", tmp_path / "masks" / "thing_2" / "2.png"
    other, narrow = draw(1)
    narrow[:, :32] = False
    picture.with_suffix(".jpg").write_bytes(encode_image(other, "jpeg"))
    options = {"images": dataset.image_dir, "masks": tmp_path / "masks"}
    assert ", 1 failed" in run(generated, dataset.path, tmp_path / "shared", **options)[-1]
    errors = [row["error"] for row in json.loads((tmp_path / "shared" / "decisions.json").read_text()) if row["error"]]
    assert len(errors) == 1
    assert "is the mask of thing_2/2.jpg, too; name each as its picture: 2.png.png" in errors[0]
    mask.with_name("2.png.png").write_bytes(mask.read_bytes())  # as divergen-annotate names a second one
    mask.write_bytes(encode_image(narrow.astype(np.uint8) * 255, "png"))
    assert ", 0 failed" in run(generated, dataset.path, tmp_path / "own", **options)[-1]
    areas = {row["path"]: row["area_fraction"] for row in json.loads((tmp_path / "own" / "decisions.json").read_text())}
    assert areas["thing_2/2.jpg"] < areas["thing_2/2.png"]


def test_filter_folder__masks_from_a_coco_file(generated, dataset, draw, tmp_path):
    images, notes = [], []
    for number, path in enumerate(sorted(generated.rglob("*.png"))[:3], 1):
        _, mask = draw(1)
        images.append(ImageInfo(id=number, width=64, height=64, file_name=path.relative_to(generated).as_posix()))
        notes.append(Annotation(number, number, 1, (12, 16, 40, 32), 1280, encode_rle(mask)))
    write_lvis(tmp_path / "masks.json", images, notes, [Category(id=1, name="thing")])
    lines = run(generated, dataset.path, tmp_path / "out", images=dataset.image_dir, masks=tmp_path / "masks.json")
    assert lines[-1].startswith("kept 2 of 4, 1 failed")
    rows = json.loads((tmp_path / "out" / "decisions.json").read_text())
    assert "0 annotations of thing_3/3.png" in rows[3]["error"] and rows[3]["kept"] is None


def test_filter_folder__without_masks_the_picture_is_the_object(generated, dataset, tmp_path):
    assert "kept" in run(generated, dataset.path, tmp_path / "out", images=dataset.image_dir)[-1]
    rows = json.loads((tmp_path / "out" / "decisions.json").read_text())
    assert all(row["area_fraction"] == 1 for row in rows)
    assert all("area" not in (row["reject_reason"] or "") for row in rows)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda mask: mask.unlink(), "no such picture"),
        (lambda mask: mask.write_bytes(encode_image(np.zeros((64, 64), np.uint8), "png")), "the mask is empty"),
        (lambda mask: mask.write_bytes(encode_image(np.ones((9, 9), np.uint8), "png")), "does not fit"),
    ],
)
def test_filter_folder__a_bad_mask_is_that_row_s_error(generated, dataset, tmp_path, spoil, reason):
    spoil(tmp_path / "masks" / "thing_3" / "3.png")
    run(generated, dataset.path, tmp_path / "out", images=dataset.image_dir, masks=tmp_path / "masks")
    rows = json.loads((tmp_path / "out" / "decisions.json").read_text())
    assert reason in rows[3]["error"] and rows[3]["kept"] is None and rows[0]["error"] is None


def test_filter_folder__names_in_other_letters_and_ids(generated, dataset, tmp_path):
    (generated / "thing_1").rename(generated / "Thing 1")
    (generated / "thing_2").rename(generated / "2")
    lines = run(
        generated,
        dataset.path,
        tmp_path / "out",
        images=dataset.image_dir,
        rules=config.RulesConfig(rules=("area_fraction >= 9",)),
    )
    assert lines[0] == "4 pictures of 3 categories"
    assert any("nothing is kept" in line for line in lines)
    assert any("area_fraction lies in 0 to 1" in line for line in lines)


def test_filter_folder__unknown_category_and_nothing(generated, dataset, tmp_path):
    (generated / "thing_3").rename(generated / "thing_33")
    with pytest.raises(ConfigError, match=r"has no category 'thing_33'; did you mean"):
        run(generated, dataset.path, tmp_path / "out", images=dataset.image_dir)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="no pictures"):
        run(tmp_path / "empty", dataset.path, tmp_path / "out", images=dataset.image_dir)
    with pytest.raises(ConfigError, match="no such folder"):
        run(tmp_path / "none", dataset.path, tmp_path / "out", images=dataset.image_dir)


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
def test_filter_folder__categories_of_a_list(generated, dataset, tmp_path, suffix):
    rows = []
    for path in sorted(generated.rglob("*.png")):
        rows.append({"file_name": path.name, "text": "a photo", "category": path.parent.name.replace("_", " ")})
        path.rename(generated / path.name)
    rows[3] = {**rows[3], "file_name": "gone.png"}
    write_list(generated / f"metadata{suffix}", rows)
    losses = Losses()
    lines = run(generated, dataset.path, tmp_path / "out", images=dataset.image_dir, losses=losses)
    assert lines[0] == "3 pictures of 2 categories"
    assert dict(losses) == {
        "3.png": f"metadata{suffix} does not list it",
        "gone.png": f"is in metadata{suffix}, and not in the folder",
    }


def write_list(path, rows):
    if path.suffix == ".parquet":
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    elif path.suffix == ".csv":
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0], delimiter=";")
            writer.writeheader()
            writer.writerows(rows)
    else:
        path.write_text("\n".join(map(json.dumps, rows)))


def test_filter_folder__a_list_with_another_category(generated, dataset, tmp_path):
    (generated / "metadata.csv").write_text("file_name,label\nthing_1/0.png,thingy 1\n")
    with pytest.raises(ConfigError, match=r"metadata\.csv: .* has no category 'thingy 1'; did you mean"):
        run(generated, dataset.path, tmp_path / "out", images=dataset.image_dir)


def test_filter_folder__real_instances_of_a_folder(generated, dataset, tmp_path):
    place = tmp_path / "real"
    shutil.copytree(dataset.image_dir, place / "images")
    (place / "annotations.json").write_text(dataset.path.read_text())
    for _ in range(2):
        run(generated, place, tmp_path / "out")
    content = json.loads(dataset.path.read_text())
    (place / "annotations.json").write_text(json.dumps(content | {"annotations": content["annotations"][1:]}))
    with pytest.raises(ConfigError, match="was begun with other real instances"):
        run(generated, place, tmp_path / "out")


def test_filter_folder__other_real_instances_need_another_folder(generated, dataset, tmp_path):
    changed = tmp_path / "changed.json"
    changed.write_text(dataset.path.read_text())
    run(generated, changed, tmp_path / "out", images=dataset.image_dir)
    run(generated, changed, tmp_path / "out", images=dataset.image_dir)
    changed.write_text(dataset.path.read_text() + " ")
    with pytest.raises(ConfigError, match="was begun with other real instances"):
        run(generated, changed, tmp_path / "out", images=dataset.image_dir)


@pytest.mark.parametrize("changes", ["", " "])
def test_filter_folder__killed_before_its_first_crops(generated, dataset, tmp_path, monkeypatch, changes):
    real = tmp_path / "real.json"
    real.write_text(dataset.path.read_text())
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("divergen_filter.folder.reference_embeddings", _killed)
        run(generated, real, tmp_path / "out", images=dataset.image_dir)
    assert (tmp_path / "out" / "real.sha256").exists()
    real.write_text(dataset.path.read_text() + changes)
    run(generated, real, tmp_path / "out", images=dataset.image_dir)
    assert (tmp_path / "out" / "decisions.csv").exists()


def _killed(*arguments, **settings):
    raise KeyboardInterrupt


def test_cli__images_sheet_and_diversity(generated, dataset, tmp_path):
    out = tmp_path / "out"
    command = ["images", generated, "--real", dataset.path, "--images", dataset.image_dir, "--out", out]
    result = CliRunner().invoke(main, [*map(str, command), "--masks", str(tmp_path / "masks")])
    assert result.exit_code == 0 and "kept 3 of 4" in result.output, result.output
    references = ["--references", str(out / "references.npz")]
    page = tmp_path / "page.html"
    result = CliRunner().invoke(main, ["sheet", str(out / "instances.lance"), "--out", str(page), *references])
    assert result.exit_code == 0 and page.exists(), result.output
    result = CliRunner().invoke(main, ["diversity", str(out / "instances.lance"), *references])
    assert result.exit_code == 0 and "the price of a stricter threshold" in result.output, result.output
