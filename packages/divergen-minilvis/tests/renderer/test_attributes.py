import pytest
from divergen_minilvis.renderer import Attributes, parse_attributes


@pytest.mark.parametrize(
    ("prompt", "category", "expected"),
    [
        ("a photo of a single cup", "cup", Attributes()),
        (
            "a photo of a single red metal cup, in a white background",
            "cup",
            Attributes(colours=("red",), material="metal", background="white"),
        ),
        (
            "a watercolor painting of one large striped blue and white vase, seen from above, in a white background",
            "vase",
            Attributes(
                colours=("blue", "white"), pattern="striped", view="top", style="watercolor", size="large",
                background="white",
            ),
        ),
        (
            "A rusty, well-worn hammer lying on its side against a plain grey background.",
            "hammer",
            Attributes(pose="lying", condition=("rusty", "worn"), background="grey"),
        ),
        ("a dark blue polka-dotted umbrella, upside down", "umbrella",
         Attributes(colours=("navy",), pattern="dotted", pose="upside down")),
        ("a close-up photo of a tall slim bottle, side view", "bottle",
         Attributes(view="side", shape=("tall", "slim"))),
        ("one copper-coloured kettle, a pixel art picture", "kettle",
         Attributes(colours=("copper",), material="copper", style="pixel")),
        ("a shiny wooden chair, three-quarter view, a 3d render", "chair",
         Attributes(material="wooden", view="three-quarter", style="clay", condition=("glossy",))),
    ],
)  # fmt: skip
def test_parse_attributes__table(prompt, category, expected):
    assert parse_attributes(prompt, category) == expected


@pytest.mark.parametrize(
    ("prompt", "category"),
    [
        ("a photo of a single orange, in a white background", "orange"),
        ("a photo of a single orange_(fruit), in a white background", "orange_(fruit)"),
        ("a photo of a single goldfish, in a white background", "goldfish"),
        ("a photo of a single wine glass, in a white background", "wine_glass"),
        ("a photo of a single iron_(for_clothing)", "iron_(for_clothing)"),
    ],
)
def test_parse_attributes__name_is_no_attribute(prompt, category):
    found = parse_attributes(prompt, category)
    assert (found.colours, found.material) == ((), "")


def test_parse_attributes__colour_before_a_coloured_name():
    assert parse_attributes("a photo of a single green orange", "orange").colours == ("green",)


@pytest.mark.parametrize(
    ("category", "definition"),
    [
        ("apple", "fruit with red or yellow or green skin and sweet to tart crisp whitish flesh"),
        ("bowl", "a dish that is round and open at the top for serving foods, often of metal"),
        ("car", "a motor vehicle with four small rubber wheels"),
    ],
)
def test_parse_attributes__definition_is_no_attribute(category, definition):
    prompt = f"a photo of a single {category}, {definition}, in a white background"
    assert parse_attributes(prompt, category) == Attributes(background="white")


def test_parse_attributes__template_keeps_attributes_after_the_definition():
    found = parse_attributes(
        "a photo of a single cup, a small round vessel, made of glass, in a white background", "cup"
    )
    assert (found.material, found.size) == ("glass", "")


@pytest.mark.parametrize("prompt", ["", "   ", "???", "ein rotes Auto", "redcurrant jam on infrared steelwool"])
def test_parse_attributes__nothing_said(prompt):
    assert parse_attributes(prompt) == Attributes()


@pytest.mark.parametrize(
    ("text", "background"),
    [
        ("a cup in a white background", "white"),
        ("a cup on a plain white background", "white"),
        ("a cup against a soft light blue background", "blue"),
        ("a red cup isolated on a pure black backdrop", "black"),
        ("a cup", ""),
    ],
)
def test_parse_attributes__background(text, background):
    found = parse_attributes(text, "cup")
    assert found.background == background
    assert found.colours == (("red",) if "red" in text else ())
