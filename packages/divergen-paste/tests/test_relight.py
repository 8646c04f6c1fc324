"""Relighting: the blending by size with a relighter made up, the models with the real class at a tiny size."""

import importlib.util
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
from divergen_paste import PasteConfig, Paster, bake
from divergen_paste.relight.blending import Relight, blend_back, kept_share
from divergen_paste.relight.config import RelightConfig
from divergen_records import ConfigError, WeightsError
from divergen_records.coco import read_dataset, write_dataset
from divergen_records.sample import Instance, Sample

TINY = {"strength": 0.5, "steps": 2, "size": 32, "dtype": "float32", "device": "cpu"}


class Dark:
    """Makes everything black, and notes what it was asked."""

    identity = "dark"

    def __init__(self):
        self.asked = []

    def __call__(self, image, mask, seed):
        self.asked.append((mask.copy(), seed))
        return np.zeros_like(image)


def test_kept_share__grows_as_objects_get_smaller():
    shares = [kept_share(side**2, 48) for side in (8, 24, 48, 96, 480)]
    assert shares == sorted(shares, reverse=True)
    assert shares[2] == 0.5 and shares[0] > 0.9 and shares[-1] < 0.02
    assert kept_share(100, 0) == 0


def test_blend_back__nothing_outside_and_more_of_what_is_large():
    image = np.full((100, 200, 3), 200, np.uint8)
    small, large = Instance(1, np.ones((10, 10), bool), 5, 5), Instance(1, np.ones((90, 90), bool), 100, 5)
    done = blend_back(image, np.zeros_like(image), [small, large], half=48)
    changed = (done != 200).any(axis=2)
    assert changed[5:15, 5:15].all() and changed[5:95, 100:190].all()
    assert changed.sum() == 100 + 8100
    assert done[10, 10, 0] == pytest.approx(200 * kept_share(100, 48), abs=1)
    assert done[50, 150, 0] == pytest.approx(200 * kept_share(8100, 48), abs=1)
    assert done[5, 150, 0] > done[50, 150, 0]  # it fades at the edge


def test_paster__only_what_it_pasted_is_relit_and_no_mask_changes(pool, sample):
    dark = Dark()
    settings = {"count": "fixed", "max_instances": 4, "seed": 3}
    plain, relit = Paster(pool, **settings)(sample), Paster(pool, relight=Relight(dark, half=0), **settings)(sample)
    mask, _ = dark.asked[0]
    assert (plain.image[~mask] == relit.image[~mask]).all()
    assert (plain.image[mask] != relit.image[mask]).any(axis=1).mean() > 0.9
    pairs = zip(plain.instances, relit.instances, strict=True)
    assert all((a.mask == b.mask).all() and a.source == b.source for a, b in pairs)
    visible = np.zeros_like(mask)
    for instance in relit.instances:
        visible[instance.slices] |= instance.mask & (instance.source is not None)
    assert (mask >= visible).all()


def test_paster__seeds_follow_from_epoch_and_image(pool, sample):
    dark = Dark()
    paster = Paster(pool, relight=Relight(dark), count="fixed", max_instances=2)
    for epoch, image_id in ((0, 1), (1, 1), (0, 2), (0, 1)):
        paster(Sample(sample.image, sample.instances, image_id=image_id, epoch=epoch))
    seeds = [seed for _, seed in dark.asked]
    assert len(set(seeds[:3])) == 3 and seeds[3] == seeds[0]


def test_paster__identity_follows_the_relighting(pool):
    plain = Paster(pool).identity
    assert plain == Paster(pool, relight=None).identity
    others = {Paster(pool, relight=Relight(Dark(), half=half)).identity for half in (10, 20)}
    assert len(others | {plain}) == 3


