"""For tests: a generator that costs nothing, and the contract that every generator keeps."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal

import cv2
import numpy as np
from divergen_records import Columns, Config, InstanceRecord, instance_id
from divergen_records.images import picture_columns, read_image

from .protocol import Generator

if TYPE_CHECKING:
    from divergen_records.endpoint.testing import Exchange

__all__ = ["FakeConfig", "FakeGenerator", "answer_pictures", "check_generator", "planned_record"]


class FakeGenerator:
    """Makes pictures of a square whose colour and place follow from the seed; counts its calls.

    Args:
        name: Name of the generator.
        size: Side of the picture, pixels.
        fails_on: Categories that become a row error.

    Attributes:
        calls: Sizes of the batches that it was given.
    """

    def __init__(self, name: str = "fake", *, size: int = 32, fails_on: Sequence[str] = ()) -> None:
        self.name, self.size, self.fails_on = name, size, frozenset(fails_on)
        self.revision = f"fake-1/{size}px"
        self.calls: list[int] = []

    def __call__(self, records: Sequence[InstanceRecord]) -> Sequence[InstanceRecord]:
        """Complete planned records."""
        self.calls.append(len(records))
        return [self._complete(record) for record in records]

    def _complete(self, record: InstanceRecord) -> InstanceRecord:
        if record.category in self.fails_on:
            return record.failed("gen", f"the fake generator does not make {record.category!r}")
        rng = np.random.default_rng(record.seed)
        image = np.full((self.size, self.size, 3), 255, np.uint8)
        alpha = np.zeros((self.size, self.size), np.uint8)
        top, left = rng.integers(1, self.size // 4, 2)
        inside = (slice(top, top + self.size // 2), slice(left, left + self.size // 2))
        image[inside], alpha[inside] = rng.integers(0, 200, 3), 255
        return record.model_copy(update=picture_columns(image, alpha, "png"))


class FakeConfig(Config):
    """The fake generator's settings, as a configuration names them.

    Attributes:
        name: Name of the generator.
        size: Side of the picture, pixels.
        fails_on: A category that becomes a row error.
    """

    kind: Literal["fake"] = "fake"
    name: str = "fake"
    size: int = 32
    fails_on: str | None = None

    @property
    def revision(self) -> str:
        """As `FakeGenerator.revision`."""
        return self.build().revision

    def build(self) -> FakeGenerator:
        """Make the generator."""
        return FakeGenerator(self.name, size=self.size, fails_on=[self.fails_on] if self.fails_on else ())


def answer_pictures(exchange: Exchange, *, transparent: bool = True, size: int = 32) -> None:
    """Answer an image API's request on a loopback server: as many squares as it asks for.

    Args:
        exchange: Of `divergen_records.endpoint.testing.Loopback`.
        transparent: Whether the pictures have alpha, where that is asked for; else they lie on white.
        size: Side of the pictures, pixels.
    """
    alpha = np.zeros((size, size), np.uint8)
    alpha[size // 4 : -size // 4, size // 4 : -size // 4] = 255
    colour = np.where(alpha[..., None] > 0, np.array([200, 30, 30], np.uint8), np.uint8(255)).astype(np.uint8)
    if transparent and exchange.body.get("background") == "transparent":
        colour = np.dstack([colour, alpha])
    # OpenCV keeps the alpha, and wants blue first.
    order = cv2.COLOR_RGBA2BGRA if colour.shape[2] == 4 else cv2.COLOR_RGB2BGR
    encoded = base64.b64encode(cv2.imencode(".png", cv2.cvtColor(colour, order))[1].tobytes()).decode()
    data = [{"b64_json": encoded}] * int(exchange.body.get("n", 1))
    exchange.send(200, {"created": 1, "data": data}, x_request_id=f"req-{id(exchange)}")


def planned_record(category: str, seed: int, generator: Generator, prompt: str | None = None) -> InstanceRecord:
    """An identity-only record as a plan makes it."""
    prompt = prompt or f"a photo of a single {category}, in a white background"
    return InstanceRecord(
        id=instance_id(
            category=category,
            prompt=prompt,
            generator=generator.name,
            generator_revision=generator.revision,
            seed=seed,
        ),
        category_id=1,
        category=category,
        prompt=prompt,
        generator=generator.name,
        generator_revision=generator.revision,
        seed=seed,
    )


def check_generator(build: Callable[[], Generator], category: str) -> None:
    """Check what every generator promises; raises `AssertionError` with the promise that is broken.

    Args:
        build: Makes the generator; called twice.
        category: A category that it can make.
    """
    generator, again = build(), build()
    assert isinstance(generator, Generator), "has name, revision and is callable"
    assert (generator.name, generator.revision) == (again.name, again.revision), "same settings, same identity"
    assert generator([]) == [], "an empty batch gives an empty list"
    planned = [planned_record(category, seed, generator) for seed in (1, 2, 3)]
    made = list(generator(planned))
    assert [r.id for r in made] == [r.id for r in planned], "records come back in order"
    for before, after in zip(planned, made, strict=True):
        _check_record(before, after, set(getattr(generator, "columns", Columns).model_fields))
    assert len({record.image for record in made}) == len(made), "different seeds give different pictures"
    alone = [again([record])[0] for record in reversed(planned)]
    assert alone[::-1] == made, "a picture depends on its record only, not on batch, order or earlier calls"


def _check_record(before: InstanceRecord, after: InstanceRecord, own: set[str]) -> None:
    written = {"image", "image_format", "width", "height", "alpha", *own}
    assert after.error is None, f"no row error, but {after.error!r}"
    assert after.model_dump(exclude=written) == before.model_dump(exclude=written), (
        "only the picture and declared columns"
    )
    assert after.image is not None, "the picture is there"
    assert after.image_format is not None, "the format is there"
    image = read_image(after.image)
    assert image.shape == (after.height, after.width, 3), "width and height are the picture's"
    assert int(image.max()) > int(image.min()), "the picture is not blank"
    if after.alpha is not None:
        assert read_image(after.alpha).shape == image.shape, "alpha has the picture's size"
