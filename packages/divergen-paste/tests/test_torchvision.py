import numpy as np
import pytest
from divergen_paste import Paster
from divergen_records import ConfigError

torch = pytest.importorskip("torch")
pytest.importorskip("torchvision")

from divergen_paste.torchvision import InstancePaste, PasteDataset, sample_to_target  # noqa: E402
from torchvision import tv_tensors as tv  # noqa: E402
from torchvision.transforms import v2  # noqa: E402


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
    image, target = InstancePaste(paster)(*pair)
    expected = paster(sample)
    assert (image.permute(1, 2, 0).numpy() == expected.image).all()
    assert (target["masks"].numpy() == expected.masks()).all()
    assert target["labels"].tolist() == expected.category_ids().tolist()


def test_transform__other_values_of_the_objects_that_stay(paster, pair):
    _, target = InstancePaste(paster)(*pair)
    assert target["image_id"] == 5
    assert len(target["tracks"]) == len(target["labels"])
    assert set(target["tracks"].tolist()) <= {0, 7, 8, 9, 10}
    assert target["tracks"].tolist().count(0) >= 1


def test_transform__epochs_differ(paster, pair):
    transform = InstancePaste(paster)
    first = transform(*pair)[0]
    assert (transform(*pair)[0] == first).all()
    transform.set_epoch(1)
    assert (transform(*pair)[0] != first).any()


def test_transform__without_image_id_follows_torch(paster, pair):
    image, target = pair
    del target["image_id"]
    torch.manual_seed(0)
    first, second = (InstancePaste(paster)(image, target)[0] for _ in range(2))
    torch.manual_seed(0)
    again = InstancePaste(paster)(image, target)[0]
    assert (first == again).all()
    assert (first != second).any()


def test_transform__in_a_pipeline(paster, pair):
    pipeline = v2.Compose(
        [
            InstancePaste(paster),
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
    image, target = InstancePaste(paster)(torch.zeros((3, 60, 60), dtype=torch.uint8), empty)
    assert image.shape == (3, 60, 60)
    assert target["boxes"].shape == (len(target["labels"]), 4)


def test_transform__float_image_is_refused(paster, pair):
    with pytest.raises(ConfigError, match="place it earlier"):
        InstancePaste(paster)(pair[0].float(), pair[1])


def test_dataset__labels_are_contiguous(dataset, paster):
    image, target = PasteDataset(dataset, paster)[0]
    assert image.shape == (3, 96, 128)
    assert set(target["labels"].tolist()) <= {1, 2, 3}
    assert target["image_id"] == 1
    assert PasteDataset(dataset, None)[0][1]["labels"].tolist() == [1, 3]


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
