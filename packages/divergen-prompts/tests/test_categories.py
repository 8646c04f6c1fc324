from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import pytest
from divergen_prompts.categories import read_categories
from divergen_prompts.templates import template_prompts
from divergen_records import DatasetError, MissingExtra


def test_read_categories__lvis_list(lvis_file: Path) -> None:
    categories = read_categories(lvis_file)
    assert len(categories) == 1203
    assert categories[0].definition == "a dispenser that holds a substance under pressure"
    assert categories[0].frequency == "c"


def test_read_categories__coco_dataset(coco_file: Path) -> None:
    assert len(read_categories(coco_file)) == 80


@pytest.mark.parametrize(
    ("suffix", "text"),
    [
        (".json", '[{"id": 7, "name": "bow", "def": "a weapon", "supercategory": "x"}]'),
        (".json", '{"categories": [{"id": 7, "name": "bow", "def": "a weapon"}], "images": []}'),
        (".csv", "id,name,definition,ignored\n7,bow,a weapon,1\n"),
        (".tsv", "id\tname\tdef\n7\tbow\ta weapon\n"),
        (".yaml", "- {id: 7, name: bow, definition: a weapon}"),
        (".csv", "Id;Name;Definition\n7;bow;a weapon\n"),
        (".jsonl", '{"id": 7, "name": "bow", "def": "a weapon"}\n\n'),
    ],
)
def test_read_categories__tables(tmp_path: Path, suffix: str, text: str) -> None:
    (tmp_path / f"c{suffix}").write_text(text)
    (category,) = read_categories(tmp_path / f"c{suffix}")
    assert (category.id, category.name, category.definition) == (7, "bow", "a weapon")


@pytest.mark.parametrize(
    ("suffix", "text"),
    [
        (".csv", 'id,name,definition\r\n7,bow,"a\nlong\u2028weapon"\r\n'),
        (".jsonl", '{"id": 7, "name": "bow", "def": "a\\nlong\u2028weapon"}\r\n'),
    ],
)
def test_read_categories__lines_within_a_text(tmp_path: Path, suffix: str, text: str) -> None:
    (tmp_path / f"c{suffix}").write_bytes(text.encode())
    (category,) = read_categories(tmp_path / f"c{suffix}")
    assert (category.id, category.name, category.definition) == (7, "bow", "a\nlong\u2028weapon")


@pytest.mark.parametrize(
    ("suffix", "text"),
    [
        (".txt", "# names\nbow: a weapon\n\nmouse\n"),
        (".txt", "bow\ta weapon\nmouse"),
        (".json", '{"bow": "a weapon", "mouse": null}'),
        (".yml", "bow: a weapon\nmouse:\n"),
    ],
)
def test_read_categories__names_get_ids_in_order(tmp_path: Path, suffix: str, text: str) -> None:
    (tmp_path / f"c{suffix}").write_text(text)
    bow, mouse = read_categories(tmp_path / f"c{suffix}")
    assert (bow.id, bow.name, bow.definition) == (1, "bow", "a weapon")
    assert (mouse.id, mouse.name, mouse.definition) == (2, "mouse", None)


@pytest.mark.parametrize(
    ("suffix", "text"),
    [(".txt", "3: cup\n07\tbowl\n"), (".json", '{"3": "cup", "7": "bowl"}'), (".yaml", "3: cup\n7: bowl")],
)
def test_read_categories__numbers_before_names_are_ids(tmp_path: Path, suffix: str, text: str, capsys) -> None:
    (tmp_path / f"c{suffix}").write_text(text)
    assert [(one.id, one.name) for one in read_categories(tmp_path / f"c{suffix}")] == [(3, "cup"), (7, "bowl")]
    assert "'3' and the like are read as ids" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("c.json", "[{]", "not JSON"),
        ("c.json", "3", "holds no list of categories"),
        ("c.json", "[]", "holds no categories"),
        ("c.json", "[3]", "entry 1 is neither a category nor a name"),
        ("c.json", '[{"id": 4}]', "category 4 (number 1 of the file): has no name"),
        ("c.json", '[{"id": 4, "name": ""}]', "has no name"),
        ("c.json", '[{"id": "x", "name": "a"}]', "id: "),
        ("c.json", '[{"id": 4, "name": "__"}]', "no name to prompt for"),
        ("c.json", '[{"id": 4, "name": "a"}, {"id": 4, "name": "b"}]', "'a' and 'b' share the id 4"),
        ("c.csv", "id,title\n1,x\n", "no column 'name'"),
        ("missing.json", None, "cannot be read"),
    ],
)
def test_read_categories__bad_input_names_file_and_place(
    tmp_path: Path, name: str, text: str | None, said: str
) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(DatasetError) as raised:
        read_categories(tmp_path / name)
    assert said in str(raised.value)
    assert name in str(raised.value)


def test_read_categories__a_name_without_a_word_is_told_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "c.json").write_text('[{"id": 4, "name": ".."}, {"id": 5, "name": "a/b"}]')
    found = read_categories(tmp_path / "c.json")
    prompts = list(template_prompts(found))
    assert [one.category for one in prompts] == ["..", "a/b"]
    assert capsys.readouterr().err == (
        "category 4, '..': a name without a letter or digit says nothing to a generator; rename it\n"
    )


