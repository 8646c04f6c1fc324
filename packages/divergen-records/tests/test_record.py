import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import pytest
from divergen_records import Category, Config, InstanceRecord, PromptRecord
from pydantic import ValidationError

PLANNED = {
    "id": "00ff",
    "category_id": 1,
    "category": "cup",
    "prompt": "a cup",
    "generator": "procedural",
    "generator_revision": "1",
    "seed": 7,
}


def test_instance_record__planned_is_pending_everywhere():
    record = InstanceRecord(**PLANNED)
    assert {name for name, value in record if value is not None} == set(PLANNED)


def test_instance_record__json_round_trip():
    record = InstanceRecord(**PLANNED, image=b"\xff\xd8\x00", bbox=(1, 2, 3, 4), sharpness=0.5, kept=True)
    text = record.model_dump_json()
    assert json.loads(text)["image"] == base64.urlsafe_b64encode(b"\xff\xd8\x00").decode()
    assert InstanceRecord.model_validate_json(text) == record


def test_instance_record__is_frozen():
    record = InstanceRecord(**PLANNED)
    with pytest.raises(ValidationError, match="frozen"):
        record.seed = 8


def test_instance_record__carries_declared_columns():
    record = InstanceRecord(**PLANNED, sharpness=0.5).model_copy(update={"contrast": 0.1, "kept": True})
    assert record.model_extra == {"sharpness": 0.5, "contrast": 0.1}
    assert record.model_dump()["contrast"] == 0.1


@pytest.mark.parametrize("model", [Category, PromptRecord])
def test_other_records__are_strict_about_keys(model):
    with pytest.raises(ValidationError, match="Extra inputs"):
        model(colour="red")


@pytest.mark.parametrize("change", [{"seed": -1}, {"seed": 2**63}, {"image_format": "bmp"}, {"bbox": (1, 2, 3)}])
def test_instance_record__refuses(change):
    with pytest.raises(ValidationError):
        InstanceRecord(**PLANNED | change)


def test_instance_record__failed_keeps_the_row():
    failed = InstanceRecord(**PLANNED).failed("gen", "out of memory")
    assert (failed.id, failed.error_stage, failed.error) == ("00ff", "gen", "out of memory")


def test_instance_record__repr_leaves_out_the_bytes():
    assert "PNG" not in repr(InstanceRecord(**PLANNED, image=b"PNG" * 1000))


@pytest.mark.parametrize(
    ("name", "label"),
    [("sports_ball", "sports ball"), ("bow_(weapon)", "bow"), ("cup", "cup"), ("hot_air_balloon", "hot air balloon")],
)
def test_category__label(name, label):
    assert Category(id=1, name=name).label == label


def test_category__name_is_needed():
    with pytest.raises(ValidationError):
        Category(id=1, name="")


def test_prompt_record__defaults():
    prompt = PromptRecord(text="a photo of a cup", category_id=1, category="cup", source="template")
    assert prompt.attributes == {}
    assert PromptRecord.model_validate_json(prompt.model_dump_json()) == prompt


def test_config__unknown_key_is_an_error():
    class Thing(Config):
        size: int = 1

    with pytest.raises(ValidationError, match="sise"):
        Thing(sise=2)


def test_config__the_home_folder_in_paths_alone(monkeypatch):
    class Thing(Config):
        name: str
        weights: Literal["none"] | Path = "none"
        more: Mapping[str, Path] = {}

    monkeypatch.setenv("HOME", "/me")
    thing = Thing(name="~/x", weights="~/x.pt", more={"a": "~/a", "b": "~nobody-here/b"})
    more = {"a": Path("/me/a"), "b": Path("~nobody-here/b")}
    assert thing == Thing(name="~/x", weights=Path("/me/x.pt"), more=more)
