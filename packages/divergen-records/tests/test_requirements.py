"""What a configuration needs is data that can be looked at by itself."""

from __future__ import annotations

from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from divergen_records import Config
from divergen_records.endpoint.reach import EndpointAnswers
from divergen_records.requirements import HubModel, InputFile, InputPath, Module, Requirement, look, requirements_of

NO_TENSORS = (2).to_bytes(8, "little") + b"{}"
"""A safetensors file that holds none."""


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
    assert found.text == "no_such_module is not installed; pip install it"


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
    (tmp_path / "model.safetensors").write_bytes(NO_TENSORS)
    found = look(HubModel(str(tmp_path)))
    assert found is not None
    assert (found.problem, found.weights, found.download) == (False, 2 + len(NO_TENSORS), 0)


@pytest.mark.parametrize(
    ("url", "said"),
    [("http://127.0.0.1:9/v1", "does not answer"), ("localhost:8000", "expected an address such as http")],
)
def test_look__endpoint(url: str, said: str) -> None:
    found = look(EndpointAnswers("m", url))
    assert found is not None
    assert found.problem
    assert said in found.text


class Server(BaseHTTPRequestHandler):
    """Answers with the status that the address begins with; 200 is a page."""

    def do_GET(self) -> None:
        body, status = b"<html></html>", int(self.path.split("/")[1])
        self.send_response(status)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, *args: object) -> None:
        """Nothing."""


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (401, "refuses the key of OPENAI_API_KEY"),
        (404, "has neither /models nor /chat/completions (HTTP 404); mend base_url"),
        (500, "is down (HTTP 500)"),
        (200, "is a web page; mend base_url"),
    ],
)
def test_look__endpoint_that_is_none(status: int, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-x")
    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        found = look(EndpointAnswers("m", f"http://127.0.0.1:{server.server_port}/{status}/v1"))
        server.shutdown()
    assert found is not None
    assert found.problem
    assert said in found.text


def test_look__model_of_another_kind(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(NO_TENSORS)
    found = look(HubModel(str(tmp_path), layout="pipeline"))
    assert found is not None
    assert found.problem
    assert "is not a pipeline of diffusers: it holds no model_index.json, and looks like a model" in found.text
    assert not getattr(look(HubModel(str(tmp_path), layout="transformers")), "problem", True)


def test_look__input_path(tmp_path: Path) -> None:
    assert look(InputPath(tmp_path, "")) is None
    found = look(InputPath(tmp_path / "crops", "name another"))
    assert found is not None
    assert found.text.endswith("crops is not there; name another")
