import numpy as np
import pytest
from divergen_paste import Paster
from divergen_records import ConfigError, MaskError

torch = pytest.importorskip("torch")
pytest.importorskip("torchvision")

from divergen_paste.torchvision import InstancePaste, PasteDataset, collate, sample_to_target  # noqa: E402
from torchvision import tv_tensors as tv  # noqa: E402
from torchvision.transforms import v2  # noqa: E402

CATEGORIES = {1: "cup", 3: "bow_(weapon)", 7: "apple"}


@pytest.fixture
def paster(pool):
    return Paster(pool, count="fixed", max_instances=4, min_visible=1)


@pytest.fixture
def pair(sample):
    image = tv.Image(torch.from_numpy(sample.image).permute(2, 0, 1))
    return image, sample_to_target(sample) | {"image_id": 5, "tracks": torch.tensor([7, 8, 9, 10])}


def test_sample_to_target__types_and_shapes(sample):
    target = sample_to_target(sample, {1: 10, 3: 30, 7: 70})
    assert target["boxes"].tolist() == sample.boxes().tolist()
    assert (target["masks"].numpy() == sample.masks()).all()
    assert target["labels"].tolist() == [10, 30, 70, 70]
    assert target["iscrowd"].tolist() == [0, 0, 0, 1]
    assert target["area"].tolist() == [instance.area for instance in sample.instances]
    assert target["boxes"].canvas_size == (128, 160)


def test_transform__equals_the_paster(paster, pair, sample):
    image, target = InstancePaste(paster, CATEGORIES)(*pair)
    expected = paster(sample)
    assert (image.permute(1, 2, 0).numpy() == expected.image).all()
    assert (target["masks"].numpy() == expected.masks()).all()
    assert target["labels"].tolist() == expected.category_ids().tolist()


def test_transform__per_object_values_by_name(paster, pair):
    image, target = pair
    more = {
        "keypoints": torch.arange(24).reshape(4, 2, 3),
        "ids": torch.tensor([4, 5, 6, 7]),
        "notes": ["a", "b", "c", "d"],
        "orig_size": torch.tensor([128, 160]),
        "four": torch.tensor([1, 2, 3, 4]),
    }
    transform = InstancePaste(paster, CATEGORIES, per_object=["tracks", "notes"])
    _, made = transform(image, target | more)
    count = len(made["labels"])
    assert made["keypoints"].shape == (count, 2, 3)
    assert len(made["ids"]) == len(made["notes"]) == len(made["tracks"]) == count
    stays = [note is not None for note in made["notes"]]
    assert (made["ids"] > 0).tolist() == (made["tracks"] > 0).tolist() == stays
    assert [chr(ord("a") + int(number) - 4) for number in made["ids"] if number] == list(filter(None, made["notes"]))
    assert made["orig_size"].tolist() == [128, 160]
    assert made["four"].tolist() == [1, 2, 3, 4]
    assert made["image_id"] == 5


@pytest.mark.parametrize("count", [0, 1])
def test_transform__few_objects_with_keypoints(pool, count):
    empty = {
        "masks": torch.ones((count, 60, 60), dtype=torch.uint8),
        "labels": torch.ones(count, dtype=torch.int64),
        "keypoints": torch.ones((count, 5, 3)),
        "ids": torch.ones(count),
        "orig_size": torch.tensor([60, 60]),
    }
    always = Paster(pool, count="fixed", max_instances=4)
    _, made = InstancePaste(always, CATEGORIES)(torch.zeros((3, 60, 60), dtype=torch.uint8), empty)
    assert len(made["labels"]) > count
    assert made["keypoints"].shape == (len(made["labels"]), 5, 3)
    assert len(made["ids"]) == len(made["labels"])
    assert made["orig_size"].tolist() == [60, 60]


def test_transform__refusals_say_what_to_do(paster, pair):
    from PIL import Image

    image, target = pair
    transform = InstancePaste(paster, CATEGORIES)
    with pytest.raises(ConfigError, match=r"found PIL\.Image\.Image; put .*ToImage\(\) before it"):
        transform(Image.new("RGB", (160, 128)), target)
    with pytest.raises(MaskError, match=r"masks are 64 x 80, the image is 128 x 160"):
        transform(image, target | {"masks": torch.zeros((4, 64, 80))})
    with pytest.raises(ConfigError, match="4 masks, 3 labels"):
        transform(image, target | {"labels": torch.tensor([1, 1, 1]), "iscrowd": torch.zeros(3)})
    with pytest.raises(ConfigError, match="no 'masks'"):
        transform(image, {"labels": target["labels"]})
    with pytest.raises(ConfigError, match="'ids' has 3 entries for 4 objects"):
        transform(image, target | {"ids": [1, 2, 3]})
    with pytest.raises(ConfigError, match=r"the label 1, which is no category's; they are 5, 2, 6"):
        InstancePaste(paster, CATEGORIES, {1: 5, 3: 2, 7: 6})(image, target)
    with pytest.raises(ConfigError, match=r"no label for the category ids \[1\]"):
        InstancePaste(paster, CATEGORIES, {3: 2, 7: 3})
    with pytest.raises(ConfigError, match=r"the label 'cup', which is no category's"):
        transform(image, target | {"labels": ["cup"] * 4})
    with pytest.raises(MaskError, match=r"must be \(N, H, W\).* of shape \(4, 1, 128, 160\)"):
        transform(image, target | {"masks": target["masks"][:, None]})
    with pytest.raises(ConfigError, match="the target a dict; found a NoneType"):
        transform(image, None)
    with pytest.raises(ConfigError, match=r"Paster\(pool, area_statistics\(dataset\)\) makes one"):
        InstancePaste(paster.pool, CATEGORIES)


