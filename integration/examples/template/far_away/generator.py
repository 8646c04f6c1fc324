"""A generator of blots on white."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from divergen_records import Config, InstanceRecord
from divergen_records.images import encode_image


class Blots:
    """Draws an ellipse whose place, size and colour follow from the seed."""

    def __init__(self, name: str, size: int) -> None:
        self.name, self.size, self.revision = name, size, f"blots-1/{size}px"

    def __call__(self, records: Sequence[InstanceRecord]) -> list[InstanceRecord]:
        return [self._draw(record) for record in records]

    def _draw(self, record: InstanceRecord) -> InstanceRecord:
        random = np.random.default_rng(record.seed)
        y, x = np.mgrid[: self.size, : self.size] / self.size - 0.5
        wide, high = random.uniform(0.2, 0.35, 2)
        image = np.full((self.size, self.size, 3), 250, np.uint8)
        image[(x / wide) ** 2 + (y / high) ** 2 < 1] = random.integers(0, 180, 3)
        made = {"image": encode_image(image, "png"), "image_format": "png", "width": self.size, "height": self.size}
        return record.model_copy(update=made)


class BlotsConfig(Config):
    kind: Literal["blots"] = "blots"
    name: str = "blots"
    size: int = 96

    @property
    def revision(self) -> str:
        return self.build().revision

    def build(self) -> Blots:
        return Blots(self.name, self.size)
