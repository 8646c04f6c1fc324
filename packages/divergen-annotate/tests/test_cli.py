from __future__ import annotations

import json
import os

import numpy as np
import pytest
from click.testing import CliRunner
from divergen_annotate import ColourKey
from divergen_annotate.cli import main
from divergen_annotate.config import AnnotatorConfig
from divergen_annotate.quality import iou
from divergen_annotate.truth import spread
from divergen_records.backends import backend_kinds
from divergen_records.coco import read_dataset
from divergen_records.images import read_image
from divergen_records.masks import segmentation_to_mask
from PIL import Image


@pytest.fixture
def transparent(tmp_path, pictures):
    """A folder of pictures whose transparency is the truth, and one without."""
    root = tmp_path / "transparent"
    root.mkdir()
    for number, (image, mask) in enumerate(pictures[:3]):
        made = Image.fromarray(np.where(mask[..., None], image, 255))
        made.putalpha(Image.fromarray(mask.astype(np.uint8) * 255))
        made.save(root / f"{number}.png")
    Image.fromarray(pictures[3][0]).save(root / "opaque.jpg")
    return root


@pytest.fixture
def lvis(tmp_path, pictures):
    """A COCO file of two images with two objects each, and their folder."""
    from divergen_records import Category
    from divergen_records.coco import Annotation, ImageInfo, write_coco
    from divergen_records.masks import encode_rle, mask_to_bbox

    (tmp_path / "photos").mkdir()
    images, annotations = [], []
    for number in (1, 2):
        pair = [pictures[number], pictures[number + 1]]
        both = np.concatenate([image for image, _ in pair], axis=1)
        Image.fromarray(both).save(tmp_path / "photos" / f"{number}.png")
        images.append(ImageInfo(id=number, width=256, height=96, file_name=f"{number}.png"))
        for which, (_, mask) in enumerate(pair):
            whole = np.zeros((96, 256), dtype=bool)
            whole[:, 128 * which : 128 * which + 128] = mask
            annotations.append(
                Annotation(2 * number + which, number, 1, mask_to_bbox(whole), int(whole.sum()), encode_rle(whole))
            )
    return write_coco(tmp_path / "coco.json", images, annotations, [Category(id=1, name="blob")])


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


def test_images__categories_of_a_list(tmp_path, pictures):
    root, out = tmp_path / "generated", tmp_path / "coco.json"
    root.mkdir()
    for number, (image, _) in enumerate(pictures[:3]):
        Image.fromarray(image).save(root / f"{number}.png")
    (root / "metadata.jsonl").write_text(
        "\n".join(f'{{"file_name": "{name}.png", "label": "{label}"}}' for name, label in (("0", "cup"), ("2", "dog")))
    )
    output = call("images", root, "--out", out, "--folders-are-categories", status=3)
    assert "1.png: metadata.jsonl does not list it" in output
    found = json.loads(out.read_text())
    assert [row["name"] for row in found["categories"]] == ["cup", "dog"]
    assert [row["file_name"] for row in found["images"]] == ["0.png", "2.png"]


def test_images__coco_masks_and_preview(folder, tmp_path, pictures):
    out, masks, page = tmp_path / "coco.json", folder / "masks", tmp_path / "page.html"
    output = call(
        "images", folder, "--out", out, "--png-masks", masks, "--preview", page, "--folders-are-categories", status=3
    )
    assert "7 pictures annotated (1 by their own transparency), 3 lost" in output
    assert "  one.png: no object found" in output and "cut.jpg: the picture cannot be read" in output
    dataset = read_dataset(out, image_dir=folder)
    assert {category.name for category in dataset.categories} == {"pictures", "cup"}
    image = next(image for image in dataset.images if image.file_name == "cup/1.jpg")
    mask = segmentation_to_mask(dataset.annotations_of(image.id)[0].segmentation, 96, 128)
    assert np.array_equal(read_image(masks / "cup" / "1.png")[..., 0] > 0, mask)
    assert page.read_text().count("<figure>") == 7 and "http:" not in page.read_text()
    assert not list(tmp_path.glob(".*"))


