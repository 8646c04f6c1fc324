import pickle
import warnings
from pathlib import Path

import numpy as np
import pytest
from divergen_paste import Chain, Paster
from divergen_records import ConfigError, MaskError

torch = pytest.importorskip("torch")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # detectron2 and fvcore use what torch means to leave behind
    pytest.importorskip("detectron2")
    from detectron2.config import get_cfg
    from detectron2.data import DatasetCatalog, MetadataCatalog, build_detection_train_loader
    from detectron2.data import transforms as T
    from detectron2.structures import BoxMode

from divergen_paste.detectron2 import PasteMapper  # noqa: E402
from divergen_paste.functional import sample_from_annotations  # noqa: E402
from divergen_records.images import read_image  # noqa: E402

pytestmark = [
    pytest.mark.detectron2,
    # Of the libraries that detectron2 stands on.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore:torch.meshgrid:UserWarning"),
]

LABEL_OF = {1: 0, 3: 1, 7: 2}
NAMES = {1: "cup", 3: "bow_(weapon)", 7: "apple"}


@pytest.fixture
def paster(pool):
    return Paster(pool, count="fixed", max_instances=4, min_visible=1)


@pytest.fixture
def dicts(dataset):
    """The dataset as detectron2 holds it."""
    return [
        {
            "file_name": str(dataset.image_path(info)),
            "image_id": info.id,
            "height": info.height,
            "width": info.width,
            "neg_category_ids": [1, 3, 7, 99],
            "annotations": [
                {
                    "category_id": LABEL_OF[item.category_id],
                    "bbox": list(item.bbox),
                    "bbox_mode": BoxMode.XYWH_ABS,
                    "segmentation": item.stored_segmentation,
                    "iscrowd": int(item.iscrowd),
                }
                for item in dataset.annotations_of(info.id)
            ],
        }
        for info in dataset.images
    ]


def boxes_of(instances):
    return instances.gt_masks.get_bounding_boxes().tensor


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("image_format", ["RGB", "BGR"])
def test_mapper__equals_the_paster(dicts, paster, when, image_format):
    np.random.seed(3)
    result = PasteMapper(paster, label_of=LABEL_OF, categories=NAMES, image_format=image_format, when=when)(dicts[0])
    np.random.seed(3)
    rng = np.random.default_rng(np.random.randint(0, 2**32, size=4, dtype=np.uint64).tolist())
    items = [{**item, "category_id": {0: 1, 1: 3, 2: 7}[item["category_id"]]} for item in dicts[0]["annotations"]]
    image = read_image(Path(dicts[0]["file_name"]).read_bytes())
    expected = paster.paste(sample_from_annotations(image, items), rng)
    order = slice(None) if image_format == "RGB" else slice(None, None, -1)
    assert (result["image"].numpy()[order] == expected.image.transpose(2, 0, 1)).all()
    assert (result["instances"].gt_masks.tensor.numpy() == expected.masks()).all()
    assert result["instances"].gt_classes.tolist() == [LABEL_OF[key] for key in expected.category_ids().tolist()]
    assert result["instances"].gt_boxes.tensor.tolist() == expected.boxes().tolist()
    assert "annotations" not in result


@pytest.mark.parametrize("when", ["before", "after"])
def test_mapper__detectron2s_own_augmentations(dicts, paster, when):
    augmentations = [
        T.ResizeScale(0.5, 2.0, 100, 140),
        T.FixedSizeCrop((100, 140)),
        T.RandomFlip(),
        T.RandomBrightness(0.8, 1.2),
    ]
    mapper = PasteMapper(paster, augmentations, label_of=LABEL_OF, categories=NAMES, when=when)
    for number in range(12):
        np.random.seed(number)
        result = mapper(dicts[number % 3])
        instances = result["instances"]
        assert result["image"].shape == (3, 100, 140)
        assert instances.gt_masks.tensor.shape[1:] == (100, 140)
        assert torch.equal(boxes_of(instances), instances.gt_boxes.tensor)
        assert (instances.gt_masks.tensor.sum(dim=0) <= 1).all()
        if when == "after":
            assert len(instances) > 0


def test_mapper__padding_is_no_object(dicts, paster):
    """detectron2 pads segmentations with 255, which a bitmap would take for the object."""
    nothing = Paster(paster.pool, max_instances=0)
    padded = PasteMapper(nothing, [T.FixedSizeCrop((200, 300), pad=True)], label_of=LABEL_OF, categories=NAMES)(
        dicts[0]
    )["instances"]
    plain = PasteMapper(nothing, label_of=LABEL_OF, categories=NAMES)(dicts[0])["instances"]
    assert torch.equal(padded.gt_masks.tensor[:, :96, :128], plain.gt_masks.tensor)
    assert padded.gt_masks.tensor.sum() == plain.gt_masks.tensor.sum()


def test_mapper__flip_moves_old_objects(dicts, paster):
    mapper = PasteMapper(
        Paster(paster.pool, max_instances=0), [T.RandomFlip(prob=1.0)], label_of=LABEL_OF, categories=NAMES
    )
    plain = PasteMapper(Paster(paster.pool, max_instances=0), label_of=LABEL_OF, categories=NAMES)
    assert torch.equal(mapper(dicts[0])["image"], plain(dicts[0])["image"].flip(2))
    flipped = mapper(dicts[0])["instances"].gt_masks.tensor
    assert torch.equal(flipped, plain(dicts[0])["instances"].gt_masks.tensor.flip(2))


