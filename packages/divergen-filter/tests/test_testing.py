"""Ours keep the contracts; the checks themselves can fail."""

from typing import ClassVar, Literal

import numpy as np
import pytest
from divergen_filter.config import BasicsConfig
from divergen_filter.testing import ColourEmbedder, check_embedder, check_score
from divergen_records import Columns, Config
from divergen_records.images import encode_image
from divergen_records.masks import encode_rle


@pytest.fixture
def batch(draw):
    pairs = [draw(number) for number in (1, 2, 3)]
    pictures = [encode_image(image, "png") for image, _ in pairs]
    return {"id": list("abc"), "image": pictures, "mask": [encode_rle(mask)["counts"] for _, mask in pairs]}


def test_check_embedder__ours():
    check_embedder(ColourEmbedder)


def test_check_embedder__what_is_broken():
    class Mean(ColourEmbedder):
        def __call__(self, crops):
            vectors = super().__call__(crops)
            return vectors if len(crops) < 2 else np.roll(vectors, 1, axis=0)

    with pytest.raises(AssertionError, match="its crop only"):
        check_embedder(Mean)


def test_check_score__ours(batch):
    check_score(BasicsConfig(), batch)


class RankColumns(Columns):
    rank: int | None = None


class Rank:
    name, reads, writes, columns = "rank", ("image",), ("rank",), RankColumns

    def __call__(self, batch):
        return {"rank": list(range(len(batch["id"])))}


class RankConfig(Config):
    kind: Literal["rank"] = "rank"
    columns: ClassVar[type[Columns]] = RankColumns

    def build(self):
        return Rank()


def test_check_score__what_is_broken(batch):
    with pytest.raises(AssertionError, match="that row alone"):
        check_score(RankConfig(), batch)
