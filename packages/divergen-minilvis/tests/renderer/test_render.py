import cv2
import numpy as np
import pytest
from divergen_minilvis.renderer import (
    STYLES,
    Attributes,
    category_names,
    parse_attributes,
    render_object,
    render_picture,
)
from divergen_minilvis.renderer.patterns import PATTERNS
from divergen_records import ConfigError, RowError

SIZE = 72


def mean_colour(picture):
    """The mean RGB within the alpha."""
    return picture.image[picture.alpha > 200].mean(0)


def solid(picture, size=48):
    """The silhouette, cropped and scaled to a square."""
    rows, cols = np.nonzero(picture.alpha > 127)
    crop = picture.alpha[rows.min() : rows.max() + 1, cols.min() : cols.max() + 1]
    return cv2.resize(crop, (size, size)) > 127


@pytest.mark.parametrize("name", category_names())
def test_render_picture__every_category_in_every_style(name):
    for number, style in enumerate(STYLES):
        image, alpha = render_picture(name, f"a photo of a single {name}", seed=number, size=SIZE, style=style)
        assert image.shape == (SIZE, SIZE, 3)
        assert alpha.shape == (SIZE, SIZE)
        assert image.dtype == alpha.dtype == np.uint8
        covered = (alpha > 127).mean()
        assert 0.003 < covered < 0.9, (style, covered)


def touches_border(alpha):
    return max(edge.max() for edge in (alpha[0], alpha[-1], alpha[:, 0], alpha[:, -1])) > 127


def test_render_picture__few_leave_the_frame():
    alphas = [render_picture("cup", "", seed=seed, size=32, style="photo").alpha for seed in range(200)]
    assert 0 < sum(map(touches_border, alphas)) < 0.08 * len(alphas)


@pytest.mark.parametrize("name", category_names())
def test_render_picture__members_of_a_category_differ(name):
    shapes = [solid(render_picture(name, "", seed=seed, size=SIZE, style="photo")) for seed in range(4)]
    overlaps = [(a & b).sum() / (a | b).sum() for k, a in enumerate(shapes) for b in shapes[k + 1 :]]
    assert min(overlaps) < 0.985


@pytest.mark.parametrize("style", STYLES)
def test_render_picture__same_seed_same_pixels(style):
    one = render_picture("teapot", "a red teapot", seed=5, size=64, style=style)
    render_picture("bus", "a blue bus", seed=6, size=96, style=style)
    two = render_picture("teapot", "a red teapot", seed=5, size=64, style=style)
    assert np.array_equal(one.image, two.image)
    assert np.array_equal(one.alpha, two.alpha)


def test_render_picture__other_seed_other_pixels():
    one, two = (render_picture("teapot", "", seed=seed, size=64, style="photo") for seed in (0, 1))
    assert not np.array_equal(one.image, two.image)


def test_render_picture__styles_differ():
    pictures = [render_picture("apple", "a red apple", seed=3, size=64, style=style).image for style in STYLES]
    for k, one in enumerate(pictures):
        assert all(np.abs(one.astype(int) - two).mean() > 1 for two in pictures[k + 1 :])


def test_render_picture__background_is_nearly_white():
    for seed in range(6):
        image, alpha = render_picture("cup", "a cup, in a white background", seed=seed, size=64, style="cgi")
        assert image[alpha == 0].mean() > 200


def test_render_picture__background_colour():
    image, alpha = render_picture("cup", "a white cup, in a blue background", seed=0, size=64, style="cgi")
    red, _, blue = image[alpha == 0].mean(0)
    assert blue > red + 40


@pytest.mark.parametrize("style", ["photo", "cgi", "illustration", "watercolor"])
@pytest.mark.parametrize(("colour", "strongest"), [("red", 0), ("green", 1), ("blue", 2)])
@pytest.mark.parametrize("name", ["cup", "chair", "car", "sock", "apple"])
def test_render_picture__colour(name, colour, strongest, style):
    mean = mean_colour(render_picture(name, f"a {colour} {name}", seed=2, size=64, style=style))
    assert mean.argmax() == strongest


@pytest.mark.parametrize("words", ["striped", "dotted", "checkered", "plaid", "floral", "zigzag", "camouflage"])
def test_render_picture__pattern_changes_only_the_inside(words):
    plain = render_picture("vase", "a red vase", seed=4, size=96, style="cgi")
    drawn = render_picture("vase", f"a red {words} vase", seed=4, size=96, style="cgi")
    assert np.array_equal(plain.alpha, drawn.alpha)
    inside = plain.alpha == 255
    change = np.abs(plain.image.astype(int) - drawn.image).max(-1) > 25
    assert change[inside].mean() > 0.1