def test_mapper__input_is_not_changed_and_crowds_are_left_out(dicts, paster):
    dicts[0]["annotations"][0]["iscrowd"] = 1
    before = pickle.dumps(dicts[0])
    mapper = PasteMapper(Paster(paster.pool, max_instances=0), label_of=LABEL_OF, categories=NAMES)
    assert mapper(dicts[0])["instances"].gt_classes.tolist() == [2]
    assert pickle.dumps(dicts[0]) == before


def test_mapper__image_without_annotations(dicts, paster):
    result = PasteMapper(paster, label_of=LABEL_OF, categories=NAMES)({**dicts[0], "annotations": []})
    assert len(result["instances"]) > 0
    empty = PasteMapper(Paster(paster.pool, max_instances=0), label_of=LABEL_OF, categories=NAMES)(
        {**dicts[0], "annotations": []}
    )
    assert empty["instances"].gt_masks.tensor.shape == (0, 96, 128)


def test_mapper__pasted_classes_are_no_negatives(dicts, paster):
    result = PasteMapper(paster, label_of=LABEL_OF, categories=NAMES)(dicts[0])
    shown = {{0: 1, 1: 3, 2: 7}[label] for label in result["instances"].gt_classes.tolist()}
    assert set(result["neg_category_ids"]) == {1, 3, 7, 99} - shown


def test_mapper__polygons(dicts, paster):
    square = [[10.0, 10.0, 40.0, 10.0, 40.0, 30.0, 10.0, 30.0]]
    item = {**dicts[0]["annotations"][0], "segmentation": square, "bbox_mode": BoxMode.XYXY_ABS}
    for when in ("before", "after"):
        mapper = PasteMapper(Paster(paster.pool, max_instances=0), label_of=LABEL_OF, categories=NAMES, when=when)
        (mask,) = mapper({**dicts[0], "annotations": [item]})["instances"].gt_masks.tensor
        assert mask.sum() == 600


def test_mapper__object_without_a_mask(dicts, paster):
    del dicts[0]["annotations"][1]["segmentation"]
    for when in ("before", "after"):
        with pytest.raises(MaskError, match="no segmentation"):
            PasteMapper(paster, label_of=LABEL_OF, categories=NAMES, when=when)(dicts[0])


def test_mapper__chain(dicts, paster):
    mapper = PasteMapper(Chain(paster, paster), label_of=LABEL_OF, categories=NAMES)
    assert len(mapper(dicts[0])["instances"]) > 4


@pytest.mark.parametrize("options", [{"label_of": {1: 0}}, {"image_format": "L"}, {"when": "never"}])
def test_mapper__bad_settings(paster, options):
    with pytest.raises(ConfigError):
        PasteMapper(paster, **{"label_of": LABEL_OF, "categories": NAMES, **options})


@pytest.fixture
def cfg(dicts):
    config = get_cfg()
    config.DATASETS.TRAIN = ("paste-test",)
    config.INPUT.MIN_SIZE_TRAIN, config.INPUT.MAX_SIZE_TRAIN = (64, 96), 160
    config.INPUT.CROP.ENABLED = True
    DatasetCatalog.register("paste-test", lambda: dicts)
    MetadataCatalog.get("paste-test")
    yield config
    DatasetCatalog.remove("paste-test")
    MetadataCatalog.remove("paste-test")


def test_from_config__metadata_say_the_classes(cfg, paster):
    with pytest.raises(ConfigError, match="thing_dataset_id_to_contiguous_id"):
        PasteMapper.from_config(cfg, paster)
    MetadataCatalog.get("paste-test").thing_dataset_id_to_contiguous_id = LABEL_OF
    MetadataCatalog.get("paste-test").thing_classes = list(NAMES.values())
    mapper = PasteMapper.from_config(cfg, paster, when="before")
    assert mapper.label_of == LABEL_OF
    assert isinstance(mapper.augmentations.augs[0], T.RandomCrop)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:lance is not fork-safe")  # said at each fork where other tests have loaded it
def test_mapper__workers_differ_and_a_seed_repeats(cfg, dicts, paster):
    def first_images(seed):
        loader = build_detection_train_loader(
            dicts[:1],
            mapper=PasteMapper(paster, label_of=LABEL_OF, categories=NAMES),
            total_batch_size=1,
            num_workers=2,
            aspect_ratio_grouping=False,
            seed=seed,
        )
        batches = iter(loader)
        return [next(batches)[0]["image"].numpy() for _ in range(4)]

    once = first_images(0)
    assert all((first == second).all() for first, second in zip(once, first_images(0), strict=True))
    assert not any((once[0] == other).all() for other in once[1:])


def test_mapper__pickled_maps_alike(dicts, paster):
    mapper = PasteMapper(paster, [T.RandomFlip()], label_of=LABEL_OF, categories=NAMES)
    copied = pickle.loads(pickle.dumps(mapper))
    results = []
    for one in (mapper, copied):
        np.random.seed(5)
        results.append(one(dicts[1])["image"])
    assert torch.equal(*results)
