"""ComfyUI's HTTP interface, as far as a picture needs it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote, urlencode
from urllib.request import Request, urlopen

from divergen_records.endpoint.errors import EndpointError, Refused
from divergen_records.endpoint.secrets import NO_KEY, Redactor, read_key
from divergen_records.requirements import Finding

__all__ = ["Server", "ServerAnswers"]

_SECONDS = 60
"""For one answer; a workflow's time is another."""
_LARGEST = 100_000_000
"""Bytes of one picture."""
_LONGEST = 300
_ANY_SEED = 2**63 - 1
_PASSES = (408, 425, 429, 500, 502, 503, 504)


class Server:
    """A ComfyUI server.

    Args:
        base_url: Where it is.
        key_variable: Environment variable of a key, which goes to the server alone; none is sent where it is empty.
        retries: Further attempts where it does not answer.
        backoff: Seconds before the second; doubles with each.
    """

    def __init__(self, base_url: str, key_variable: str, *, retries: int = 0, backoff: float = 0.0) -> None:
        self._url, self._retries, self._backoff = base_url.rstrip("/"), retries, backoff
        self._key, self._key_variable = read_key(key_variable, base_url), key_variable
        self._redact = Redactor(self._key)
        self.shown = self._redact.url(self._url)

    def queue(self, nodes: Mapping[str, Any]) -> str:
        """Put a workflow into its queue.

        Returns:
            The id that the server knows it by.

        Raises:
            EndpointError: The server refuses the workflow, or a part of it: a node or a model's file that it lacks, a
                wrong value.
        """
        answer = self._json("prompt", {"prompt": nodes})
        prompt_id = answer.get("prompt_id")
        if prompt_id is not None and not answer.get("node_errors"):
            return str(prompt_id)
        if prompt_id is not None:  # ComfyUI goes on with the outputs that are sound
            self.forget([str(prompt_id)])
        raise EndpointError(f"{self.shown} refuses the workflow: {_why(answer)}")

    def outcome(self, prompt_id: str) -> Mapping[str, Any] | None:
        """What came of a workflow: ``outputs`` by node, and ``status``; None where it has not ended."""
        found = self._json(f"history/{quote(prompt_id, safe='')}").get(prompt_id)
        return found if isinstance(found, Mapping) else None

    def knows(self, prompt_id: str) -> bool:
        """Whether a workflow waits or runs."""
        return prompt_id in json.dumps(self._json("queue"))

    def forget(self, prompt_ids: Iterable[str]) -> None:
        """Take workflows that wait out of its queue."""
        self._answer("queue", {"delete": list(prompt_ids)})

    def picture(self, image: Mapping[str, Any]) -> bytes:
        """The file of a picture that an outcome names."""
        query = {key: str(image[key]) for key in ("filename", "subfolder", "type") if key in image}
        return self._answer(f"view?{urlencode(query)}")

    def largest_seed(self, kind: str, name: str) -> int:
        """The largest number that an input of a node's class takes, as the server describes it."""
        try:
            inputs = self._json(f"object_info/{quote(kind, safe='')}")[kind]["input"]
            most = next(group[name][1]["max"] for group in inputs.values() if name in group)
            return min(int(most), _ANY_SEED) if most > 0 else _ANY_SEED
        except (LookupError, TypeError, ValueError, OverflowError, AttributeError, StopIteration, Refused):
            return _ANY_SEED

    def about(self) -> str:
        """Version and device."""
        told = self._json("system_stats")
        system, devices = told.get("system"), told.get("devices")
        version = system.get("comfyui_version", "") if isinstance(system, dict) else ""
        names = [str(one.get("name")) for one in devices if isinstance(one, dict)] if isinstance(devices, list) else []
        return ", ".join([f"ComfyUI {version}".strip(), *names])

    def _json(self, route: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        try:
            found = json.loads(self._answer(route, body))
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise EndpointError(f"{self.shown} does not answer as ComfyUI does; mend base_url")
        return found

    def _answer(self, route: str, body: Mapping[str, Any] | None = None) -> bytes:
        data = None if body is None else json.dumps(body).encode()
        request = Request(f"{self._url}/{route}", data, {"Content-Type": "application/json"})  # noqa: S310 (config's)
        if self._key != NO_KEY:
            request.add_unredirected_header("Authorization", f"Bearer {self._key}")
        for attempt in range(self._retries + 1):
            try:
                with urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310 (as above)
                    content: bytes = answer.read(_LARGEST)
                    return content
            except HTTPError as error:
                with error:
                    if error.code == 400 and route == "prompt":
                        return error.read()
                if error.code not in _PASSES:
                    raise self._refusal(error.code, route) from None
                reason = f"HTTP {error.code}"
            except (OSError, HTTPException) as error:
                reason = self._redact.line(getattr(error, "reason", error))
            if attempt < self._retries:
                time.sleep(self._backoff * 2**attempt)
        raise EndpointError(f"{self.shown} does not answer ({reason}); start ComfyUI, or mend base_url")

    def _refusal(self, status: int, route: str) -> Exception:
        what = route.partition("?")[0].partition("/")[0]
        if status in (401, 403):
            return EndpointError(f"{self.shown} refuses the key of {self._key_variable} (HTTP {status}); set another")
        if what in ("view", "object_info"):
            return Refused(f"the server has no such picture (HTTP {status})")
        if status in (404, 405):
            return EndpointError(f"{self.shown} has no /{what} (HTTP {status}); mend base_url: it is no ComfyUI")
        return EndpointError(
            f"{self.shown} refuses /{what} (HTTP {status}); mend base_url, or what stands before ComfyUI"
        )


@dataclass(frozen=True)
class ServerAnswers:
    """A ComfyUI server that has to be there.

    Attributes:
        base_url: Where.
        key_variable: As of `Server`.
    """

    base_url: str
    key_variable: str

    def look(self) -> Finding:
        """Whether it answers, and as what."""
        server = Server(self.base_url, self.key_variable)
        try:
            return Finding(f"{server.shown} answers: {server.about()}")
        except EndpointError as error:
            return Finding(str(error), problem=True)


def _why(answer: Mapping[str, Any]) -> str:
    """Why a workflow was not taken: each node's errors, or the one of the whole."""
    nodes = answer.get("node_errors")
    said = [
        f"node {key} ({node.get('class_type')}): {_words(error)}"
        for key, node in (nodes.items() if isinstance(nodes, dict) else ())
        if isinstance(node, dict)
        for error in node.get("errors", ())
    ]
    error = answer.get("error")
    whole = "; ".join(said) or _words(error or "it does not say why")
    return " ".join(whole.split())[:_LONGEST]


def _words(error: Any) -> str:
    if not isinstance(error, dict):
        return str(error)
    return ": ".join(str(error[key]) for key in ("message", "details") if error.get(key))
