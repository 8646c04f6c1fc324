import os

import pytest
from divergen_records.file_names import fit_beside, fit_path


@pytest.mark.parametrize("letter", ["x", "é", "樹"])
def test_fit_path__a_name_without_room_is_cut_and_kept_apart(tmp_path, letter):
    stems = [f"train/{letter * (240 // len(letter.encode()))}{end}" for end in ("a", "b")]
    paths = [tmp_path / fit_path(stem, "_paste1.jpeg.json") for stem in stems]
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        path.write_text("x")
        assert 250 < len(os.fsencode(path.name)) <= 255
    assert len(list((tmp_path / "train").iterdir())) == 2


def test_fit_path__other_names_stay():
    assert fit_path("./a/b", ".png") == "./a/b.png"
    assert fit_path("x" * 251, ".png") == "x" * 251 + ".png"
    assert len(fit_path("\udcff" * 300, ".png")) <= 255


def test_fit_beside__of_a_picture():
    assert fit_beside("a//b.jpg", ".json") == "a//b.jpg"
    name = fit_beside("a/" + "x" * 251 + ".jpg", ".json")
    assert len(name) == 2 + 254
    assert name.endswith(".jpg")
