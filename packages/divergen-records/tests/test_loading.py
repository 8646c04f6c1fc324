import json

import numpy as np
import pytest
from divergen_records import ImageError, MaskError
from divergen_records.coco import Annotation, Dataset, check_samples, load_sample, read_dataset
from divergen_records.masks import segmentation_to_mask
from PIL import Image


def test_load_sample__picture_and_tight_masks(content, write):
    dataset = read_dataset(write(content))
    sample = load_sample(dataset, dataset.images[1], epoch=3)
    assert (sample.image_id, sample.epoch, sample.image.shape) == (2, 3, (8, 10, 3))
    assert (sample.image == 50).all()
    square, stripe = sample.instances
    assert (square.box, square.area, square.category_id, square.annotation_id) == ((2, 1, 6, 5), 16, 1, 2)
    assert (stripe.box, stripe.iscrowd) == ((1, 0, 2, 8), True)


def test_load_sample__objects_without_a_pixel_are_left_out(content, write):
    content["annotations"][0]["segmentation"] = [[1.1, 1.1, 1.2, 1.1, 1.2, 1.2]]
    dataset = read_dataset(write(content))
    assert load_sample(dataset, dataset.images[0]).instances == ()


def test_load_sample__picture_of_another_size(content, write):
    content["images"][0]["width"] = 11
    dataset = read_dataset(write(content))
    with pytest.raises(ImageError, match=r"image 1 of .*a\.png: the picture is 10 wide and 8 high, .* 11 wide"):
        load_sample(dataset, dataset.images[0])


@pytest.mark.parametrize(("width", "height", "first_row"), [(10, 8, 8), (8, 10, 10)])
def test_load_sample__exif_as_the_dataset_says(content, write, width, height, first_row):
    content["images"][0] |= {"width": width, "height": height}
    content["annotations"] = []
    path = write(content)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (10, 8)).save(path.parent / "images" / "a.png", exif=exif)
    dataset = read_dataset(path)
    assert load_sample(dataset, dataset.images[0]).image.shape[0] == first_row


def test_load_sample__mask_that_does_not_fit(content, write):
    dataset = read_dataset(write(content))
    broken = Annotation(9, 1, 1, (0, 0, 1, 1), 1.0, {"size": [3, 3], "counts": [0, 9]})
    dataset = Dataset(dataset.path, dataset.image_dir, dataset.images, [broken], dataset.categories)
    with pytest.raises(MaskError, match=r"annotation 9 of .*the RLE has the size"):
        load_sample(dataset, dataset.images[0])


def test_check_samples__names_what_fails(content, write):
    path = write(content)
    (path.parent / "images" / "b.png").write_bytes(b"no picture")
    problems = list(check_samples(read_dataset(path)))
    assert len(problems) == 1
    assert "b.png: this is no picture" in problems[0]


def test_load_sample__real(coco100):
    dataset = read_dataset(coco100 / "annotations.json", image_dir=coco100 / "images")
    rows = {row["id"]: row for row in json.loads((coco100 / "annotations.json").read_text())["annotations"]}
    for image in dataset.images[:10]:
        sample = load_sample(dataset, image)
        masks = sample.masks()
        for instance, mask in zip(sample.instances, masks, strict=True):
            expected = segmentation_to_mask(rows[instance.annotation_id]["segmentation"], image.height, image.width)
            np.testing.assert_array_equal(mask, expected)
