import numpy as np
import pytest
from divergen_paste import Paster, paste
from divergen_paste.functional import sample_from_annotations
from divergen_records import ConfigError, ImageError, MaskError
from divergen_records.masks import decode_rle, encode_rle, segmentation_to_mask
from PIL import Image

IMAGE = np.full((100, 120, 3), 50, dtype=np.uint8)
RNG = np.random.default_rng(0)


def annotations():
    bitmap = np.zeros((100, 120), dtype=bool)
    bitmap[10:60, 20:80] = True
    return [
        {"id": 5, "category_id": 1, "segmentation": bitmap, "attributes": "kept"},
        {"id": 6, "category_id": 3, "segmentation": encode_rle(bitmap.T[:100, :100].repeat(2, 1)[:, :120])},
        {"id": 7, "category_id": 7, "segmentation": [[0, 0, 30, 0, 30, 30, 0, 30]], "iscrowd": 0},
    ]


@pytest.mark.parametrize("masks", ["rle", "bitmap", "polygons"])
def test_paste__any_form_of_masks(pool, masks):
    paster = Paster(pool, count="fixed", max_instances=4, min_visible=1)
    image, result = paste(IMAGE, annotations(), paster, np.random.default_rng(0), masks=masks)
    assert image.shape == IMAGE.shape
    pasted = [annotation for annotation in result if "source" in annotation]
    assert pasted
    for annotation in pasted:
        form = annotation["segmentation"]
        full = form if masks == "bitmap" else segmentation_to_mask(form, 100, 120)
        x, y, width, height = annotation["bbox"]
        rows, columns = np.flatnonzero(full.any(1)), np.flatnonzero(full.any(0))
        assert [columns[0], rows[0], np.ptp(columns) + 1, np.ptp(rows) + 1] == [x, y, width, height]
        assert masks == "polygons" or full.sum() == annotation["area"]


def test_paste__old_annotations_keep_what_they_hold(pool):
    old = annotations()
    _, result = paste(IMAGE, old, Paster(pool, count="fixed", min_visible=1), np.random.default_rng(0))
    first = next(annotation for annotation in result if annotation.get("id") == 5)
    assert first["attributes"] == "kept"
    assert decode_rle(first["segmentation"]).sum() == first["area"] < 50 * 60
    assert set(old[0]) == {"id", "category_id", "segmentation", "attributes"}


def test_paste__nothing_pasted_changes_nothing(pool):
    old = annotations()
    image, result = paste(IMAGE, old, Paster(pool, max_instances=0), np.random.default_rng(0))
    assert image is IMAGE
    assert result == old


def test_paste__pool_alone(pool):
    image, result = paste(IMAGE, [], pool, np.random.default_rng(1))
    assert result
    assert (image != IMAGE).any()


@pytest.mark.parametrize(
    "segmentation", [np.zeros((5, 5), bool), encode_rle(np.ones((5, 5), bool)), {"size": [100, 120], "counts": [1]}]
)
def test_paste__mask_of_another_size(pool, segmentation):
    with pytest.raises(MaskError, match="annotation 9"):
        paste(IMAGE, [{"id": 9, "category_id": 1, "segmentation": segmentation}], pool, np.random.default_rng(0))


def test_paste__annotation_without_a_mask(pool):
    with pytest.raises(MaskError, match="annotation 9 has no segmentation"):
        paste(np.zeros((40, 50, 3), np.uint8), [{"id": 9, "category_id": 1}], pool, np.random.default_rng(0))


@pytest.mark.parametrize(
    "image", [IMAGE / 255, IMAGE[..., 0], IMAGE.transpose(2, 0, 1), IMAGE[:0], Image.fromarray(IMAGE), "a.jpg", None]
)
def test_paste__an_image_of_another_form_is_refused_whatever_is_drawn(pool, image):
    with pytest.raises(ImageError, match=r"expected (an array )?\(H, W, 3\) uint8, found"):
        paste(image, [], Paster(pool, max_instances=0), RNG)


@pytest.mark.parametrize("wrap", [Image.fromarray, lambda mask: [np.array([20, 10, 80, 10, 80, 60])]])
def test_paste__bitmaps_and_polygons_of_other_libraries(pool, wrap):
    bitmap = np.zeros((100, 120), dtype=np.uint8)
    bitmap[10:60, 20:80] = 1
    _, result = paste(IMAGE, [{"category_id": 1, "segmentation": wrap(bitmap)}], Paster(pool, max_instances=0), RNG)
    assert len(result) == 1


def test_paste__annotations_and_forms_that_nobody_knows(pool):
    corner = [[0, 0, 30, 0, 30, 30]]
    with pytest.raises(ConfigError, match="annotation 9 has no category_id"):
        paste(IMAGE, [{"id": 9, "segmentation": corner}], pool, RNG)
    with pytest.raises(ConfigError, match="masks is one of rle, bitmap, polygons, found 'png'"):
        paste(IMAGE, [], pool, RNG, masks="png")


@pytest.mark.parametrize(("said", "crowd"), [("0", False), (None, False), (1, True), (True, True)])
def test_sample_from_annotations__crowds(said, crowd):
    item = {"category_id": 1, "segmentation": [[0, 0, 30, 0, 30, 30]], "iscrowd": said}
    assert sample_from_annotations(IMAGE, [item]).instances[0].iscrowd == crowd