@pytest.fixture(scope="session")
def tiny():
    """Builders of tiny models of the real classes."""
    pytest.importorskip("diffusers", exc_type=ImportError)
    path = Path(__file__).parents[2] / "divergen-gen" / "tests" / "tiny.py"
    spec = importlib.util.spec_from_file_location("tiny", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def model(tiny, tmp_path_factory):
    return tiny.stable_diffusion(tmp_path_factory.mktemp("models") / "sd")


@pytest.fixture
def picture():
    return np.random.default_rng(0).integers(0, 256, (60, 90, 3), dtype=np.uint8)


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_relighter__is_deterministic_whatever_came_before_and_in_another_process(model, picture):
    relighter = RelightConfig(model=str(model), **TINY).build().relighter
    mask = np.ones(picture.shape[:2], bool)
    first, other = relighter(picture, mask, 1), relighter(picture, mask, 2)
    assert first.shape == picture.shape and first.dtype == np.uint8
    assert (first != other).any()
    again = pickle.loads(pickle.dumps(relighter))
    assert again.identity == relighter.identity
    assert (again(picture, mask, 1) == first).all()


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_relighter__one_like_ic_light_sees_the_objects(tiny, tmp_path, picture):
    model = tiny.stable_diffusion(tmp_path / "light", unet=tiny.unet(in_channels=8))
    relighter = RelightConfig(model=str(model), **TINY).build().relighter
    mask = np.zeros(picture.shape[:2], bool)
    nothing = relighter(picture, mask, 1)
    mask[10:50, 20:70] = True
    assert (relighter(picture, mask, 1) != nothing).any()
    assert (relighter(picture, np.zeros_like(mask), 1) == nothing).all()


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_bake__relit_resumes_to_the_same_bytes(dataset, pool, model, tmp_path):
    config = PasteConfig(max_instances=3, count="fixed", harmonize={"kind": "relight", "model": str(model), **TINY})

    def files(out):
        return {path.name: path.read_bytes() for path in sorted((out / "images").rglob("*.png"))}

    plain = PasteConfig(max_instances=3, count="fixed").build(pool)
    bake(dataset, plain, tmp_path / "plain", image_format="png", progress=False)
    bake(dataset, config.build(pool), tmp_path / "whole", image_format="png", workers=None, progress=False)
    broken = config.build(pool)
    broken.relight = _Stopping(broken.relight)
    with pytest.raises(KeyboardInterrupt):
        bake(dataset, broken, tmp_path / "again", image_format="png", progress=False)
    bake(dataset, config.build(pool), tmp_path / "again", image_format="png", progress=False)
    whole = files(tmp_path / "whole")
    assert whole == files(tmp_path / "again")
    assert any(content != files(tmp_path / "plain")[name] for name, content in whole.items())
    first, second = (read_dataset(tmp_path / name / "annotations.json") for name in ("plain", "whole"))
    assert [one.stored_segmentation for one in first.annotations] == [
        one.stored_segmentation for one in second.annotations
    ]


class _Stopping:
    """A relighting that is interrupted at its second image."""

    def __init__(self, inner):
        self.inner, self.calls = inner, 0

    def __repr__(self):
        return repr(self.inner)

    def __call__(self, *arguments):
        self.calls += 1
        if self.calls > 1:
            raise KeyboardInterrupt
        return self.inner(*arguments)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"model": "/nowhere/at/all"}, WeightsError, "does not exist"),
        ({"model": "EMPTY"}, WeightsError, "is no model in the hub's layout"),
        ({"model": "EMPTY", "steps": 1}, ConfigError, "steps=1 of strength=0.3 leave none to draw"),
    ],
)
def test_config__what_is_wrong_is_a_sentence(tmp_path, settings, error, message):
    folder = settings["model"].replace("EMPTY", str(tmp_path))
    with pytest.raises(error, match=message):
        RelightConfig(**{**settings, "model": folder}).build()


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_relighter__a_model_without_weights_is_a_sentence(model, tmp_path, picture):
    folder = shutil.copytree(model, tmp_path / "sd")
    (folder / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    relighter = RelightConfig(model=str(folder), **TINY).build().relighter
    with pytest.raises(WeightsError, match="cannot be loaded as an image-to-image model"):
        relighter(picture, np.ones(picture.shape[:2], bool), 0)


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_command__bakes_relit_images(dataset, pool, model, tmp_path):
    from click.testing import CliRunner
    from divergen_paste.cli import main

    write_dataset(dataset, dataset.path)

    def bake_with(folder, out):
        relight = ", ".join(["kind: relight", f"model: {folder}", *(f"{key}: {value}" for key, value in TINY.items())])
        line = ["bake", str(dataset.path), str(pool.path), "--images", str(dataset.image_dir), "--out", str(out)]
        return CliRunner().invoke(main, [*line, "-s", f"harmonize={{{relight}}}", "--pictures", "png"])

    done = bake_with(model, tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert len(list((tmp_path / "out" / "images").rglob("*.png"))) == 6
    folder = shutil.copytree(model, tmp_path / "sd")
    (folder / "vae" / "diffusion_pytorch_model.safetensors").unlink()
    broken = bake_with(folder, tmp_path / "none")
    assert broken.exit_code == 2 and "cannot be loaded as an image-to-image model" in broken.output
