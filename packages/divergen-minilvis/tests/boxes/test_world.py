from collections import Counter

import numpy as np
from divergen_minilvis.boxes import generated_member, read_box, real_light, real_member

MODES, CLASSIC = read_box("modes"), read_box("classic")
PROMPT = "a photo of a single cup, in a white background"


def members(box, count, category="cup"):
    rng = np.random.default_rng(0)
    return [real_member(box, category, real_light(box, rng), rng) for _ in range(count)]


def families(style, box=MODES):
    return Counter(generated_member(box, style, "cup", PROMPT, seed).family for seed in range(400))


def test_real_member__shows_all_families_evenly():
    found = Counter(member.family for member in members(MODES, 800))
    assert len(found) == MODES.world.families
    assert max(found.values()) < 1.5 * min(found.values())


def test_real_member__few_draws_show_few_families():
    seen = np.mean([len({m.family for m in members(MODES, 200)[i : i + 4]}) for i in range(0, 200, 4)])
    assert seen / MODES.world.families < 0.5  # what the box's file says of the median rare category


def test_real_member__materials_stay_in_their_kin():
    fur = {member.attributes.material for member in members(MODES, 200, "dog")}
    cups = {member.attributes.material for member in members(MODES, 200)}
    assert fur == {""}
    assert len(cups) > 3
    assert not cups & {"fabric", "wool", "leather"}


def test_members__of_a_box_without_a_world():
    assert members(CLASSIC, 1) == [None]
    assert generated_member(CLASSIC, "photo", "cup", PROMPT, 1) is None


def test_generated_member__each_style_knows_a_part_and_all_of_them_all():
    known = {style: set(families(style)) for style in MODES.generators}
    everything = {member.family for member in members(MODES, 800)}
    assert set.union(*known.values()) == everything
    for style, found in known.items():
        assert len(found) == len(MODES.generators[style].families)
        others = set.union(*(known[other] for other in known if other != style))
        assert found - others  # it knows what no other does


def test_generated_member__a_style_that_the_box_does_not_name_knows_all_and_never_fails():
    assert len(families("watercolor")) == MODES.world.families
    assert {generated_member(MODES, "watercolor", "cup", PROMPT, seed).fault for seed in range(100)} == {""}


def test_generated_member__fails_as_often_as_the_box_says():
    faults = Counter(generated_member(MODES, "illustration", "cup", PROMPT, seed).fault for seed in range(2000))
    assert abs(faults["cropped"] / 2000 - MODES.generators["illustration"].faults["cropped"]) < 0.02
    assert set(faults) == {"", "cropped", "faint"}


def test_generated_member__the_prompt_brings_its_light():
    dark = generated_member(MODES, "photo", "cup", "a dimly lit photo of a cup, in a white background", 1)
    assert dark.light == MODES.world.lights["dusk"].shot
    assert generated_member(MODES, "photo", "cup", PROMPT, 1).light == {}


def test_generated_member__has_its_style_s_own_numbers_beside_the_light_of_the_prompt():
    box = read_box("proof")
    own = box.generators["photo"].shot
    assert generated_member(box, "photo", "cup", PROMPT, 1).light == own
    lit = generated_member(box, "photo", "cup", "a dimly lit photo of a cup, in a white background", 1).light
    assert lit == {**own, **box.world.lights["dusk"].shot}
    assert generated_member(box, "watercolor", "cup", PROMPT, 1).light == {}
