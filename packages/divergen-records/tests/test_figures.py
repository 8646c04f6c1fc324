import io

import pytest
from divergen_records.figures import drawing, short

pytest.importorskip("matplotlib")


@pytest.mark.parametrize(
    "name", ["$x$ $y", r"$\bad{ 5$", "x" * 10_000, "a\nb\x00", "猫", "👩‍👩‍👧", "\x1b[31mred", "\ud800"]
)
@pytest.mark.parametrize("kind", ["svg", "png"])
def test_drawing__any_name(name, kind):
    from matplotlib.figure import Figure

    with drawing(font_size=9, svg_fonttype="none"):
        figure = Figure(layout="constrained")
        figure.suptitle(short(name))
        figure.add_subplot().set_xticks([0], [short(name)], rotation=90)
        figure.savefig(io.BytesIO(), format=kind)


def test_short__one_short_line():
    assert short("sports ball") == "sports ball"
    assert short("a\n b") == "a b"
    assert short("x" * 30 + "y" * 30) == "x" * 24 + "…" + "y" * 24
