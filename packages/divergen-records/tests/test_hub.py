"""The hub on loopback: what it knows, what the cache holds, and what is told where nobody answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace

import pytest
from divergen_records import WeightsError
from divergen_records.hub import download_size, hub_errors
from divergen_records.requirements import Finding, HubModel, look

pytest.importorskip("huggingface_hub")

FILES = {
    "model_index.json": 10,
    "v1-5-pruned.safetensors": 7000,
    "unet/config.json": 5,
    "unet/diffusion_pytorch_model.safetensors": 400,
    "unet/diffusion_pytorch_model.fp16.safetensors": 200,
    "unet/diffusion_pytorch_model.bin": 400,
    "vae/diffusion_pytorch_model.safetensors": 80,
}


class Hub(BaseHTTPRequestHandler):
    """Knows one open model and one gated one."""

    def do_GET(self) -> None:
        """Answer as the hub does."""
        name = "/".join(self.path.split("?")[0].split("/")[3:5])
        status = {"org/open": 200, "org/gated": 200}.get(name, 404)
        if "auth-check" in self.path:
            status = 403
        self.send_response(status)
        if status != 200:
            self.send_header("X-Error-Code", "GatedRepo" if status == 403 else "RepoNotFound")
        self.end_headers()
        siblings = [{"rfilename": file, "size": size} for file, size in FILES.items()]
        answer = {"id": name, "sha": "c" * 40, "gated": "manual" if name == "org/gated" else False}
        self.wfile.write(json.dumps({**answer, "siblings": siblings}).encode())

    def log_message(self, *_: object) -> None:
        """Be quiet."""


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A hub that answers, and an empty cache."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", url)
    monkeypatch.setattr("huggingface_hub.hf_api.constants.ENDPOINT", url)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    yield tmp_path
    server.shutdown()
    server.server_close()


def found(model: str, variant: str | None = None) -> Finding:
    answer = look(HubModel(model, variant=variant))
    assert answer is not None
    return answer


@pytest.mark.usefixtures("hub")
@pytest.mark.parametrize(("variant", "size"), [(None, 480 + 15), ("fp16", 280 + 15)])
def test_look__size_to_download(variant: str | None, size: int) -> None:
    answer = found("org/open", variant)
    assert (answer.problem, answer.download) == (False, size), answer.text


@pytest.mark.usefixtures("hub")
@pytest.mark.parametrize(
    ("model", "said"),
    [("org/no-such", "is neither here nor a public model of the hub"), ("org/gated", "is behind a licence: accept it")],
)
def test_look__problems(model: str, said: str) -> None:
    answer = found(model)
    assert answer.problem
    assert said in answer.text


def test_look__from_the_cache_when_nobody_answers(hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    assert "the hub cannot be reached" in found("org/open").text
    folder = hub / "models--org--open"
    (folder / "snapshots" / "abc" / "unet").mkdir(parents=True)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text("abc")
    (folder / "snapshots" / "abc" / "unet" / "m.safetensors").write_bytes((2).to_bytes(8, "little") + b"{}")
    answer = found("org/open")
    assert not answer.problem
    assert "is in the hub's cache" in answer.text


def test_download_size__of_transformers_weights() -> None:
    assert download_size({"config.json": 2, "model.safetensors": 50, "pytorch_model.bin": 60, "tf_model.h5": 9}) == 52


@pytest.mark.parametrize(
    ("error", "message"),
    [
        ("GatedRepoError", "behind a licence"),
        ("RevisionNotFoundError", "no such revision"),
        ("RepositoryNotFoundError", "neither here nor a public model"),
    ],
)
def test_hub_errors__say_what_to_do(error, message):
    errors = pytest.importorskip("huggingface_hub").errors
    response = SimpleNamespace(status_code=401, headers={}, request=None, url="")
    with pytest.raises(WeightsError, match=message), hub_errors("org/name"):
        raise getattr(errors, error)("no", response=response)
