import numpy as np
import pytest
from divergen_minilvis.renderer import category_names
from divergen_minilvis.scenes import textures
from divergen_minilvis.scenes.background import draw_place
from divergen_minilvis.scenes.camera import photograph
from divergen_minilvis.scenes.clutter import draw_clutter
from divergen_minilvis.scenes.layout import Spot, arrange
from divergen_minilvis.scenes.scene import draw_scene
from divergen_minilvis.scenes.vocabulary import describe


@pytest.mark.parametrize(
    "texture", sorted({*textures.WALL, *textures.INDOOR_FLOOR, *textures.GROUND, *textures.TABLE}, key=str)
)
@pytest.mark.parametrize("size", [31, 64])
def test_textures__are_pictures(texture, size):
    swatch = texture(np.random.default_rng(0), size)
    assert swatch.shape == (size, size, 3)
    assert swatch.dtype == np.float32
    assert swatch.min() >= 0 and swatch.max() <= 1
    assert swatch.std() > 0.002


def test_draw_place__is_a_picture_of_any_shape():
    for seed in range(30):
        place = draw_place(np.random.default_rng(seed), 48, 64)
        assert place.image.shape == (48, 64, 3)
        assert place.image.dtype == np.float32
        assert np.isfinite(place.image).all()
        assert place.horizon is None or 0 < place.horizon < 48


def test_draw_clutter__is_premultiplied():
    for seed in range(20):
        thing = draw_clutter(np.random.default_rng(seed), 24)
        assert thing.rgb.shape == (24, 24, 3)
        assert thing.alpha.max() > 0.5
        assert (thing.rgb <= thing.alpha[..., None] + 1e-5).all()


def test_photograph__keeps_things_where_they_are():
    scene = np.full((65, 65, 3), 0.2, np.float32)
    scene[24:41, 24:41] = 0.9
    for seed in range(20):
        picture = photograph(np.random.default_rng(seed), scene)[..., 1].astype(float)
        bright = picture > (np.median(picture) + picture[28:37, 28:37].mean()) / 2
        rows, columns = np.nonzero(bright)
        assert abs(np.median(rows) - 32) <= 1
        assert abs(np.median(columns) - 32) <= 1


def test_spot__overlap():
    spot = Spot(10, 10, 4, 0, False, False, 0)
    assert spot.overlap(Spot(12, 10, 4, 0, False, False, 0)) == pytest.approx(0.5)
    assert spot.overlap(Spot(20, 10, 4, 0, False, False, 0)) == 0
    assert spot.overlap(Spot(10, 12, 4, 0, False, True, 0)) == 1


@pytest.mark.parametrize("horizon", [None, 40.0])
def test_arrange__in_the_picture_and_on_the_ground(horizon):
    for spot in arrange(np.random.default_rng(3), 12, 96, 128, horizon):
        assert 0 <= spot.x <= 128
        assert horizon is None or spot.y >= horizon
        assert spot.standing == (horizon is not None)


def test_draw_scene__shows_every_category_with_disjoint_masks():
    for seed in range(8):
        scene = draw_scene(["cup", "apple", "teapot"], seed=seed, size=96)
        assert max(scene.image.shape) == 96
        assert set(scene.categories) == {"cup", "apple", "teapot"}
        assert np.sum(scene.masks, axis=0).max() == 1
        assert min(mask.sum() for mask in scene.masks) >= 5


def test_draw_scene__depends_on_its_arguments_only():
    one, two = (draw_scene(["cup", "bowl"], seed=4, size=96, distractors=("lemon",)) for _ in range(2))
    assert np.array_equal(one.image, two.image)
    assert all(map(np.array_equal, one.masks, two.masks))
    assert not np.array_equal(one.image, draw_scene(["cup", "bowl"], seed=5, size=96, distractors=("lemon",)).image)


def test_draw_scene__mask_is_where_the_object_changes_the_picture(monkeypatch):
    import divergen_minilvis.scenes.scene as module

    monkeypatch.setattr(module, "photograph", lambda rng, scene: np.round(scene * 255).astype(np.uint8))
    monkeypatch.setattr(module, "_copies", lambda rng, categories, most: list(categories))
    scene = draw_scene(["tomato"], seed=11, size=128)
    (mask,) = scene.masks
    red = scene.image.astype(int)
    redness = red[..., 0] - red[..., 1:3].max(-1)
    assert redness[mask].mean() > redness[~mask].mean() + 20


@pytest.mark.parametrize("name", category_names())
def test_describe__every_category_of_the_renderer(name):
    category = describe(name, 1)
    assert category.synset
    assert category.definition
    assert category.synonyms[0] == category.label
