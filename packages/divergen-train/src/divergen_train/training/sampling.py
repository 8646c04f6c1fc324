"""Which image is drawn when: repeat-factor sampling as an endless stream that can be entered at any place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from divergen_records import derive_seed
from divergen_records.coco import Dataset
from divergen_records.errors import DatasetError
from numpy.typing import NDArray

__all__ = ["BatchSampler", "Draw", "repeat_factors"]


@dataclass(frozen=True, slots=True)
class Draw:
    """One place in the stream of training images.

    Attributes:
        index: Of the image in ``dataset.images``.
        visit: How often the image was due before: grows with every epoch and every repeat, so that no two draws of an
            image see the same augmentation or the same pasted instances.
    """

    index: int
    visit: int


def repeat_factors(dataset: Dataset, threshold: float, min_images: int = 0) -> NDArray[np.float64]:
    """Repeat factor of each image (Gupta et al., LVIS, section 4.3).

    A category in a share f of the images has the factor max(1, sqrt(threshold / f)); an image has the largest factor
    of its categories.

    Args:
        dataset: Its annotations are counted, crowds left out.
        threshold: Share of images below which a category is repeated.
        min_images: Raises the threshold to this many images of the data set.

    Returns:
        (images,) float64, each at least 1.
    """
    total = max(len(dataset.images), 1)
    threshold = max(threshold, min_images / total)
    present = {
        image.id: {a.category_id for a in dataset.annotations_of(image.id) if not a.iscrowd} for image in dataset.images
    }
    counts: dict[int, int] = {}
    for categories in present.values():
        for category in categories:
            counts[category] = counts.get(category, 0) + 1
    factor = {category: max(1.0, (threshold * total / count) ** 0.5) for category, count in counts.items()}
    return np.array(
        [max((factor[category] for category in present[image.id]), default=1.0) for image in dataset.images]
    )


class BatchSampler:
    """Batches of draws; batch ``i`` is a pure function of (factors, batch size, seed, i), whatever was drawn before.

    Args:
        factors: Repeat factor of each image, (images,) float64, at least 1.
        batch_size: Draws in a batch; batches run across the ends of epochs.
        seed: Of the run.
        start: First batch.
        stop: Batch after the last.
        rank: Process that draws; it gets its share of each batch, the shares joined by rank are the batch.
        processes: That share a batch.
    """

    def __init__(
        self,
        factors: NDArray[np.float64],
        batch_size: int,
        *,
        seed: int,
        start: int = 0,
        stop: int = 0,
        rank: int = 0,
        processes: int = 1,
    ) -> None:
        if not len(factors):
            raise DatasetError("the training data set has no images")
        self.factors, self.batch_size, self.seed, self.start, self.stop = factors, batch_size, seed, start, stop
        share = batch_size // processes
        self.share = slice(rank * share, (rank + 1) * share)

    def __len__(self) -> int:
        return max(self.stop - self.start, 0)

    def __iter__(self) -> Iterator[list[Draw]]:
        stream = self._draws(self.start * self.batch_size)
        for _ in range(len(self)):
            yield [next(stream) for _ in range(self.batch_size)][self.share]

    def epoch(self, number: int) -> list[Draw]:
        """The draws of an epoch in their order: each image its factor times, fractions rounded by chance."""
        rng = np.random.default_rng(derive_seed(self.seed, "epoch", number))
        repeats = np.floor(self.factors + rng.random(len(self.factors))).astype(int)
        most = int(np.ceil(self.factors.max())) + 1
        draws = [
            Draw(index, number * most + repeat) for index, count in enumerate(repeats) for repeat in range(int(count))
        ]
        return [draws[int(position)] for position in rng.permutation(len(draws))]

    def _draws(self, skip: int) -> Iterator[Draw]:
        number = 0
        while True:
            draws = self.epoch(number)
            yield from draws[skip:]
            skip, number = max(skip - len(draws), 0), number + 1
