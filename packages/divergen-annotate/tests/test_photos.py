"""The command `photos`, as its user calls it: real classes of SAM 3 and Grounded SAM at a tiny size."""

from __future__ import annotations

import json

import numpy as np
import pytest
from click.testing import CliRunner
from divergen_annotate import Prediction, Sam3
from divergen_annotate.cli import main
from divergen_annotate.photos import annotate_photos
from divergen_annotate.wanted import wanted_categories
from divergen_records import Category, ConfigError, RowError
from divergen_records.coco import read_dataset
from divergen_records.losses import Losses
from divergen_records.masks import segmentation_to_mask
from models import save_grounding_dino, save_hub_sam2, save_sam3
from PIL import Image

CUP, DOG = Category(id=7, name="coffee_cup"), Category(id=3, name="dog")


@pytest.fixture(scope="module")
def sam3(tmp_path_factory):
    return save_sam3(tmp_path_factory.mktemp("sam3"))


@pytest.fixture
def photos(tmp_path, pictures):
    """Two photos, one of them in a folder, and one that is cut off."""
    root = tmp_path / "photos"
    (root / "day 2").mkdir(parents=True)
    Image.fromarray(pictures[0][0]).save(root / "a.jpg")
    Image.fromarray(pictures[1][0]).save(root / "day 2" / "b.png")
    (root / "cut.jpg").write_bytes((root / "a.jpg").read_bytes()[:700])
    return root


class Halves:
    """Finds the upper half as one name, the lower as the other, the upper again as the third."""

    name = "halves"

    def __init__(self, dies_after=99):
        self.left, self.asked = dies_after, []

    def find(self, image, names):
        self.asked.append(list(names))
        if not self.left:
            raise KeyboardInterrupt
        self.left -= 1
        upper = np.zeros(image.shape[:2], dtype=bool)
        upper[: len(upper) // 2] = True
        masks = [[Prediction(upper, 0.9)], [Prediction(~upper, 0.6)], [Prediction(upper, 0.95)]]
        return masks[: len(names)]


def call(*arguments, status=0):
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == status, result.output
    return result.output


def test_photos__by_sam3(photos, sam3, tmp_path):
    out, page = tmp_path / "coco.json", tmp_path / "page.html"
    wanted = ["--categories", "cup,red dog", "--annotator", f"sam3,model={sam3},threshold=0,device=cpu"]
    output = call("photos", photos, *wanted, "--out", out, "--preview", page, "--doubles", 1, status=3)
    assert "cut.jpg" in output and "24 objects in 2 photos (0 without one)" in output
    assert "Next: correct it by hand, low scores first: in CVAT" in output
    assert f"data.kind=lvis data.train.annotations={out} data.train.images={photos}" in output
    dataset = read_dataset(out, image_dir=photos)
    assert [one.name for one in dataset.categories] == ["cup", "red dog"]
    assert [image.file_name for image in dataset.images] == ["a.jpg", "day 2/b.png"]
    scores = [one.extra["score"] for one in dataset.annotations]
    assert all(0 < score <= 1 for score in scores)
    image = np.array(Image.open(photos / "day 2" / "b.png"))
    first = Sam3(str(sam3), threshold=0, device="cpu").find(image, ["cup"])[0][0]
    theirs = dataset.annotations_of(2)[0]
    assert theirs.category_id == 1 and theirs.extra["score"] == pytest.approx(first.score, abs=1e-3)
    assert page.read_text().count("<figure>") == 2 and "cup 0." in page.read_text()


def test_photos__by_grounded_sam_with_the_ids_of_a_data_set(photos, tmp_path):
    detector = tmp_path / "detector"
    detector.mkdir()
    known = tmp_path / "known.json"
    categories = [{"id": 7, "name": "coffee_cup"}, {"id": 3, "name": "dog"}]
    known.write_text(json.dumps({"images": [], "annotations": [], "categories": categories}))
    models = f"detector={save_grounding_dino(detector)},sam={save_hub_sam2(tmp_path / 'sam')}"
    out, annotator = tmp_path / "coco.json", f"grounded-sam,{models},threshold=0,device=cpu"
    call("photos", photos, "--categories", known, "--annotator", annotator, "--out", out, "--allow-losses")
    dataset = read_dataset(out, image_dir=photos)
    assert {one.id for one in dataset.categories} == {3, 7}
    assert {one.category_id for one in dataset.annotations} <= {3, 7} and dataset.annotations


@pytest.mark.parametrize(
    ("name", "text"),
    [("x.pbtxt", "item {\n id: 1\n}"), ("x.csv", "id,name\n1,cup"), ("x.txt", "- cup"), ("x.txt", "0 cup\n1 dog"),
     ("names.txt", None)],
)  # fmt: skip
def test_wanted_categories__a_file_that_is_no_list_of_names(tmp_path, name, text):
    """Its lines, or its name, would be looked for in every photo."""
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError, match=r"no list of names, a name a line|there is no such file"):
        wanted_categories(str(tmp_path / name))