def test_render_picture__patterns_differ_from_each_other():
    pictures = [
        render_object("vase", Attributes(colours=("red",), pattern=kind), seed=4, size=64, style="cgi").rgb
        for kind in PATTERNS
    ]
    for k, one in enumerate(pictures):
        assert all(np.abs(one - two).mean() > 0.003 for two in pictures[k + 1 :])


def test_render_picture__material_changes_shading():
    looks = [
        render_object("vase", Attributes(("red",), material), seed=1, size=64, style="photo")
        for material in ("metal", "fabric", "glass", "wooden")
    ]
    for k, one in enumerate(looks):
        assert all(np.abs(one.rgb - two.rgb).mean() > 0.003 for two in looks[k + 1 :])
    assert looks[2].clear.max() > 0.4
    assert looks[0].clear.max() == 0


def test_render_picture__size_words():
    small = render_picture("cup", "a tiny cup", seed=9, size=96, style="photo").alpha
    large = render_picture("cup", "a huge cup", seed=9, size=96, style="photo").alpha
    assert (large > 127).sum() > 2 * (small > 127).sum()


def test_render_picture__upside_down():
    upright = solid(render_picture("wine_glass", "", seed=1, size=96, style="cgi"))
    turned = solid(render_picture("wine_glass", "a wine glass upside down", seed=1, size=96, style="cgi"))
    top, bottom = upright[:12].mean(), upright[-24:-12].mean()
    assert top > bottom
    assert turned[:12].mean() < turned[-24:-12].mean() or turned[12:24].mean() < turned[-12:].mean()


@pytest.mark.parametrize("words", ["from above", "lying on its side", "side view", "tilted", "facing left"])
def test_render_picture__pose_and_view_change_the_silhouette(words):
    usual = solid(render_picture("teapot", "a teapot", seed=1, size=96, style="cgi"))
    other = solid(render_picture("teapot", f"a teapot, {words}", seed=1, size=96, style="cgi"))
    assert (usual & other).sum() / (usual | other).sum() < 0.97


@pytest.mark.parametrize("words", ["rusty", "dirty", "worn", "glossy", "matte"])
def test_render_picture__condition_changes_the_surface(words):
    plain = render_picture("bucket", "a red bucket", seed=2, size=96, style="photo")
    aged = render_picture("bucket", f"a {words} red bucket", seed=2, size=96, style="photo")
    assert np.abs(plain.image.astype(int) - aged.image)[plain.alpha > 200].mean() > 0.5


@pytest.mark.parametrize(
    "words", ["cartoon", "pencil sketch", "watercolor painting", "pixel art picture", "vintage photo"]
)
def test_render_picture__style_words_modulate(words):
    plain = render_picture("car", "a photo of a red car", seed=2, size=64, style="photo")
    drawn = render_picture("car", f"a {words} of a red car", seed=2, size=64, style="photo")
    assert np.abs(plain.image.astype(int) - drawn.image).mean() > 2


def test_render_picture__black_and_white():
    image, alpha = render_picture("car", "a black and white photo of a red car", seed=2, size=64, style="photo")
    red, _, blue = image[alpha > 200].mean(0)
    assert abs(red - blue) < 30


def test_render_object__tight_and_premultiplied():
    rendering = render_object("banana", Attributes(), seed=0, size=100, style="photo")
    assert abs(max(rendering.alpha.shape) - 100) <= 4
    assert rendering.alpha.dtype == rendering.rgb.dtype == np.float32
    assert 0 <= rendering.alpha.min() < 0.01
    assert rendering.alpha.max() == pytest.approx(1)
    assert (rendering.rgb.max(-1) <= rendering.alpha + 1e-4).all()
    assert (rendering.clear <= rendering.alpha + 1e-5).all()


def test_rendering_over__keeps_background_outside():
    rendering = render_object("banana", Attributes(), seed=0, size=40, style="photo")
    background = np.full((*rendering.alpha.shape, 3), 0.25, np.float32)
    outside = rendering.alpha == 0
    assert np.allclose(rendering.over(background)[outside], 0.25)


@pytest.mark.parametrize("size", [16, 33, 512])
def test_render_picture__sizes(size):
    image, alpha = render_picture("fork", "", seed=0, size=size, style="photo")
    assert image.shape == (size, size, 3)
    assert alpha.max() > 127


def test_render_picture__unknown_category():
    with pytest.raises(RowError, match="no shape program for category 'aardvark'"):
        render_picture("aardvark", "an aardvark", seed=0, size=64, style="photo")


def test_render_picture__unknown_style():
    with pytest.raises(ConfigError, match=r"style 'baroque' does not exist; choose one of photo"):
        render_picture("cup", "a cup", seed=0, size=64, style="baroque")


def test_render_picture__attributes_of_the_prompt_are_those_parsed():
    attributes = parse_attributes("a red striped cup", "cup")
    assert (attributes.colours, attributes.pattern) == (("red",), "striped")