def test_transform__labels_by_name(paster, pair):
    image, target = pair
    with pytest.raises(ConfigError, match="not in the data set: apple"):
        InstancePaste(paster, {1: "cup", 3: "bow_(weapon)"})
    turned = InstancePaste(paster, {7: "cup", 1: "bow_(weapon)", 3: "apple"})(image, target)[1]
    plain = InstancePaste(paster, CATEGORIES)(image, target)[1]
    old = int((plain["labels"] == turned["labels"]).sum())
    assert turned["labels"].tolist()[old:] == [{1: 7, 3: 1, 7: 3}[key] for key in plain["labels"].tolist()[old:]]
    assert old < len(plain["labels"])


def test_transform__image_ids_are_numbers_or_names(paster, pair):
    image, target = pair
    transform = InstancePaste(paster, CATEGORIES)
    drawn = [transform(image, target | {"image_id": each})[0] for each in (5, torch.tensor(5), "5", "5.jpg", "6.jpg")]
    assert [bool((each == drawn[0]).all()) for each in drawn] == [True, True, True, False, False]
    assert (drawn[3] != drawn[4]).any()
    assert len(transform(image, target | {"image_id": None})[1]["labels"])


def test_transform__one_name_is_one_value_per_object(paster):
    assert "tracks" in InstancePaste(paster, CATEGORIES, per_object="tracks").per_object


def test_transform__epochs_differ(paster, pair):
    transform = InstancePaste(paster, CATEGORIES)
    first = transform(*pair)[0]
    assert (transform(*pair)[0] == first).all()
    transform.set_epoch(1)
    assert (transform(*pair)[0] != first).any()


def test_transform__without_image_id_follows_torch(paster, pair):
    image, target = pair
    del target["image_id"]
    torch.manual_seed(0)
    first, second = (InstancePaste(paster, CATEGORIES)(image, target)[0] for _ in range(2))
    torch.manual_seed(0)
    again = InstancePaste(paster, CATEGORIES)(image, target)[0]
    assert (first == again).all()
    assert (first != second).any()


def test_transform__in_a_pipeline(paster, pair):
    pipeline = v2.Compose(
        [
            InstancePaste(paster, CATEGORIES),
            v2.Resize((64, 80)),
            v2.RandomHorizontalFlip(1.0),
            v2.ToDtype(torch.float32, scale=True),
        ]
    )
    image, target = pipeline(*pair)
    assert image.shape == (3, 64, 80)
    assert target["masks"].shape[1:] == (64, 80)
    assert target["boxes"][:, 2].max() <= 80


def test_transform__no_objects(paster):
    empty = {"masks": torch.zeros((0, 60, 60), dtype=torch.uint8), "labels": torch.zeros(0, dtype=torch.int64)}
    image, target = InstancePaste(paster, CATEGORIES)(torch.zeros((3, 60, 60), dtype=torch.uint8), empty)
    assert image.shape == (3, 60, 60)
    assert target["boxes"].shape == (len(target["labels"]), 4)


def test_transform__float_image_is_refused(paster, pair):
    with pytest.raises(ConfigError, match="place it earlier"):
        InstancePaste(paster, CATEGORIES)(pair[0].float(), pair[1])


def test_dataset__labels_are_contiguous(dataset, paster):
    image, target = PasteDataset(dataset, paster)[0]
    assert image.shape == (3, 96, 128)
    assert set(target["labels"].tolist()) <= {1, 2, 3}
    assert target["image_id"] == 1
    assert PasteDataset(dataset, None)[0][1]["labels"].tolist() == [1, 3]


def test_dataset__floats_after_the_transforms(dataset, paster):
    seen = []
    train = PasteDataset(
        dataset, paster, lambda image, target: (seen.append(image.dtype) or image, target), dtype="float32"
    )
    image, _ = train[0]
    assert seen == [torch.uint8]
    assert image.dtype == torch.float32
    assert 0.5 < image.max() <= 1
    with pytest.raises(ConfigError, match="'uint8' or 'float32'"):
        PasteDataset(dataset, None, dtype="float")


def test_dataset__pool_of_other_ids(dataset, pool):
    renamed = pool.matched({70: "apple", 10: "cup", 30: "bow_(weapon)"})
    train = PasteDataset(dataset, Paster(renamed, count="fixed", max_instances=9))
    plain = PasteDataset(dataset, Paster(pool, count="fixed", max_instances=9))
    assert train[0][1]["labels"].tolist() == plain[0][1]["labels"].tolist()


def test_collate__leaves_crowds_out(dataset, paster, sample):
    train = PasteDataset(dataset, paster, dtype="float32")
    images, targets = collate([train[0], (torch.rand(3, 128, 160), sample_to_target(sample))])
    assert [tuple(image.shape) for image in images] == [(3, 96, 128), (3, 128, 160)]
    assert [len(target["masks"]) for target in targets] == [len(train[0][1]["masks"]), 3]
    assert targets[1]["boxes"].shape == (3, 4)


@pytest.mark.slow
def test_dataset__epoch_reaches_workers_that_live_on(dataset, paster):
    train = PasteDataset(dataset, paster)
    loader = torch.utils.data.DataLoader(
        train, batch_size=None, num_workers=1, persistent_workers=True, multiprocessing_context="spawn"
    )
    first = [image.numpy() for image, _ in loader]
    train.set_epoch(1)
    second = [image.numpy() for image, _ in loader]
    assert all((a != b).any() for a, b in zip(first, second, strict=True))
    for index, image in enumerate(second):
        assert (image == train[index][0].numpy()).all()
    assert not np.array_equal(second[0], second[1])