def test_wanted_categories__of_a_data_set_whatever_its_objects_are(tmp_path):
    (tmp_path / "data.yaml").write_text("names: [cup, dog]\ntrain: images\n")
    (tmp_path / "images").mkdir()
    names = ["cup", "dog"]
    assert [one.name for one in wanted_categories(str(tmp_path))] == names
    assert [one.name for one in wanted_categories(str(tmp_path / "data.yaml"))] == names
    assert [one.name for one in wanted_categories("cup.n.01, dog")] == ["cup.n.01", "dog"]


def test_photos__one_too_narrow_for_the_detector_is_a_loss(photos, tmp_path):
    Image.new("RGB", (1, 3000)).save(photos / "line.png")
    detector = tmp_path / "detector"
    detector.mkdir()
    models = f"detector={save_grounding_dino(detector)},sam={save_hub_sam2(tmp_path / 'sam')}"
    out, annotator = tmp_path / "coco.json", f"grounded-sam,{models},threshold=0,device=cpu"
    output = call("photos", photos, "--categories", "cup", "--annotator", annotator, "--out", out, status=3)
    assert "line.png: detector takes no picture of 1 x 3000 pixels" in output
    assert "in 2 photos" in output
    output = call("images", photos, "--annotator", annotator, "--out", tmp_path / "one.json", status=3)
    assert "line.png: detector takes no picture of 1 x 3000 pixels" in output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--categories", "cup"), "sam3 or --annotator grounded-sam"),
        (("--categories", "cup", "--annotator", "grabcut"), "grabcut makes one mask per picture"),
        (("--categories", ",", "--annotator", "grabcut"), "there is no name"),
        (("--categories", "cup, cup", "--annotator", "grabcut"), "'cup' stands there twice"),
    ],
)
def test_photos__what_cannot_be(photos, tmp_path, arguments, message):
    output = call("photos", photos, *arguments, "--out", tmp_path / "coco.json", status=2)
    assert message in " ".join(output.split())


def test_photos__a_file_of_names(photos, sam3, tmp_path):
    names, out = tmp_path / "names.txt", tmp_path / "coco.json"
    names.write_text("cup\n\nred dog\n")
    annotator = f"sam3,model={sam3},threshold=0.9,device=cpu"
    output = call("photos", photos, "--categories", names, "--annotator", annotator, "--out", out, "--allow-losses")
    assert "0 objects in 2 photos (2 without one)" in output
    assert [len(read_dataset(out, image_dir=photos).annotations), "red dog: 0" in output] == [0, True]


def test_annotate_photos__carried_on_behind_the_last_photo(photos, tmp_path):
    whole, out = tmp_path / "whole.json", tmp_path / "coco.json"
    annotate_photos(photos, Halves(), [CUP, DOG], whole, resume="same", progress=False)
    with pytest.raises(KeyboardInterrupt):
        annotate_photos(photos, Halves(dies_after=1), [CUP, DOG], out, resume="same", progress=False)
    assert not out.exists()
    finder = Halves()
    report = annotate_photos(photos, finder, [CUP, DOG], out, resume="same", progress=False)
    assert finder.asked == [["coffee cup", "dog"]]  # the label, and of one photo alone
    assert out.read_bytes() == whole.read_bytes()
    assert (report.done, dict(report.found)) == (2, {"coffee_cup": 2, "dog": 2})
    assert not list(tmp_path.glob(".*"))


def test_annotate_photos__one_object_under_two_names(photos, tmp_path):
    cup, dog, mug = CUP, DOG, Category(id=1, name="mug")
    annotate_photos(photos, Halves(), [cup, dog, mug], tmp_path / "coco.json", repair=None, progress=False)
    dataset = read_dataset(tmp_path / "coco.json", image_dir=photos)
    assert [(one.category_id, one.extra["score"]) for one in dataset.annotations_of(1)] == [(3, 0.6), (1, 0.95)]
    mask = segmentation_to_mask(dataset.annotations_of(1)[0].segmentation, 96, 128)
    assert mask[48:].all() and not mask[:48].any()


def test_annotate_photos__a_photo_without_room_is_a_loss(photos, tmp_path):
    class Full(Halves):
        def find(self, image, names):
            if not self.asked:
                self.asked.append(names)
                raise RuntimeError("CUDA out of memory. Tried to allocate 20 GiB")
            return super().find(image, names)

    losses = Losses()
    report = annotate_photos(photos, Full(), [CUP], tmp_path / "coco.json", losses=losses, progress=False)
    assert report.done == 1 and ("a.jpg", str(RowError(dict(losses)["a.jpg"]))) in list(losses)
    assert "out of memory" in dict(losses)["a.jpg"]
