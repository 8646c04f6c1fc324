"""A hub on loopback, as much of it as pushing and pulling a dataset needs."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import pytest

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub(ThreadingHTTPServer):
    """Files of one dataset, ``org/name``; none until it is made."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, bytes] | None = None
        self.private = False
        self.refuses = 0

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Hub

    def log_message(self, *args: Any) -> None: ...

    def _send(self, status: int, body: bytes | dict[str, Any] | list[Any], **headers: str) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = urlsplit(self.path).path
        if self.server.refuses:
            self._send(self.server.refuses, {"error": "no"})
        elif path == "/api/repos/create":
            self.server.files = self.server.files or {}
            self.server.private = json.loads(body).get("private") or json.loads(body).get("visibility") == "private"
            self._send(200, {"url": f"{self.server.address}/datasets/org/name", "name": "org/name"})
        elif "/preupload/" in path:
            named = [
                {"path": file["path"], "uploadMode": "regular", "shouldIgnore": False}
                for file in json.loads(body)["files"]
            ]
            self._send(200, {"files": named})
        elif "/commit/" in path:
            assert self.server.files is not None
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    self.server.files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
                elif line["key"] == "deletedFile":
                    self.server.files.pop(line["value"]["path"], None)
            self._send(
                200, {"commitOid": COMMIT, "commitUrl": f"{self.server.address}/datasets/org/name/commit/{COMMIT}"}
            )
        else:
            self._send(200, {"errors": [], "warnings": []})  # the card's own check

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        files = self.server.files
        if files is None:
            self._send(404, {"error": "not found"}, X_Error_Code="RepoNotFound")
        elif "/tree/" in path:
            self._send(
                200, [{"type": "file", "path": name, "size": len(data), "oid": COMMIT} for name, data in files.items()]
            )
        elif "/resolve/" in path:
            data = files[path.split(f"/{COMMIT}/", 1)[1]]
            etag = hashlib.sha256(data).hexdigest()
            self._send(200, data, ETag=f'"{etag}"', X_Repo_Commit=COMMIT)
        else:
            siblings = [{"rfilename": name, "size": len(data)} for name, data in files.items()]
            self._send(200, {"id": "org/name", "sha": COMMIT, "siblings": siblings, "tags": [], "private": False})

    def do_HEAD(self) -> None:
        self.do_GET()


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    server = Hub()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    from huggingface_hub import constants, hf_api

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", server.address)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path_factory.mktemp("hub")))
    monkeypatch.setattr(
        constants, "HUGGINGFACE_CO_URL_TEMPLATE", server.address + "/{repo_id}/resolve/{revision}/{filename}"
    )
    monkeypatch.setattr(hf_api, "ENDPOINT", server.address, raising=False)
    monkeypatch.setenv("HF_TOKEN", "hf_nobody")
    yield server
    server.shutdown()
    server.server_close()
