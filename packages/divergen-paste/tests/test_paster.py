import json
import pickle
import shutil
import warnings
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from divergen_paste import InstancePool, InstanceSampler, PasteConfig, Paster, PoolWeights
from divergen_paste.paster import Placement
from divergen_records import ConfigError, ImageError
from divergen_records.sample import Instance, Sample
from divergen_records.settings import apply_settings
from hypothesis import given, settings
from hypothesis import strategies as st


def same(first: Sample, second: Sample) -> bool:
    return (
        (first.image == second.image).all()
        and len(first.instances) == len(second.instances)
        and all(
            (a.category_id, a.box, a.source, a.annotation_id) == (b.category_id, b.box, b.source, b.annotation_id)
            and (a.mask == b.mask).all()
            for a, b in zip(first.instances, second.instances, strict=True)
        )
    )


def test_call__same_seed_epoch_and_image_give_the_same(pool, sample):
    paster = Paster(pool, count="fixed", seed=1)
    assert same(paster(sample), Paster(pool, count="fixed", seed=1)(sample))
    assert not same(paster(sample), paster(replace(sample, epoch=1)))
    assert not same(paster(sample), paster(replace(sample, image_id=6)))
    assert not same(paster(sample), Paster(pool, count="fixed", seed=2)(sample))


@pytest.mark.slow
def test_call__same_in_every_worker(pool, sample):
    paster = Paster(pool, count="fixed", seed=1)
    samples = [replace(sample, image_id=number) for number in range(8)]
    alone = [paster(one) for one in samples]
    for workers in (1, 2, 4):
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as executor:
            assert all(map(same, alone, executor.map(paster, samples)))


def test_call__pickled_paster_pastes_alike(pool, sample):
    paster = Paster(pool, {1: (0.2, 0.1)}, rotation=20, colour_jitter=0.2)
    copy = pickle.loads(pickle.dumps(paster))
    assert copy.identity == paster.identity
    assert same(copy(sample), paster(sample))


def test_identity__changes_with_any_setting(pool):
    pasters = [
        Paster(pool),
        Paster(pool, seed=1),
        Paster(pool, {1: (0.2, 0.1)}),
        Paster(pool, blend="hard"),
        Paster(pool, sampler=InstanceSampler(pool, category_weights={1: 2.0})),
        Paster(pool, sampler=InstanceSampler(pool, instance_weights=np.arange(9.0))),
    ]
    assert len({paster.identity for paster in pasters}) == len(pasters)


def test_call__pasted_instances_name_their_source(pool, sample):
    result = Paster(pool, count="fixed", max_instances=6)(sample)
    pasted = [instance for instance in result.instances if instance.source is not None]
    categories = dict(zip(map(pool.source, range(9)), pool.index["category_id"].tolist(), strict=True))
    assert pasted
    assert all(categories[instance.source] == instance.category_id for instance in pasted)
    assert all(instance.annotation_id is None for instance in pasted)


def test_call__zero_instances_give_the_same_sample(pool, sample):
    assert Paster(pool, max_instances=0)(sample) is sample


def test_call__input_is_not_changed(pool, sample):
    image, masks = sample.image.copy(), sample.masks()
    Paster(pool, count="fixed")(sample)
    assert (sample.image == image).all()
    assert (sample.masks() == masks).all()


def test_call__image_without_annotations(pool):
    sample = Sample(np.zeros((256, 256, 3), dtype=np.uint8), (), image_id=1)
    assert Paster(pool, count="fixed", max_instances=5)(sample).instances


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (17, 9)])
def test_call__tiny_images_and_more_instances_than_fit(pool, size):
    sample = Sample(np.zeros((*size, 3), dtype=np.uint8), (), image_id=1)
    result = Paster(pool, count="fixed", max_instances=200, min_pixels=1)(sample)
    assert result.masks().sum(axis=0).max(initial=0) <= 1


def test_call__not_an_image(pool):
    with pytest.raises(ImageError, match=r"expected .* uint8, found .* float64"):
        Paster(pool, count="fixed")(Sample(np.zeros((8, 8, 3)), (), image_id=1))


