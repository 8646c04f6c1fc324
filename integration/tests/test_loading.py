from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest
import yaml
from divergen.config import LvisData, RunConfig
from divergen.loading import dump_config, load_config, shipped_configs
from divergen_records import ConfigError
from divergen_train.training.config import TrainConfig
from divergen_train.training.presets import preset


def test_load_config__overrides_reach_into_lists_and_sections() -> None:
    config = load_config("quickstart", ["seed=7", "generators.1.size=128", "train.iterations=9", "train.warmup=2"])
    assert (config.seed, config.generators[1].size, config.train.iterations) == (7, 128, 9)


def test_load_config__path(tmp_path: Path) -> None:
    path = tmp_path / "my.yaml"
    path.write_text("data: {kind: minilvis, val_images: 30}\n")
    assert load_config(str(path)).data.val_images == 30


def test_load_config__the_renderer_draws_for_the_box_of_the_data() -> None:
    config = load_config("quickstart", ["data.box=modes", "generators.2.box=classic"])
    assert [generator.box for generator in config.drawing_generators] == ["modes", "modes", "classic"]
    assert "modes" in config.drawing_generators[0].revision
    assert "modes" not in config.drawing_generators[2].revision


def test_load_config__unknown_box() -> None:
    with pytest.raises(ConfigError, match=r"data.*box.*'attic': neither a YAML file nor one of classic, modes"):
        load_config("quickstart", ["data.box=attic"])


def test_load_config__folder_of_images_and_annotations(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "annotations.json").write_text("{}")
    data = load_config("coco100", [f"data={tmp_path}"]).data
    assert isinstance(data, LvisData)
    assert data.train.annotations == tmp_path / "annotations.json"


def test_load_config__paths_from_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    box = (files("divergen_minilvis.boxes") / "classic.yaml").read_text("utf-8")
    (tmp_path / "my box.yaml").write_text(box, "utf-8")
    (tmp_path / "annotations.json").write_text("{}")
    path = tmp_path / "run.yaml"
    path.write_text("name: x\ndata: {train: ~/t.json, val: {annotations: ~/v.json}}\ntrain: {init: ~/init.pt}\n")
    config = load_config(str(path), ["generators=[{kind: procedural, box: '~/my box.yaml'}]"])
    assert isinstance(config.data, LvisData)
    assert config.data.val is not None
    assert (config.data.train.annotations, config.data.val.annotations) == (tmp_path / "t.json", tmp_path / "v.json")
    assert getattr(config.train, "init", None) == tmp_path / "init.pt"
    assert config.generators[0].box == str(tmp_path / "my box.yaml")
    data = load_config(str(path), ["data=~/annotations.json"]).data
    assert isinstance(data, LvisData)
    assert data.train.annotations == tmp_path / "annotations.json"


@pytest.mark.parametrize("kind", ["", "kind: coco, ", "kind: lvis, "])
def test_load_config__splits_of_any_format(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(f"name: x\ndata: {{{kind}train: {{annotations: t.json}}, val: {{annotations: v.json}}}}\n")
    config = load_config(str(path), [])
    assert isinstance(config.data, LvisData)
    assert config.data.train.annotations.name == "t.json"


def test_load_config__recipe_with_changes_deep_inside() -> None:
    config = load_config("quickstart", ["train={recipe: bsgal-tiny, detector: {fpn_channels: 32}, lr: 0.001}"]).train
    assert config.bsgal is not None
    assert (config.detector.fpn_channels, config.detector.classifier, config.lr) == (32, "sigmoid", 0.001)


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["train=small"], preset("small")),
        (["train.preset=small"], preset("small")),
        (["train.recipe=bsgal-tiny"], preset("bsgal-tiny")),
        (["train.preset=small", "train.lr=1e-4"], preset("small").model_copy(update={"lr": 1e-4})),
    ],
)
def test_load_config__a_preset_or_recipe_starts_the_training_anew(overrides: list[str], expected: TrainConfig) -> None:
    train = load_config("quickstart", overrides).train
    assert train.model_copy(update={"bsgal": None}).model_dump(exclude={"kind"}) == expected.model_dump()


