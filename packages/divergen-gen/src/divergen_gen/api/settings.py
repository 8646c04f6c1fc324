"""How pictures are asked for from an OpenAI-compatible image API; imports no client."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

from divergen_records import Config, short_hash
from divergen_records.endpoint_settings import BaseUrl, ExtraBody
from divergen_records.requirements import Requirement, extra_modules
from pydantic import Field

__all__ = ["ImageApi"]

VERSION = 1
"""Grows whenever other pictures are asked for by the same record and settings."""


class ImageApi(Config):
    """An image API that speaks OpenAI's ``images/generations``.

    Attributes:
        name: Name of the generator in this run.
        model: The model's name at the endpoint.
        base_url: For example ``http://localhost:8000/v1``; None for the public one.
        quality: As the endpoint names it, for example ``"low"``; None for its default.
        size: As the endpoint names it, for example ``"1024x1024"``; None for its default.
        background: ``"transparent"`` asks for pictures with true alpha, which need no annotator; None leaves it to the
            prompt.
        clause: How prompts end that ask for a background; left out where the picture is transparent.
        n: Pictures of one prompt in one request, at most.
        price_picture: Of one picture, in any currency.
        price_in: Per million tokens sent, where the endpoint counts those.
        price_out: Per million tokens received.
        max_cost: No request is sent that could take this run's cost above it; needs a price.
        concurrency: Requests at once.
        timeout: Seconds without an answer after which a request is given up.
        retries: Further attempts at a request.
        backoff: Seconds before the second attempt; doubles with each.
        key_variable: Environment variable that holds the key.
        extra_body: Further parameters of every request, as the endpoint wants them.
        image_format: How pictures are stored.
        image_quality: Of JPEG and WebP, 1 to 100.
    """

    name: str = Field(default="openai-images", min_length=1)
    model: str = Field(min_length=1)
    base_url: BaseUrl = None
    quality: str | None = None
    size: str | None = None
    background: Literal["transparent"] | None = "transparent"
    clause: str = "in a white background"
    n: int = Field(default=1, ge=1, le=10)
    price_picture: Annotated[float, Field(ge=0)] = 0.0
    price_in: Annotated[float, Field(ge=0)] = 0.0
    price_out: Annotated[float, Field(ge=0)] = 0.0
    max_cost: Annotated[float, Field(gt=0)] | None = None
    concurrency: int = Field(default=4, ge=1)
    timeout: float = Field(default=300.0, gt=0)
    retries: int = Field(default=6, ge=0)
    backoff: float = Field(default=0.5, ge=0)
    key_variable: str = "OPENAI_API_KEY"
    extra_body: ExtraBody = Field(default_factory=dict)
    image_format: Literal["jpeg", "png", "webp"] = "jpeg"
    image_quality: int = Field(default=95, ge=1, le=100)

    def requirements(self) -> Iterable[Requirement]:
        """See `divergen_records.requirements`."""
        from divergen_records.endpoint.reach import EndpointAnswers

        yield from extra_modules("divergen-gen", "api", "openai", "tenacity")
        yield EndpointAnswers(self.model, self.base_url, self.key_variable, "images/generations")

    @property
    def revision(self) -> str:
        """What the pictures depend on, as a short text; the endpoint decides about the rest."""
        stored = self.image_format if self.image_format == "png" else f"{self.image_format}-{self.image_quality}"
        settings = short_hash(
            self.base_url,
            self.quality,
            self.size,
            self.background,
            self.clause if self.background else None,
            sorted((key, repr(value)) for key, value in self.extra_body.items()),
            size=4,
        )
        return f"openai-images-{VERSION}/{self.model}/{self.size or 'own size'}/{stored}/{settings}"