def test_images__never_overwrites_unasked(folder, tmp_path):
    out = tmp_path / "coco.json"
    out.write_text("mine")
    assert "is there already" in call("images", folder, "--out", out, status=2)
    assert out.read_text() == "mine"
    call("images", folder, "--out", out, "--overwrite", "--allow-losses")
    assert out.read_text() != "mine"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--annotator", "magic"), ", ".join(map(repr, backend_kinds(AnnotatorConfig)))),
        (("--set", "size=huge"), "size"),
        (("--set", "size"), "expected key=value"),
        (("--set", "sise=160"), "annotator 'grabcut': sise: there is no such key; did you mean 'size'?"),
        (("--set", "colour-key.threshold=3"), "annotator 'grabcut': colour-key: there is no such key"),
        (("--set", "grabcut.sise=160"), "annotator 'grabcut': sise: there is no such key"),
        (
            ("--annotator", "best-of", "--set", "annotators=[grabcut,{kind: magic}]"),
            "annotators.1.kind: 'magic' is not",
        ),
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
    assert "5 annotated, 2 failed" in call("table", table.path, status=3)
    assert "0 annotated" in call("table", table.path, "--allow-losses")
    output = call("evaluate", table.path, "--annotator", "grabcut", "--annotator", "true-alpha")
    assert output.count("grabcut") == 2 and output.count("1.000") >= 2


def test_images__report_says_how_each_mask_came_about(folder, tmp_path):
    report = tmp_path / "report.jsonl"
    options = ("--report", report, "--batch-size", 3)
    call("images", folder, "--out", tmp_path / "x.json", *options, status=3)
    rows = {row["file_name"]: row for row in map(json.loads, report.read_text().splitlines())}
    assert set(rows) == {path.relative_to(folder).as_posix() for path in folder.rglob("*.[pj][np]g")}
    assert "cannot be read" in rows["cut.jpg"]["error"] and "no object" in rows["one.png"]["error"]
    call("images", folder, "--out", tmp_path / "y.json", "--report", tmp_path / "r.jsonl", status=3)
    rows = {row["file_name"]: row for row in map(json.loads, (tmp_path / "r.jsonl").read_text().splitlines())}
    good = rows["cup/1.jpg"]
    assert good["annotator"] == "grabcut" and 0.8 < good["solidity"] <= 1 and good["thin_share"] < 0.1
    assert {"score", "area_fraction", "components", "border_contact"} < set(good)


def test_images__sam_background_from_a_checkpoint(folder, tmp_path, original):
    arguments = ("images", folder, "--annotator", "sam-background", "--no-repair", "--set", "choice=iou")
    output = call(
        *arguments,
        "--checkpoint",
        original[0],
        "--out",
        tmp_path / "x.json",
        "--report",
        tmp_path / "r.jsonl",
        status=3,
    )
    assert "1 pictures annotated, 9 lost" in output
    notes = [json.loads(line).get("annotator", "") for line in (tmp_path / "r.jsonl").read_text().splitlines()]
    assert any(note.startswith("sam-background mask=") for note in notes)


@pytest.mark.parametrize(
    ("checkpoint", "message"), [((), "needs a checkpoint"), (("--checkpoint", "none.pth"), "no such checkpoint")]
)
def test_images__sam_background_without_a_checkpoint(folder, tmp_path, checkpoint, message):
    arguments = ("images", folder, "--annotator", "sam-background", "--out", tmp_path / "x.json")
    output = call(*arguments, *checkpoint, status=2)
    assert message in output and "sam_vit_h_4b8939.pth" in output and "github.com/facebookresearch" in output
    assert not (tmp_path / "x.json").exists()


def test_images__a_pipe_a_link_and_a_foreign_name_are_told(folder, tmp_path):
    os.mkfifo(folder / "pipe.png")
    (folder / "link.jpg").symlink_to(folder / "cup" / "1.jpg")
    (folder / os.fsdecode(b"x\xff.png")).write_bytes((folder / "16.png").read_bytes())
    output = call("images", folder, "--out", tmp_path / "x.json", status=3)
    assert "link.jpg: is a link" in output and "pipe.png: is no file but a pipe" in output
    assert "x\\udcff.png: its name is no UTF-8 text" in output
    assert "pictures: 13 in, 7 out, 6 lost" in output