def test_load_config__folder_as_minilvis_writes_it(tmp_path: Path) -> None:
    for name in ("train", "val"):
        (tmp_path / f"{name}.json").write_text("{}")
    data = load_config("coco100", [f"data={tmp_path}"]).data
    assert data.val.annotations == tmp_path / "val.json"


def test_load_config__a_validation_set_by_its_path(tmp_path: Path) -> None:
    for name in ("mine", "theirs"):
        (tmp_path / f"{name}.json").write_text("{}")
    data = load_config("coco100", [f"data={tmp_path / 'mine.json'}", f"data.val={tmp_path / 'theirs.json'}"]).data
    assert isinstance(data, LvisData)
    assert data.val is not None
    assert (data.train.annotations.name, data.val.annotations.name) == ("mine.json", "theirs.json")


@pytest.mark.parametrize("kind", ["lvis", "coco", "yolo"])
def test_load_config__each_name_of_a_kind(kind: str) -> None:
    data = load_config("coco100", [f"data.kind={kind}", "data.train=t.json", "data.holdout=0.5"]).data
    assert isinstance(data, LvisData)
    assert (data.kind, data.holdout) == (kind, 0.5)
    with pytest.raises(ConfigError, match=r"coco100: data\.holdout: input should be less than 1"):
        load_config("coco100", [f"data={{kind: {kind}, train: t.json, holdout: 2}}"])


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("prompts.per_categry=3", "prompts.per_categry: there is no such key; did you mean 'per_category'?"),
        ("generators.0.sty=photo", "generators.0.sty: there is no such key; did you mean 'style'?"),
        ("generators.0.style=oil", "generators.0.style: 'oil' is not a style of the procedural renderer; there are"),
        ("generators.9.style=photo", "generators.9.style: '9' is not an index of a list of"),
        ("annotator={kind: sam9}", "annotator.kind: 'sam9' is not one of 'grabcut'"),
        ("train.iterations=x", "train.iterations: input should be a valid integer"),
        ("train={preset: huge}", "preset 'huge': unknown; there are"),
        ("data=nowhere", "there is no file or folder 'nowhere' in "),
        ("seed", "'seed': expected key=value"),
        ("seed=[", "seed=[: not valid YAML"),
        ("seed.deeper=1", "seed.deeper: 'seed' is 1, not a section"),
        ("train.preset=huge", "quickstart: train: preset 'huge': unknown; there are"),
        ("rulez.rules.0.op='>='", "quickstart: rulez: there is no such key; did you mean 'rules'?"),
    ],
)
def test_load_config__says_what_is_wrong(override: str, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        load_config("quickstart", ["seed=1", override])
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_load_config__unknown_name_lists_the_shipped() -> None:
    with pytest.raises(ConfigError, match=r"nor a shipped config; shipped are: bsgal-lvis, coco100, .*, quickstart"):
        load_config("quikstart")


def test_load_config__broken_yaml(tmp_path: Path) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text("data: [\n")
    with pytest.raises(ConfigError, match=r"broken\.yaml: not valid YAML"):
        load_config(str(path))


def test_load_config__missing_key() -> None:
    with pytest.raises(ConfigError, match="coco100: data: is missing"):
        load_config("coco100")


def test_dump_config__gives_the_same_config() -> None:
    config = load_config("quickstart")
    assert RunConfig.model_validate(yaml.safe_load(dump_config(config))) == config


def test_shipped_configs__say_what_they_are() -> None:
    assert all(len(description) > 20 for description in shipped_configs().values())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", r"expected a mapping of settings \(key: value\), got nothing"),
        ("- a\n", "got a list"),
        ("data: {kind: minilvis}\ngenerators: [{kind: procedural}, {kind: procedural}]\n", "2 are called 'procedural'"),
    ],
)
def test_load_config__files_that_hold_no_run(tmp_path, text, said):
    path = tmp_path / "c.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=said):
        load_config(str(path), ["seed=1"] if "data" in text else ["data=x"])
