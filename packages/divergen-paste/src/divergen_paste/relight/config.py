"""The settings of relighting; imports no diffusers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from divergen_records import Config
from divergen_records.requirements import HubModel, Requirement, extra_modules
from pydantic import Field

if TYPE_CHECKING:
    from .blending import Relight

__all__ = ["RelightConfig"]


class RelightConfig(Config):
    """Pasted instances relit by an image-to-image model of diffusers; for `bake`, a pass of the model for each image.

    Attributes:
        kind: ``"relight"``.
        model: Folder in the hub's layout, or hub id.
        hub_revision: Branch, tag or commit of a hub id.
        variant: Of the weight files, for example ``"fp16"``.
        prompt: What the model is told of every image.
        negative_prompt: What guidance leads away from.
        strength: How far the model may go, above 0 to 1; above a half it draws other objects.
        steps: Of which ``strength`` are done; the model's own number where left out.
        guidance: The model's own where left out.
        size: Longer side at which the model works, pixels; the result goes back to the image's size.
        dtype: Of weights and arithmetic.
        device: ``"auto"`` is the GPU where there is one.
        half: Side in pixels of an object that keeps half of its own pixels' weight; smaller ones keep more.
    """

    kind: Literal["relight"] = "relight"
    model: str = Field(min_length=1)
    hub_revision: str | None = None
    variant: str | None = None
    prompt: str = "a photo, natural light"
    negative_prompt: str | None = None
    strength: float = Field(default=0.3, gt=0, le=1)
    steps: int | None = Field(default=None, ge=1)
    guidance: float | None = Field(default=None, ge=0)
    size: int = Field(default=512, ge=8, multiple_of=8)
    dtype: Literal["float32", "float16", "bfloat16"] = "bfloat16"
    device: str = "auto"
    half: float = Field(default=48.0, ge=0)

    def requirements(self) -> Iterable[Requirement]:
        """See `divergen_records.requirements`."""
        yield from extra_modules("divergen-paste", "relight", "diffusers", "transformers", "torch")
        yield HubModel(self.model, self.hub_revision, self.variant, "pipeline")

    def build(self) -> Relight:
        """The relighting; its model is loaded with the first image."""
        from .blending import Relight
        from .diffusion import DiffusionRelighter

        return Relight(DiffusionRelighter(**self.model_dump(exclude={"kind", "half"})), self.half)