def test_images__nothing_left_writes_nothing(folder, tmp_path):
    output = call("images", folder, "--out", tmp_path / "x.json", "--max-pixels", 1, status=1)
    assert "none of its 10 pictures got a mask" in output
    assert [path.name for path in tmp_path.iterdir() if "x.json" in path.name] == ["x.json.losses.jsonl"]


def test_annotate_folder__goes_on_behind_a_kill(folder, tmp_path):
    from divergen_annotate.folder import annotate_folder

    class Killed(ColourKey):
        left, seen = 2, 0

        def __call__(self, images):
            Killed.seen += len(images)
            Killed.left -= 1
            if Killed.left < 0:
                raise KeyboardInterrupt
            return super().__call__(images)

    def work(out, **options):
        return annotate_folder(folder, Killed(), out, batch_size=2, progress=False, **options)

    with pytest.raises(KeyboardInterrupt):
        work(tmp_path / "x.json", resume="s")
    before, Killed.left = Killed.seen, 99
    (folder / "grey.png").touch()
    done = work(tmp_path / "x.json", resume="s")
    whole = work(tmp_path / "y.json")
    assert done == whole
    assert (tmp_path / "x.json").read_bytes() == (tmp_path / "y.json").read_bytes()
    assert Killed.seen - before < 2 * before + 12  # the second call did not begin anew
    assert not list(tmp_path.glob(".*"))


def test_images__many_files_are_streamed(tmp_path, pictures, monkeypatch):
    """No more pictures are in memory than a few batches, however many files there are."""
    import divergen_annotate.folder as module

    root = tmp_path / "many"
    root.mkdir()
    Image.fromarray(pictures[0][0][::4, ::4]).save(root / "0000.png")
    for number in range(1, 300):
        (root / f"{number:04}.png").hardlink_to(root / "0000.png")
    read, done = [], []
    whole = module.read_transparent
    monkeypatch.setattr(module, "read_transparent", lambda path, **rest: read.append(path) or whole(path, **rest))

    class Watch(ColourKey):
        def __call__(self, images):
            done.extend(images)
            assert len(read) - len(done) <= 2 * 4 + 1
            return super().__call__(images)

    report = module.annotate_folder(root, Watch(), tmp_path / "x.json", batch_size=4, progress=False)
    assert report.done == 300


def test_evaluate__a_folder_of_transparent_pictures(transparent):
    output = call(
        "evaluate", transparent, "--annotator", "grabcut", "--annotator", "colour-key", "--set", "grabcut.size=64"
    )
    rows = [line.split() for line in output.splitlines()[1:]]
    assert [row[:4] for row in rows[:2]] == [["grabcut", "no", "3", "0"], ["grabcut", "yes", "3", "0"]]
    assert all(float(row[4]) > 0.95 for row in rows[:2]) and rows[3][0] == "colour-key"


def test_evaluate__crops_of_a_coco_file(lvis, tmp_path):
    output = call("evaluate", lvis, "--images", tmp_path / "photos", "--limit", "3")
    row = output.splitlines()[2].split()
    assert row[:3] == ["grabcut", "yes", "3"] and float(row[4]) > 0.9


def test_spread__reaches_the_end():
    """A hundred of 186 are of the whole file, not its first hundred."""
    assert [spread(range(count), 5) for count in (3, 8)] == [[0, 1, 2], [0, 1, 3, 5, 7]]
    assert spread(range(186), 100)[-1] == 185


def test_evaluate__nothing_to_compare_with(folder, table):
    assert "no picture with a true mask" in call("evaluate", folder / "cup", status=2)
    assert "reads the column 'alpha'" in call("evaluate", folder, "--annotator", "true-alpha", status=2)