@pytest.mark.parametrize("options", [{"place": "avoid"}, {"place": "invite"}, {"rotation": 45}, {"colour_jitter": 0.3}])
def test_call__options_change_the_result(pool, sample, options):
    plain, changed = Paster(pool, count="fixed"), Paster(pool, count="fixed", **options)
    assert not same(plain(sample), changed(sample))


def test_place__avoid_covers_less_than_invite(pool, sample):
    left = {}
    for place in ("avoid", "uniform", "invite"):
        paster = Paster(pool, place=place, count="fixed", max_instances=3, min_visible=0)
        results = [paster(replace(sample, image_id=number)) for number in range(30)]
        left[place] = sum(i.area for result in results for i in result.instances if i.source is None)
    assert left["avoid"] > left["uniform"] > left["invite"]


@pytest.mark.parametrize(("flip", "share"), [(0.0, 0.0), (1.0, 1.0), (0.5, 0.5)])
def test_plan__flip_is_a_probability(pool, sample, flip, share):
    plan = Paster(pool, count="fixed", max_instances=1000, flip=flip).plan(sample, np.random.default_rng(0))
    assert np.mean([placement.flip for placement in plan]) == pytest.approx(share, abs=0.05)


def test_apply__a_plan_may_be_made_by_hand(pool, sample):
    paster = Paster(pool, blend="hard")
    one = Placement(0, 1, (20, 30), (5, 7), False, 0.0, None, "hard")
    pasted = paster.apply(sample, [one]).instances[-1]
    assert pasted.source == pool.source(0)
    assert (pasted.x, pasted.y, *pasted.mask.shape) == (5, 7, 20, 30)


@pytest.fixture
def damaged(pool, tmp_path):
    """A pool whose every picture is damaged, but for the index."""
    shutil.copytree(pool.path, tmp_path / "damaged")
    blobs = tmp_path / "damaged" / "blobs.bin"
    blobs.write_bytes(bytes(len(blobs.read_bytes())))
    return InstancePool.open(tmp_path / "damaged")


def test_call__corrupt_instances_are_skipped_counted_and_warned_of_once(damaged, sample):
    paster = Paster(damaged, count="fixed", max_instances=5)
    with pytest.warns(RuntimeWarning, match=r"instance \d .*is damaged: its bytes have changed"):
        result = paster(sample)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        paster(sample)
    assert paster.corrupt == 10
    assert same(result, sample)


@pytest.mark.parametrize(
    "options",
    [
        {"blend": "glue"},
        {"blend": ()},
        {"place": "nowhere"},
        {"max_instances": -1},
        {"max_instances": 2.5},
        {"flip": 2},
        {"flip": float("nan")},
        {"rotation": -30},
        {"colour_jitter": 1.5},
    ],
)
def test_paster__bad_settings(pool, options):
    with pytest.raises(ConfigError):
        Paster(pool, **options)


def test_config__every_field_is_read(pool, tmp_path):
    layouts = tmp_path / "layouts.json"
    item = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [10, 10, 40, 40], "area": 1600, "iscrowd": 0}
    item["segmentation"] = [[10, 10, 50, 10, 50, 50, 10, 50]]
    image = {"id": 1, "width": 100, "height": 100, "file_name": "1.jpg"}
    content = {"images": [image], "annotations": [item], "categories": [{"id": 1, "name": "cup"}]}
    layouts.write_text(json.dumps(content))
    changes = {
        "count": "fixed",
        "max_instances": 3,
        "balance": "instance",
        "category_weights": {1: 2.0},
        "image_categories": True,
        "uniform_scale": (0.1, 0.2),
        "min_pixels": 5.0,
        "max_scale": 0.4,
        "max_upscale": 1.0,
        "aspect_jitter": 0.1,
        "fit": "box",
        "place": "avoid",
        "blend": ("hard", "poisson"),
        "flip": 0.0,
        "rotation": 10.0,
        "colour_jitter": 0.1,
        "match_blur": True,
        "match_noise": True,
        "harmonize": "both",
        "box_shift": 5,
        "min_visible": 100,
        "layouts": layouts,
    }
    assert set(changes) == set(PasteConfig.model_fields) - {"kind", "statistics"}
    identities = {PasteConfig(**{key: value}).build(pool).identity for key, value in changes.items()}
    assert len(identities) == len(changes)
    assert PasteConfig().build(pool).identity not in identities


