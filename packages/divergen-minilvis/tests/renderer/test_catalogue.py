import pytest
from divergen_minilvis.renderer import CATEGORIES, category_names, known

COCO = """
person bicycle car motorcycle airplane bus train truck boat traffic_light fire_hydrant stop_sign parking_meter bench
bird cat dog horse sheep cow elephant bear zebra giraffe backpack umbrella handbag tie suitcase frisbee skis
snowboard sports_ball kite baseball_bat baseball_glove skateboard surfboard tennis_racket bottle wine_glass cup fork
knife spoon bowl banana apple sandwich orange broccoli carrot hot_dog pizza donut cake chair couch potted_plant bed
dining_table toilet tv laptop mouse remote keyboard cell_phone microwave oven toaster sink refrigerator book clock
vase scissors teddy_bear hair_drier toothbrush
""".split()  # noqa: SIM905


@pytest.mark.parametrize("name", COCO)
def test_known__coco(name):
    assert known(name) == name
    assert known(name.replace("_", " ").title()) == name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mug", "cup"),
        ("orange_(fruit)", "orange"),
        ("car_(automobile)", "car"),
        ("bus_(vehicle)", "bus"),
        ("cellular_telephone", "cell_phone"),
        ("television_set", "tv"),
        ("mouse_(computer_equipment)", "mouse"),
        ("television set", "tv"),
        ("aardvark", None),
        ("", None),
    ],
)
def test_known__names_of_datasets(name, expected):
    assert known(name) == expected


def test_known__synonyms():
    assert known("no_such_thing", ["nor_this", "sofa"]) == "couch"


def test_category_names__sorted_and_many():
    names = category_names()
    assert list(names) == sorted(CATEGORIES)
    assert len(names) >= 100


def test_categories__no_alias_twice():
    aliases = [alias for program in CATEGORIES.values() for alias in program.aliases]
    assert len(aliases) == len(set(aliases))
    assert not set(aliases) & set(CATEGORIES)