def test_read_categories__bad_yaml_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("- {a: b")
    with pytest.raises(DatasetError, match="not valid YAML"):
        read_categories(tmp_path / "c.yaml")


def test_read_categories__binary_file(tmp_path: Path) -> None:
    (tmp_path / "c.txt").write_bytes(b"\xff\xfe\x00\x01\x80")
    with pytest.raises(DatasetError, match="no UTF-8 text"):
        read_categories(tmp_path / "c.txt")


ITEM = "item {{\n  id: {}\n  name: '/m/{}'\n  display_name: \"{}\"\n}}\n"
COCO = '[{"id": 3, "name": "cup"}, {"id": 5, "name": "dog"}]'


@pytest.mark.parametrize(
    ("name", "text", "ids"),
    [
        ("map.pbtxt", ITEM.format(3, "c", "cup") + ITEM.format(5, "d", "dog"), (3, 5)),
        ("data.yaml", "train: images\nnc: 2\nnames:\n  0: cup\n  1: dog\n", (1, 2)),
        ("data.yaml", "names: [cup, dog]\ntrain: images\n", (1, 2)),
        ("names.txt", "names:\n  0: cup\n  1: dog\n", (1, 2)),
        ("list.txt", "- cup\n- dog\n", (1, 2)),
        ("coco.txt", COCO, (3, 5)),
        ("lvis.txt", '{"categories": ' + COCO + "}", (3, 5)),
        ("lines.txt", COCO[1:-1].replace("}, ", "}\n"), (3, 5)),
        ("label2id.json", '{"cup": 0, "dog": 1}', (0, 1)),
        ("table", "id,name\n3,cup\n5,dog\n", (3, 5)),
        ("numbers.txt", "0 cup\n1 dog\n", (0, 1)),
        ("numbers.txt", "1. cup: a vessel\n2. dog\n", (1, 2)),
    ],
)
def test_read_categories__text_is_taken_as_it_is(tmp_path: Path, name: str, text: str, ids: tuple[int, ...]) -> None:
    (tmp_path / name).write_text(text)
    found = read_categories(tmp_path / name)
    assert [(one.id, one.name) for one in found] == [(ids[0], "cup"), (ids[1], "dog")]


def test_read_categories__plain_names_that_look_like_other_forms(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("item\nname\n7 up\ntench, Tinca tinca\n")
    assert [one.name for one in read_categories(tmp_path / "x.txt")] == ["item", "name", "7 up", "tench, Tinca tinca"]


@pytest.mark.parametrize("text", ["<label>cup</label>", "names = obj.names", "cup, dog, bird", "item {\n id: 1"])
def test_read_categories__text_that_is_no_list_of_names_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.txt").write_text(text)
    with pytest.raises(DatasetError, match=r"x.txt: is"):
        read_categories(tmp_path / "x.txt")


@pytest.mark.skipif(find_spec("timm") is None, reason="timm is not installed")
def test_read_categories__imagenet_tells_the_two_cranes_apart() -> None:
    categories = read_categories("imagenet")
    cranes = [category for category in categories if category.name == "crane"]
    assert len(categories) == 1000
    assert [crane.synset for crane in cranes] == ["n02012849", "n03126707"]
    assert "wading bird" in (cranes[0].definition or "")
    json.dumps([category.model_dump() for category in categories])


@pytest.mark.skipif(find_spec("timm") is not None, reason="timm is installed")
def test_read_categories__imagenet_without_timm_says_how_to_install() -> None:
    with pytest.raises(MissingExtra, match=r"divergen-prompts\[imagenet\]"):
        read_categories("imagenet")


@pytest.mark.parametrize("odd", [{"id": [1], "name": "x"}, {"id": 2, "name": ["x"]}, {"id": 2, "name": {}}, [], None])
def test_read_categories__an_odd_row_of_a_data_set_is_one_sentence(tmp_path: Path, odd: object) -> None:
    path = tmp_path / "coco.json"
    path.write_text(json.dumps({"categories": [{"id": 1, "name": "fig"}, odd], "annotations": [{"category_id": 1}]}))
    with pytest.raises(DatasetError, match=r"coco\.json: "):
        read_categories(path)


def test_read_categories__a_root_is_left_out_and_told(tmp_path, capsys):
    path = tmp_path / "coco.json"
    rows = [{"id": 0, "name": "fruits", "supercategory": "none"}, {"id": 1, "name": "fig", "supercategory": "fruits"}]
    path.write_text(json.dumps({"categories": rows, "annotations": [{"category_id": 1}]}))
    assert [category.name for category in read_categories(path)] == ["fig"]
    assert "'fruits' only heads the others" in capsys.readouterr().err
    path.write_text(json.dumps({"categories": rows, "annotations": [*({"category_id": x} for x in ([2], 0, 1))]}))
    assert [category.name for category in read_categories(path)] == ["fruits", "fig"]


def test_read_categories__text_that_is_none_and_names_that_several_have(tmp_path, capsys):
    path = tmp_path / "names.txt"
    path.write_bytes("cup\nhat\n".encode("utf-16-be"))
    with pytest.raises(DatasetError, match="letters that no text has; save the file as UTF-8"):
        read_categories(path)
    path.write_text("mug\nhat\nmug\n")
    assert len(read_categories(path)) == 3
    assert capsys.readouterr().err.count("2 categories are called 'mug'") == 1
