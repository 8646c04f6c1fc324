"""How pictures are asked for from ComfyUI; asks no server."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from divergen_records import Config, short_hash
from divergen_records.endpoint_settings import Address
from divergen_records.requirements import Requirement
from pydantic import Field

from .workflow import WorkflowFile, read_workflow

__all__ = ["Settings"]

VERSION = 1
"""Grows whenever other pictures are asked for by the same record and settings."""


class Settings(Config):
    """A workflow that a ComfyUI server runs for each picture.

    In the workflow's file ``{prompt}`` stands where the prompt goes, and ``{category}`` where the category does. Every
    input ``seed`` or ``noise_seed`` that holds a number gets the picture's seed.

    Attributes:
        name: Name of the generator in this run.
        workflow: The file that ComfyUI's "Export (API)" saves.
        base_url: Where the server is.
        node: Id of the node whose picture is taken; needed where several save one.
        concurrency: Workflows in the server's queue at once; it runs one after the other, the next is there at once.
        key_variable: Environment variable of a key, where something before the server wants one.
        timeout: Seconds that a workflow may wait and run.
        retries: Further attempts where the server does not answer, or forgets a workflow because it began anew.
        backoff: Seconds before the second attempt; doubles with each.
        image_format: How pictures are stored.
        image_quality: Of JPEG and WebP, 1 to 100.
    """

    name: str = Field(default="comfyui", min_length=1)
    workflow: Path
    base_url: Address = "http://127.0.0.1:8188"
    node: int | str | None = None
    concurrency: int = Field(default=2, ge=1)
    key_variable: str = "COMFYUI_API_KEY"
    timeout: float = Field(default=600.0, gt=0)
    retries: int = Field(default=4, ge=0)
    backoff: float = Field(default=1.0, ge=0)
    image_format: Literal["jpeg", "png", "webp"] = "jpeg"
    image_quality: int = Field(default=95, ge=1, le=100)

    def requirements(self) -> Iterable[Requirement]:
        """See `divergen_records.requirements`."""
        from .server import ServerAnswers

        yield WorkflowFile(self.workflow)
        yield ServerAnswers(self.base_url, self.key_variable)

    @property
    def revision(self) -> str:
        """What the pictures depend on: the workflow, not the server that runs it.

        Raises:
            ConfigError: If the workflow cannot be read.
        """
        stored = self.image_format if self.image_format == "png" else f"{self.image_format}-{self.image_quality}"
        workflow = read_workflow(self.workflow)
        return f"comfyui-{VERSION}/{short_hash(workflow.meaning(), str(self.node), size=6)}/{stored}"
