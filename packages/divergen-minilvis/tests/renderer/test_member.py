import numpy as np
import pytest
from divergen_minilvis.renderer import FAULTS, Attributes, Member, render_object, render_picture

PLAIN = "a photo of it, in a white background"


def silhouette(family, seed, spread=0.3):
    member = Member(family=family, spread=spread, stretch=0.2, attributes=Attributes(view="side"))
    return render_object("teapot", Attributes(), seed=seed, size=48, style="real", member=member).alpha


def shape(alpha):
    return alpha.shape[0] / alpha.shape[1]


def test_member__the_same_seed_gives_the_same_pixels():
    assert np.array_equal(silhouette(5, 1), silhouette(5, 1))


def test_member__a_family_is_alike_and_families_differ():
    inside = [np.std([shape(silhouette(family, seed)) for seed in range(6)]) for family in range(4)]
    between = np.std([np.mean([shape(silhouette(family, seed)) for seed in range(6)]) for family in range(8)])
    assert between > 2 * np.mean(inside)


@pytest.mark.parametrize(
    ("asked", "colours", "material"),
    [
        (Attributes(), ("navy",), "wooden"),
        (Attributes(colours=("red",)), ("red",), "wooden"),
        (Attributes(material="glass"), (), "glass"),
    ],
)
def test_member__what_the_prompt_says_wins(asked, colours, material):
    member = Member(family=1, attributes=Attributes(colours=("navy",), material="wooden", view="back"))
    found = member.filled(asked)
    assert (found.colours, found.material, found.view) == (colours, material, "back")


def test_member__its_light_is_seen():
    def brightness(key):
        member = Member(family=1, light={"key": (key, key), "ambient": (0.2, 0.2), "exposure": (1.0, 1.0)})
        drawn = render_object("cup", Attributes(colours=("grey",)), seed=1, size=48, style="real", member=member)
        return drawn.rgb.sum() / drawn.alpha.sum()

    assert brightness(1.2) > 1.1 * brightness(0.4)


@pytest.mark.parametrize("fault", FAULTS)
def test_member__its_fault_is_seen(fault):
    whole, failed = (
        render_picture("cup", PLAIN, seed=4, size=48, style="photo", member=Member(family=1, fault=each))
        for each in ("", fault)
    )
    assert not np.array_equal(whole.image, failed.image)
