"""What several processes that train one model must agree on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

__all__ = ["from_all_ranks", "mean_over_ranks", "world_size"]

_BUCKET = 1 << 24


def world_size() -> int:
    """Processes that train together; 1 without ``torch.distributed``."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def mean_over_ranks(tensors: Sequence[Tensor]) -> list[Tensor]:
    """The mean over all ranks of each tensor, sent in buckets."""
    count = world_size()
    if count == 1:
        return list(tensors)
    found: list[Tensor] = []
    bucket: list[Tensor] = []
    for tensor in [*tensors, None]:
        full = sum(part.numel() for part in bucket) >= _BUCKET
        if bucket and (tensor is None or full or tensor.dtype != bucket[0].dtype):
            found += _mean(bucket, count)
            bucket = []
        if tensor is not None:
            bucket.append(tensor)
    return found


def _mean(tensors: list[Tensor], count: int) -> list[Tensor]:
    flat = torch.cat([tensor.detach().reshape(-1) for tensor in tensors])
    dist.all_reduce(flat)
    flat /= count
    parts = torch.split(flat, [tensor.numel() for tensor in tensors])
    return [part.view(tensor.shape) for part, tensor in zip(parts, tensors, strict=True)]


def from_all_ranks(item: Any) -> tuple[list[Any], int]:
    """Every rank's item in rank order, and the own rank."""
    if world_size() == 1:
        return [item], 0
    items: list[Any] = [None] * world_size()
    dist.all_gather_object(items, item)
    return items, dist.get_rank()
