import pytest
from divergen_minilvis import ProceduralConfig
from divergen_minilvis.boxes import BOXES, read_box
from divergen_records import ConfigError
from divergen_records.yaml_files import dump_yaml

HABIT = {"families": [1], "finishes": [0], "poses": [0], "faults": {}}


@pytest.mark.parametrize("name", BOXES)
def test_read_box__each_that_comes_along(name):
    assert read_box(name).name == name


@pytest.mark.parametrize("name", ["modes", "proof"])
def test_read_box__there_is_enough_to_tell(name):
    box = read_box(name)
    assert box.val.images >= 600
    assert box.val.tail >= 15
    known = [number for habit in box.generators.values() for number in habit.families]
    assert set(known) == set(range(box.world.families))  # all are known to one generator at least
    assert all(len(set(habit.families)) < box.world.families for habit in box.generators.values())  # to none, all


def written(folder, **changes):
    values = read_box("modes").model_dump(mode="json")
    path = folder / "mine.yaml"
    path.write_text(dump_yaml({**values, **changes}))
    return str(path)


def test_read_box__of_a_file(tmp_path, monkeypatch):
    assert read_box(written(tmp_path, name="mine", size=96)).size == 96
    monkeypatch.chdir(tmp_path)
    config = ProceduralConfig(box="mine.yaml")
    assert config.box == str(tmp_path / "mine.yaml")  # wherever a run goes on
    assert "/mine-" in config.revision


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"size": 8}, "mine.yaml: size: "),
        ({"speed": 8}, "mine.yaml: speed: "),
        ({"world": None}, "there is no world"),
        ({"generators": {"cgi": {**HABIT, "families": [8]}}}, "are 0 to 7"),
        ({"generators": {"cgi": {**HABIT, "faults": {"late": 1}}}}, "'late'"),
        ({"generators": {"cgi": {**HABIT, "shot": {"flare": [0, 1]}}}}, "'flare' is no number of a shot"),
        ({"categories": ["cup"]}, "mine.yaml: categories"),
        ({"generators": {"cgi": {**HABIT, "faults": {"torn": 0.6, "noise": 0.6}}}}, "more than 1 together"),
    ],
)
def test_read_box__refuses_a_wrong_file(tmp_path, changes, message):
    with pytest.raises(ConfigError, match=message):
        read_box(written(tmp_path, **changes))


def test_read_box__names_every_wrong_key(tmp_path):
    (tmp_path / "own.yaml").write_text("nmae: mine\nsiez: 96")
    with pytest.raises(ConfigError) as caught:
        read_box(str(tmp_path / "own.yaml"))
    for wrong in ("name: is missing", "nmae: there is no such key", "siez: there is no such key"):
        assert f"own.yaml: {wrong}" in str(caught.value)


def test_read_box__unknown_name():
    with pytest.raises(ConfigError, match="classic, modes, proof"):
        read_box("attic")