def test_compare__a_sheet_with_a_row_for_each_picture(transparent, tmp_path):
    out = tmp_path / "sheet.png"
    arguments = ("compare", transparent, "--annotator", "grabcut", "--annotator", "colour-key", "--out", out)
    assert "744 x 1082 pixels" in call(*arguments)
    assert read_image(out).shape == (18 + 4 * (248 + 18), 3 * 248, 3)
    assert "is there already" in call(*arguments, status=2)
    assert "a sheet is a .png" in call(*arguments[:-1], tmp_path / "sheet.gif", status=2)


def test_help__lists_every_annotator():
    text = " ".join(call("images", "--help").split())
    assert all(kind in text for kind in backend_kinds(AnnotatorConfig))


def test_images__transparency_is_the_mask_unless_an_annotator_is_named(transparent, tmp_path, pictures):
    (transparent / "opaque.jpg").unlink()
    for arguments in ((), ("--annotator", "true-alpha")):
        out = tmp_path / f"{len(arguments)}.json"
        call("images", transparent, "--out", out, "--report", tmp_path / f"{len(arguments)}.jsonl", *arguments)
        dataset = read_dataset(out, image_dir=transparent)
        for image, (_, truth) in zip(dataset.images, pictures, strict=False):
            mask = segmentation_to_mask(dataset.annotations_of(image.id)[0].segmentation, 96, 128)
            assert np.array_equal(mask, truth)
        assert "true-alpha" in (tmp_path / f"{len(arguments)}.jsonl").read_text()
    call(
        "images", transparent, "--out", tmp_path / "x.json", "--report", tmp_path / "x.jsonl", "--annotator", "grabcut"
    )
    assert "true-alpha" not in (tmp_path / "x.jsonl").read_text()


def test_images__transparency_that_cuts_nothing_out_is_no_mask(tmp_path, pictures):
    """Rounded corners, and a palette's one transparent colour."""
    root, alpha = tmp_path / "in", np.full(pictures[0][1].shape, 255, np.uint8)
    root.mkdir()
    alpha[:2, :2] = alpha[-2:, -2:] = 0
    corners = Image.fromarray(pictures[0][0])
    corners.putalpha(Image.fromarray(alpha))
    corners.save(root / "a.png")
    Image.fromarray(pictures[0][0]).save(root / "b.tga")
    (root / "c.heic").write_bytes(b"not here")
    arguments = ("images", root, "--out", tmp_path / "x.json", "--set", "size=64")
    output = call(*arguments, status=3)
    assert "2 pictures annotated, 1 lost" in output and "c.heic: this is no picture" in output
    dataset = read_dataset(tmp_path / "x.json", image_dir=root)
    for image in dataset.images:
        mask = segmentation_to_mask(dataset.annotations_of(image.id)[0].segmentation, 96, 128)
        assert iou(mask, pictures[0][1]) > 0.8


def test_images__true_alpha_of_an_opaque_picture(transparent, tmp_path):
    output = call("images", transparent, "--out", tmp_path / "x.json", "--annotator", "true-alpha", status=3)
    assert "opaque.jpg: the picture has no transparency" in output and "3 pictures annotated" in output


def test_images__a_photo_is_refused(tmp_path):
    (tmp_path / "photos").mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "photos" / "a.png")
    assert "a.png: no plain background" in call("images", tmp_path / "photos", "--out", tmp_path / "x.json", status=1)


@pytest.mark.parametrize("setting", ["repair.keep_share=1", "repair.halo=3"])
def test_images__the_repair_has_settings(transparent, tmp_path, setting):
    arguments = ("images", transparent, "--annotator", "grabcut,size=64")
    call(*arguments, "--out", tmp_path / "x.json", "--set", setting)
    assert "repair: keep_shar: there is no such key" in call(
        *arguments, "--out", tmp_path / "y.json", "--set", "repair.keep_shar=1", status=2
    )


def test_evaluate__each_annotator_looks_once_and_says_how_its_score_follows(transparent, monkeypatch):
    looked = []
    whole = ColourKey.__call__
    monkeypatch.setattr(ColourKey, "__call__", lambda self, images: looked.extend(images) or whole(self, images))
    output = call("evaluate", transparent, "--annotator", "colour-key,threshold=20", "--set", "repair.smooth_radius=1")
    assert len(looked) == 3 and "score r" in output.splitlines()[0] and len(output.splitlines()) == 3
