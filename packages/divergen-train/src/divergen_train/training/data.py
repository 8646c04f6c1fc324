"""From a data set to batches of tensors: every item a pure function of (seed, image, visit)."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Generator, Iterable, Sequence
from multiprocessing.util import Finalize
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from divergen_records import Category, derive_seed
from divergen_records.coco import Dataset, load_sample
from divergen_records.errors import DatasetError
from divergen_records.sample import Instance, Sample
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from ..detectors.protocol import Target
from .augment import Augmentation
from .sampling import BatchSampler, Draw

__all__ = ["KnowsNames", "Paste", "TrainImages", "batches", "in_terms_of", "loader", "to_tensors"]

Paste = Callable[[Sample], Sample]


@runtime_checkable
class KnowsNames(Protocol):
    """A paster that knows what its categories are called, as those of divergen-paste do."""

    def matched(self, categories: Iterable[Category]) -> Paste:
        """The same paster with the ids of these categories, found by name; an error if it has others."""
        ...


def in_terms_of(dataset: Dataset, paste: Paste | None) -> Paste | None:
    """A paster with the data set's category ids where it knows names; of one that does not, ids are believed."""
    return paste.matched(dataset.categories) if isinstance(paste, KnowsNames) else paste


class TrainImages(TorchDataset[tuple[Tensor, Target]]):
    """Augmented training images, indexed by `Draw`.

    Args:
        dataset: The data set.
        augmentation: Flip, jitter, padding.
        seed: Of the run.
        paste: Adds instances to a sample before it is augmented; it sees ``sample.epoch`` = ``draw.visit``.
    """

    def __init__(self, dataset: Dataset, augmentation: Augmentation, *, seed: int, paste: Paste | None = None) -> None:
        self.dataset, self.augmentation, self.seed, self.paste = dataset, augmentation, seed, paste
        self.labels = {category.id: label for label, category in enumerate(dataset.categories, start=1)}

    def __getitem__(self, draw: Draw) -> tuple[Tensor, Target]:
        """Image (3, size, size) uint8 and its `Target`."""
        return self._item(draw, self.paste)

    def plain(self, draw: Draw) -> tuple[Tensor, Target]:
        """The same without anything pasted; equally augmented."""
        return self._item(draw, None)

    def _item(self, draw: Draw, paste: Paste | None) -> tuple[Tensor, Target]:
        image = self.dataset.images[draw.index]
        sample = load_sample(self.dataset, image, draw.visit)
        if paste is not None:
            sample = paste(sample)
        rng = np.random.default_rng(derive_seed(self.seed, "augment", image.id, draw.visit))
        return to_tensors(self.augmentation(sample, rng), self.labels)


def to_tensors(sample: Sample, labels: dict[int, int]) -> tuple[Tensor, Target]:
    """A sample as tensors; crowds are left out, they are no objects to learn.

    Args:
        sample: Image and instances.
        labels: Category id -> label from 1.

    Raises:
        DatasetError: If an instance is of a category that is not among the labels.
    """
    objects = Sample(sample.image, tuple(i for i in sample.instances if not i.iscrowd), sample.image_id, sample.epoch)
    target = Target(
        boxes=torch.from_numpy(objects.boxes()),
        labels=torch.tensor([_label(labels, instance, sample) for instance in objects.instances], dtype=torch.int64),
        masks=torch.from_numpy(objects.masks().view(np.uint8)),
        image_id=sample.image_id,
        sources=tuple(instance.source for instance in objects.instances),
    )
    return torch.from_numpy(np.ascontiguousarray(sample.image.transpose(2, 0, 1))), target


def _label(labels: dict[int, int], instance: Instance, sample: Sample) -> int:
    try:
        return labels[instance.category_id]
    except KeyError:
        origin = f"pasted from {instance.source}" if instance.source else f"annotation {instance.annotation_id}"
        raise DatasetError(
            f"image {sample.image_id}: an instance ({origin}) is of category {instance.category_id}, which the "
            f"training data set does not have; add the category to its file or do not paste it"
        ) from None


def loader(
    images: TorchDataset[tuple[Tensor, Target]], sampler: BatchSampler, workers: int, *, pin_memory: bool = False
) -> DataLoader[tuple[Tensor, Target]]:
    """Batches ``(images, targets)`` in the sampler's order.

    Workers are spawned, not forked: a fork would copy threads of Lance and of torch in whatever state they are.
    Pinned memory is quicker to copy to a GPU.
    """
    return DataLoader(
        images,
        batch_sampler=sampler,
        num_workers=workers,
        collate_fn=_collate,
        multiprocessing_context="spawn" if workers else None,
        persistent_workers=False,
        pin_memory=pin_memory,
        worker_init_fn=_end_at_once,
    )


def batches(made: DataLoader[tuple[Tensor, Target]]) -> Generator[tuple[list[Tensor], list[Target]], None, None]:
    """One pass over a loader, to be used with ``contextlib.closing``: its workers end with the block.

    An iterator that outlives the block (an error's traceback holds it) is left by torch to the end of the process,
    which terminates the workers and may report that as an error.
    """
    iterator = iter(made)
    try:
        yield from iterator
    finally:
        del iterator


def _end_at_once(worker: int) -> None:
    """Let a worker end without Python's own end, which a batch that nobody drew does not outlive.

    The thread that sends it is then stopped within torch's C++, which aborts the process.
    """
    Finalize(None, _exit, exitpriority=-1000)  # after those of its queues


def _exit() -> None:
    if sys.exc_info()[0] is None:  # else its traceback is still to be printed
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


def _collate(items: Sequence[tuple[Tensor, Target]]) -> tuple[list[Tensor], list[Target]]:
    return [image for image, _ in items], [target for _, target in items]
