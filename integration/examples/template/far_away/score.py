"""A score of two columns: how dark an instance is, and whether that is too dark."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from divergen_records import Columns, Config, Float32, map_rows
from divergen_records.images import read_image
from divergen_records.masks import decode_counts


class DarknessColumns(Columns):
    darkness: Float32 | None = None
    """1 - mean brightness of the object, 0 to 1."""
    gloomy: bool | None = None
    """Whether the darkness is above the limit."""


class Darkness:
    name, reads, writes, columns = "darkness", ("image", "mask"), ("darkness", "gloomy"), DarknessColumns

    def __init__(self, limit: float) -> None:
        self.limit = limit

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, list[Any]]:
        return map_rows(self._measure, {name: batch[name] for name in self.reads}, self.writes)

    def _measure(self, image: bytes, mask: str) -> dict[str, Any]:
        picture = read_image(image)
        darkness = 1 - picture[decode_counts(mask, *picture.shape[:2])].mean() / 255
        return {"darkness": darkness, "gloomy": bool(darkness > self.limit)}


class DarknessConfig(Config):
    kind: Literal["darkness"] = "darkness"
    columns: ClassVar[type[Columns]] = DarknessColumns
    limit: float = 0.9

    def build(self) -> Darkness:
        return Darkness(self.limit)