def test_config__statistics_file_wins(pool, tmp_path):
    (tmp_path / "s.json").write_text('{"1": [0.3, 0.1]}')
    paster = PasteConfig(statistics=tmp_path / "s.json").build(pool, {1: (0.1, 0.1)})
    assert paster.sizes.statistics == {1: (0.3, 0.1)}


def test_config__weights_from_outside(pool, sample):
    weights = PoolWeights(pool)
    paster = PasteConfig(count="fixed").build(pool, weights=weights)
    weights.set_categories({3: 0, 7: 0})
    assert {placement.category_id for placement in paster.plan(sample, np.random.default_rng(0))} == {1}


def test_settings__values():
    pairs = ["max_instances=3", "blend=hard", "uniform_scale.1=0.2", "category_weights.7=0", "statistics=2024.json"]
    config = apply_settings(PasteConfig, {}, pairs)
    assert (config.max_instances, config.blend, config.uniform_scale) == (3, "hard", (0.05, 0.2))
    assert (config.category_weights, config.statistics) == ({7: 0}, Path("2024.json"))


@pytest.mark.parametrize("setting", ["max_instances", "unknown=1", "flip=2", "blend=glue"])
def test_settings__bad(setting):
    with pytest.raises(ConfigError, match=setting.partition("=")[0]):
        apply_settings(PasteConfig, {}, [setting])


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    size=st.tuples(st.integers(1, 150), st.integers(1, 150)),
    options=st.fixed_dictionaries(
        {
            "max_instances": st.integers(0, 12),
            "blend": st.sampled_from(["hard", "feather", "gaussian", "poisson", "laplacian"]),
            "place": st.sampled_from(["uniform", "avoid", "invite"]),
            "rotation": st.sampled_from([0.0, 90.0]),
            "colour_jitter": st.sampled_from([0.0, 0.3]),
            "match_blur": st.booleans(),
            "match_noise": st.booleans(),
        }
    ),
)
def test_call__invariants(pool, seed, size, options):
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
    mask = rng.random(size) < 0.9
    old = Instance.from_mask(mask, 1, annotation_id=3) if mask.any() and rng.random() < 0.7 else None
    sample = Sample(image, () if old is None else (old,), image_id=1)
    paster = Paster(pool, count="fixed", seed=seed, **options)
    result = paster(sample)
    masks = result.masks()
    assert same(result, paster(sample))
    assert masks.sum(axis=0).max(initial=0) <= 1
    for instance, mask in zip(result.instances, masks, strict=True):
        assert mask.sum() == instance.area > 0
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        assert instance.box == (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
        assert (instance.source is None) == (instance.annotation_id is not None)
        assert (
            instance.source is None or pool.index["category_id"][pool.rows([instance.source])] == instance.category_id
        )
    if options["blend"] == "hard" and old is not None:
        # What is still the old object's shows the old picture.
        kept = masks[[instance.source is None for instance in result.instances]].any(axis=0)
        assert (result.image[kept] == image[kept]).all()


def test_call__category_without_instances(pool, sample):
    """Statistics, weights and images may name categories that the pool has nothing of."""
    sampler = InstanceSampler(pool, category_weights={99: 5.0, 1: 0.0, 3: 0.0}, image_categories=True)
    shown = replace(sample, instances=(replace(sample.instances[0], category_id=99),))
    result = Paster(pool, {99: (0.2, 0.1)}, sampler=sampler, count="fixed")(shown)
    assert {instance.category_id for instance in result.instances if instance.source is not None} == {7}
