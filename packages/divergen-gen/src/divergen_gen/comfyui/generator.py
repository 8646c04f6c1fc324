"""A workflow of ComfyUI as a generator: a picture for each planned record, by its own prompt and seed."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Event, Lock
from typing import Any

from divergen_records import ImageError, InstanceRecord
from divergen_records.endpoint.errors import EndpointError, Refused
from divergen_records.images import picture_columns, read_cutout

from ..alpha import over_white
from ..blank import is_blank
from .server import Server
from .settings import Settings
from .workflow import Seed, read_workflow

__all__ = ["ComfyUIGenerator"]

_LOG = logging.getLogger(__name__)
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0
_LOOKS_FOR_IT = 10.0
"""Seconds after which the queue is asked whether a workflow is still in it."""
_HOPELESS = 3
"""A workflow of which so many pictures failed and none was made has an error of its own."""
_LONGEST = 300


class ComfyUIGenerator:
    """Asks a ComfyUI server for pictures.

    Several workflows are in its queue at once. One that fails is its row's error in the server's words; a server that
    goes away ends the run, what was made before is kept. A transparent picture is stored over white, with its alpha.

    Args:
        config: The workflow, and who runs it.
    """

    def __init__(self, config: Settings) -> None:
        self.config, self.name, self.revision = config, config.name, config.revision
        self._workflow = read_workflow(config.workflow)
        self._server = Server(config.base_url, config.key_variable, retries=config.retries, backoff=config.backoff)
        self._seeds: dict[Seed, int] | None = None
        self._waiting: set[str] = set()
        self._lock, self._stopped = Lock(), Event()
        self._made = self._failed = 0
        self._said: set[str] = set()
        self._down: EndpointError | None = None

    def __call__(self, records: Sequence[InstanceRecord]) -> Sequence[InstanceRecord]:
        """Complete planned records, in order.

        Raises:
            EndpointError: There is no server, or it refuses the workflow; with what was made before.
        """
        if not records:
            return []
        made = self._made_of(records) if self._down is None else []
        if self._down is not None:
            self._down.made = made
            raise self._down
        return made

    def _made_of(self, records: Sequence[InstanceRecord]) -> list[InstanceRecord]:
        """The records that were completed, or failed, until the server went away."""
        if self._seeds is None:
            self._seeds = {one: self._server.largest_seed(one.kind, one.name) for one in self._workflow.seeds}
            if not self._seeds:
                self._say_once("no input of the workflow is a seed: pictures of one prompt are the same")
        with ThreadPoolExecutor(self.config.concurrency) as pool:
            try:
                return [record for record in pool.map(self._unless_down, records) if record is not None]
            except BaseException:  # Ctrl-C: what the server did not begin is not wanted
                self._stopped.set()
                pool.shutdown(wait=False, cancel_futures=True)
                with suppress(EndpointError):
                    self._server.forget(self._waiting)
                raise

    def _unless_down(self, record: InstanceRecord) -> InstanceRecord | None:
        """The completed record; None of a server that is gone."""
        if self._down is not None:
            return None
        try:
            made = self._complete(record)
        except Refused as error:
            self._failed += 1
            if self._failed >= _HOPELESS and not self._made:
                self._down = EndpointError(f"{self._server.shown} made none of {self._failed} pictures: {error}")
            return record.failed("gen", str(error))
        except EndpointError as error:
            self._down = self._down or error
            return None
        self._made += 1
        return made

    def _complete(self, record: InstanceRecord) -> InstanceRecord:
        outcome = self._outcome(record)
        try:
            chosen = self._chosen(outcome)
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            raise Refused("the workflow's outcome is not as ComfyUI gives it") from error
        content = self._server.picture(chosen)
        try:
            image, alpha = over_white(*read_cutout(content))
        except ImageError as error:
            raise Refused(f"the server's picture cannot be read: {str(error).partition(';')[0]}") from error
        if is_blank(image):
            raise Refused("the picture is blank")
        columns = picture_columns(image, alpha, self.config.image_format, self.config.image_quality)
        return record.model_copy(update=columns)

    def _outcome(self, record: InstanceRecord) -> Mapping[str, Any]:
        """What came of a record's workflow; one that the server forgot, because it began anew, is asked for again."""
        nodes = self._workflow.filled(record, self._seeds or {})
        for _ in range(self.config.retries + 1):
            prompt_id = self._server.queue(nodes)
            with self._lock:
                self._waiting.add(prompt_id)
            try:
                outcome = self._wait(prompt_id)
            finally:
                with self._lock:
                    self._waiting.discard(prompt_id)
            if outcome is not None:
                return outcome
            self._say_once("the server began anew and forgot a workflow: it is asked for again")
        raise Refused("the server forgets the workflow before it has ended")

    def _wait(self, prompt_id: str) -> Mapping[str, Any] | None:
        """What came of a workflow in the queue; None where the server does not know it any more."""
        end, look = time.monotonic() + self.config.timeout, time.monotonic() + _LOOKS_FOR_IT
        pause = _FIRST_PAUSE
        while (outcome := self._server.outcome(prompt_id)) is None:
            if time.monotonic() > end:
                self._server.forget([prompt_id])
                raise Refused(f"the workflow did not end within {self.config.timeout:g} seconds")
            if time.monotonic() > look:
                look = time.monotonic() + _LOOKS_FOR_IT
                if not self._server.knows(prompt_id):
                    return self._server.outcome(prompt_id)
            if self._stopped.wait(pause):
                raise Refused("the run was stopped")
            pause = min(1.3 * pause, _LONGEST_PAUSE)
        return outcome

    def _chosen(self, outcome: Mapping[str, Any]) -> Mapping[str, Any]:
        """The picture of an outcome that is the record's.

        Raises:
            Refused: The workflow failed, or gives no picture.
            EndpointError: Several nodes give one, and the configuration names none.
        """
        if failure := _failure(outcome):
            raise Refused(failure)
        outputs = outcome.get("outputs") or {}
        given = {str(key): node["images"] for key, node in outputs.items() if node.get("images")}
        if self.config.node is not None:
            images = given.get(str(self.config.node))
        else:
            saved = {key: images for key, images in given.items() if any(one.get("type") == "output" for one in images)}
            if len(saved or given) > 1:
                raise EndpointError(f"nodes {', '.join(given)} of the workflow give pictures; say which by node=ID")
            images = next(iter((saved or given).values()), None)
        if not images:
            who = "the workflow" if self.config.node is None else f"node {self.config.node}"
            others = ", ".join(sorted({kind for node in outputs.values() for kind in node} - {"images"}))
            hint = f"; those that do: {', '.join(given)}" if given else f", but {others}" if others else ""
            raise Refused(f"{who} gives no picture{hint}")
        if len(images) > 1:
            self._say_once(f"it gives {len(images)} pictures at a time; the first is taken: set its batch to 1")
        chosen: Mapping[str, Any] = images[0]
        return chosen

    def _say_once(self, text: str) -> None:
        with self._lock:
            if text in self._said:
                return
            self._said.add(text)
        _LOG.warning("%s: %s", self.name, text)


def _failure(outcome: Mapping[str, Any]) -> str | None:
    """Why a workflow failed, in the server's words."""
    status = outcome.get("status") or {}
    for kind, told in status.get("messages") or ():
        if kind == "execution_error":
            where = f"node {told.get('node_id')} ({told.get('node_type')})"
            return f"{where}: {' '.join(str(told.get('exception_message')).split())}"[:_LONGEST]
        if kind == "execution_interrupted":
            return "somebody interrupted the workflow at the server"
    return "the workflow failed at the server, which does not say why" if status.get("status_str") == "error" else None
