from __future__ import annotations

import numpy as np
import pytest
from click.testing import CliRunner
from divergen_annotate.cli import main
from divergen_records.coco import read_dataset
from divergen_records.images import read_image
from divergen_records.masks import segmentation_to_mask
from PIL import Image


@pytest.fixture
def folder(tmp_path, pictures):
    root = tmp_path / "pictures"
    (root / "cup").mkdir(parents=True)
    for number, (image, _) in enumerate(pictures[:3]):
        Image.fromarray(image).save(root / "cup" / f"{number}.jpg", quality=95)
    Image.fromarray(pictures[0][0]).convert("CMYK").save(root / "cmyk.jpg")
    Image.fromarray(pictures[0][0]).convert("L").save(root / "grey.png")
    Image.fromarray(np.asarray(Image.fromarray(pictures[1][0]).convert("L")).astype(np.uint16) * 257).save(
        root / "16.png"
    )
    transparent = Image.fromarray(pictures[2][0])
    transparent.putalpha(Image.fromarray(pictures[2][1].astype(np.uint8) * 255))
    transparent.save(root / "alpha.png")
    Image.new("RGB", (1, 1)).save(root / "one.png")
    Image.new("RGB", (10_000, 1)).save(root / "wide.png")
    (root / "cut.jpg").write_bytes((root / "cup" / "0.jpg").read_bytes()[:900])
    (root / "notes.txt").write_text("no picture")
    return root


def call(*arguments, status=0):
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == status, result.output
    return result.output


def test_images__coco_masks_and_preview(folder, tmp_path, pictures):
    out, masks, page = tmp_path / "coco.json", folder / "masks", tmp_path / "page.html"
    output = call("images", folder, "--out", out, "--png-masks", masks, "--preview", page, "--folders-are-categories")
    assert "7 pictures annotated, 3 skipped" in output
    assert "skipped one.png" in output and "skipped cut.jpg" in output
    dataset = read_dataset(out, image_dir=folder)
    assert {category.name for category in dataset.categories} == {"pictures", "cup"}
    image = next(image for image in dataset.images if image.file_name == "cup/1.jpg")
    mask = segmentation_to_mask(dataset.annotations_of(image.id)[0].segmentation, 96, 128)
    assert np.array_equal(read_image(masks / "cup" / "1.png")[..., 0] > 0, mask)
    assert page.read_text().count("<figure>") == 7 and "http" not in page.read_text()
    assert not list(tmp_path.glob(".*"))


def test_images__never_overwrites_unasked(folder, tmp_path):
    out = tmp_path / "coco.json"
    out.write_text("mine")
    assert "is there already" in call("images", folder, "--out", out, status=2)
    assert out.read_text() == "mine"
    call("images", folder, "--out", out, "--overwrite")
    assert out.read_text() != "mine"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--annotator", "magic"), "'grabcut', 'colour-key', 'true-alpha'"),
        (("--set", "size=huge"), "size"),
        (("--set", "size"), "expected key=value"),
    ],
)
def test_images__wrong_settings_are_one_sentence(folder, tmp_path, arguments, message):
    assert message in call("images", folder, "--out", tmp_path / "x.json", *arguments, status=2)


def test_images__no_folder_or_no_picture(tmp_path):
    assert "no such folder" in call("images", tmp_path / "none", "--out", tmp_path / "x.json", status=2)
    (tmp_path / "empty").mkdir()
    assert "no picture in it" in call("images", tmp_path / "empty", "--out", tmp_path / "x.json", status=2)
    assert not (tmp_path / "x.json").exists()


def test_table_and_evaluate(table):
    assert "5 annotated, 2 failed" in call("table", table.path)
    assert "0 annotated" in call("table", table.path)
    output = call("evaluate", table.path, "--annotator", "grabcut", "--annotator", "true-alpha")
    assert output.count("grabcut") == 2 and output.count("1.000") >= 2
