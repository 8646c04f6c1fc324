"""Several processes, one training: which of them I am, my device, and the few things that they tell each other.

Started by torchrun, each process has a rank; without it there is one process of rank 0, and nothing here does anything.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from divergen_records.devices import pick_device
from torch import Tensor, nn

__all__ = ["World", "join_world"]

T = TypeVar("T")

_PATIENCE = timedelta(hours=2)
"""How long processes wait for each other: the first evaluates alone while the others wait."""

_BUCKET = 2**24
"""Gradients that travel together, numbers."""


@dataclass(frozen=True)
class World:
    """The processes of a training, seen from one of them.

    Attributes:
        rank: This process, from 0.
        size: Processes.
        device: Where this process computes.
    """

    rank: int = 0
    size: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    @property
    def leads(self) -> bool:
        """Whether this process writes the files and the progress line."""
        return self.rank == 0

    def sum_(self, tensor: Tensor) -> Tensor:
        """Add up a tensor over all processes, in place."""
        if self.size > 1:
            dist.all_reduce(tensor)
        return tensor

    def sum_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Add up the gradients over all processes, in place.

        In place of `DistributedDataParallel`, which cannot accumulate over slices where a head without objects has no
        gradient in the last one. A parameter without gradient on every process keeps none, so that the optimiser
        leaves it alone as it does with one process.
        """
        if self.size == 1:
            return
        trained = [parameter for parameter in parameters if parameter.requires_grad]
        used = self.sum_(torch.tensor([parameter.grad is not None for parameter in trained], device=self.device).int())
        gradients: list[Tensor] = []
        for parameter, count in zip(trained, used.tolist(), strict=True):
            if count:
                if parameter.grad is None:
                    parameter.grad = torch.zeros_like(parameter)
                gradients.append(parameter.grad)
        for bucket in _buckets(gradients):
            flat = self.sum_(torch.cat([gradient.reshape(-1) for gradient in bucket]))
            for gradient, part in zip(bucket, torch.split(flat, [one.numel() for one in bucket]), strict=True):
                gradient.copy_(part.view(gradient.shape))

    def gather(self, rows: list[T]) -> list[T]:
        """The rows of all processes by rank, on each of them."""
        if self.size == 1:
            return rows
        gathered: list[Any] = [None] * self.size
        dist.all_gather_object(gathered, rows)
        return [row for part in gathered for row in part]

    def broadcast(self, value: T) -> T:
        """The first process's value, on each of them."""
        if self.size == 1:
            return value
        box = [value]
        dist.broadcast_object_list(box, src=0)
        return box[0]

    def part(self, items: Sequence[T]) -> list[T]:
        """This process's share of a list; the shares joined by rank are the list."""
        first, last = (rank * len(items) // self.size for rank in (self.rank, self.rank + 1))
        return list(items[first:last])


@contextmanager
def join_world(device: str = "auto") -> Iterator[World]:
    """Join the processes that torchrun started; a process group that the caller has made is used and left alone.

    Args:
        device: ``"auto"`` takes this process's GPU, the CPU where there is none; else as torch names devices.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    picked = pick_device(device, share=False)
    if picked.type == "cuda":
        torch.cuda.set_device(picked)
    started = size > 1 and not dist.is_initialized()
    if started:
        # Imported later (an optimiser does), its default arguments hold the group of that moment for ever: gloo's
        # threads outlive the group, and now and then abort the process at its end.
        importlib.import_module("torch.distributed.nn")

        # Objects travel over gloo: with nccl they would go through the GPU.
        dist.init_process_group("cpu:gloo,cuda:nccl" if picked.type == "cuda" else "gloo", timeout=_PATIENCE)
    try:
        if dist.is_initialized():
            yield World(dist.get_rank(), dist.get_world_size(), picked)
        else:
            yield World(device=picked)
    finally:
        if started:
            dist.destroy_process_group()


def _buckets(tensors: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    bucket: list[Tensor] = []
    for tensor in tensors:
        if bucket and (
            sum(one.numel() for one in bucket) + tensor.numel() > _BUCKET or tensor.dtype != bucket[0].dtype
        ):
            yield bucket
            bucket = []
        bucket.append(tensor)
    if bucket:
        yield bucket
