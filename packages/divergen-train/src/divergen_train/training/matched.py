"""Training images in three versions: pasted into, as they were, and a real one that shows what was pasted."""

from __future__ import annotations

from collections import defaultdict
from typing import cast

import numpy as np
from divergen_records import derive_seed
from torch import Tensor
from torch.utils.data import Dataset as TorchDataset

from ..bsgal.versions import Versions
from ..detectors.protocol import Target
from .data import TrainImages
from .sampling import Draw

__all__ = ["MatchedImages"]


class MatchedImages(TorchDataset[tuple[Tensor, Target]]):
    """Training images whose targets are `Versions`.

    Args:
        images: The images, pasted into.
    """

    def __init__(self, images: TrainImages) -> None:
        self.images = images
        places = {image.id: index for index, image in enumerate(images.dataset.images)}
        showing: dict[int, set[int]] = defaultdict(set)
        for annotation in images.dataset.annotations:
            if not annotation.iscrowd:
                showing[images.labels[annotation.category_id]].add(places[annotation.image_id])
        self._showing = {label: sorted(found) for label, found in showing.items()}

    def __getitem__(self, draw: Draw) -> tuple[Tensor, Target]:
        """Image (3, size, size) uint8 and its `Versions`."""
        image, target = self.images[draw]
        plain = self.images.plain(draw)
        pasted = [int(label) for label, source in zip(target["labels"], target["sources"], strict=True) if source]
        match = self._match(draw, [label for label in pasted if label in self._showing])
        return image, cast(Target, Versions(**target, original=plain, matched=match))

    def _match(self, draw: Draw, labels: list[int]) -> tuple[Tensor, Target] | None:
        if not labels:
            return None
        image = self.images.dataset.images[draw.index]
        rng = np.random.default_rng(derive_seed(self.images.seed, "matched", image.id, draw.visit))
        found = self._showing[labels[int(rng.integers(len(labels)))]]
        return self.images.plain(Draw(found[int(rng.integers(len(found)))], draw.visit))
