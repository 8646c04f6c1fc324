"""What a configuration needs is data that can be looked at by itself."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest
from divergen_records import Config
from divergen_records.endpoint.reach import EndpointAnswers
from divergen_records.requirements import HubModel, InputFile, Module, Requirement, look, requirements_of


class Part(Config):
    """Needs a file."""

    path: Path

    def requirements(self) -> Iterable[Requirement]:
        """A file."""
        yield InputFile(self.path, "it is published")


class Whole(Config):
    """Holds parts in every way."""

    one: Part
    several: tuple[Part, ...] = ()
    named: dict[str, Part]


def test_requirements_of__finds_parts_at_any_depth() -> None:
    parts = [Part(path=Path(letter)) for letter in "abcd"]
    whole = Whole(one=parts[0], several=tuple(parts[1:3]), named={"x": parts[3]})
    places = {place: need.path.name for place, need in requirements_of(whole, "w")}  # type: ignore[attr-defined]
    assert places == {"w.one": "a", "w.several.0": "b", "w.several.1": "c", "w.named.x": "d"}


@pytest.mark.parametrize(("content", "said"), [(None, "is not there; it is published"), (b"", "is empty (0 bytes)")])
def test_look__input_file(tmp_path: Path, content: bytes | None, said: str) -> None:
    path = tmp_path / "w.pth"
    if content is not None:
        path.write_bytes(content)
    found = look(InputFile(path, "it is published"))
    assert found is not None
    assert found.problem
    assert said in found.text


def test_look__module() -> None:
    assert look(Module("json", "")) is None
    found = look(Module("no_such_module", "pip install it"))
    assert found is not None
    assert found.text == "no_such_module is not installed: pip install it"


@pytest.mark.parametrize("model", ["/nowhere/model", "./model", "a/b/c", "sam.pth"])
def test_look__neither_a_path_nor_a_hub_id(model: str) -> None:
    pytest.importorskip("huggingface_hub")
    found = look(HubModel(model))
    assert found is not None
    assert found.problem
    assert f"{model} does not exist" in found.text


def test_look__folder_of_a_model(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    lacking = look(HubModel(str(tmp_path)))
    assert lacking is not None
    assert "holds no weights" in lacking.text
    (tmp_path / "model.safetensors").write_bytes(b"1" * 1000)
    found = look(HubModel(str(tmp_path)))
    assert found is not None
    assert (found.problem, found.weights, found.download) == (False, 1002, 0)


@pytest.mark.parametrize(
    ("url", "said"),
    [("http://127.0.0.1:9/v1", "does not answer"), ("localhost:8000", "expected an address such as http")],
)
def test_look__endpoint(url: str, said: str) -> None:
    found = look(EndpointAnswers("m", url))
    assert found is not None
    assert found.problem
    assert said in found.text
