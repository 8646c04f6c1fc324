import importlib.metadata
from typing import Literal

import pytest
from divergen_records import Config, backend_union
from pydantic import TypeAdapter, ValidationError


class OneConfig(Config):
    kind: Literal["one"] = "one"
    size: int = 1


class TwoConfig(Config):
    kind: Literal["two"] = "two"


class OutsideConfig(Config):
    kind: Literal["outside"] = "outside"


def test_backend_union__told_apart_by_kind():
    adapter = TypeAdapter(backend_union("divergen.test", OneConfig, TwoConfig))
    assert adapter.validate_python({"kind": "two"}) == TwoConfig()
    assert adapter.validate_python({"kind": "one", "size": 3}).size == 3


def test_backend_union__unknown_kind_names_the_known_ones():
    with pytest.raises(ValidationError, match="'one', 'two'"):
        TypeAdapter(backend_union("divergen.test", OneConfig, TwoConfig)).validate_python({"kind": "three"})


def test_backend_union__one_backend_is_itself():
    assert backend_union("divergen.test", OneConfig) is OneConfig


def test_backend_union__outside_packages_join(monkeypatch):
    class Point:
        name = "outside"

        @staticmethod
        def load():
            return OutsideConfig

    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: [Point] if group == "divergen.test" else [])
    adapter = TypeAdapter(backend_union("divergen.test", OneConfig))
    assert adapter.validate_python({"kind": "outside"}) == OutsideConfig()
