"""Region pooling by table look-up: RoIAlign with one sample a cell, whose backward pass costs a tenth on a CPU."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["GatheredRoIAlign"]

_CANONICAL_SIZE, _CANONICAL_LEVEL = 224, 4
"""Side of a region that is pooled from the level of stride 16 (FPN, equation 1)."""


class GatheredRoIAlign(nn.Module):
    """`torchvision.ops.MultiScaleRoIAlign` with one sample in the middle of each cell, equal to rounding.

    All levels are one table with a row of channels for each place; a cell is the weighted sum of four of its rows, the
    neighbours of its middle. torchvision's backward pass on a CPU walks channel by channel instead.

    Args:
        levels: Names of the pyramid's levels, finest first.
        output_size: Cells along a side.
    """

    def __init__(self, levels: Sequence[str], output_size: int) -> None:
        super().__init__()
        self.levels, self.output_size = list(levels), output_size

    def forward(self, features: dict[str, Tensor], boxes: list[Tensor], image_shapes: list[tuple[int, int]]) -> Tensor:
        """Pooled regions, (N, C, S, S), channels last in memory.

        Args:
            features: The pyramid, each (B, C, H, W).
            boxes: For each image (N_i, 4), XYXY, pixels.
            image_shapes: (height, width) of each image.
        """
        maps = [features[name] for name in self.levels]
        table = torch.cat([one.permute(0, 2, 3, 1).reshape(-1, one.shape[1]) for one in maps])
        image = torch.cat([torch.full((len(some),), index, device=table.device) for index, some in enumerate(boxes)])
        regions = torch.cat(boxes).to(table.dtype)
        strides = table.new_tensor([2.0 ** round(_log2(image_shapes, one)) for one in maps])
        level = self._level(regions, strides)
        rows, weights = _neighbours(regions / strides[level, None], image, level, maps, self.output_size)
        size = self.output_size
        pooled: Tensor = _WeightedRows.apply(table, rows, weights.to(table.dtype))
        return pooled.view(-1, size, size, table.shape[1]).permute(0, 3, 1, 2)

    def _level(self, regions: Tensor, strides: Tensor) -> Tensor:
        """(N,) which level each region is pooled from, by its size."""
        first, last = (int(stride.log2()) for stride in (strides[0], strides[-1]))
        side = ((regions[:, 2] - regions[:, 0]) * (regions[:, 3] - regions[:, 1])).sqrt()
        wanted = torch.floor(_CANONICAL_LEVEL + torch.log2(side / _CANONICAL_SIZE) + 1e-6)
        return wanted.clamp(first, last).long() - first


def _log2(image_shapes: list[tuple[int, int]], level: Tensor) -> float:
    """Of the stride of a level."""
    height = max(shape[0] for shape in image_shapes)
    return float(torch.log2(torch.tensor(height / level.shape[2])))


def _neighbours(
    regions: Tensor, image: Tensor, level: Tensor, maps: Sequence[Tensor], size: int
) -> tuple[Tensor, Tensor]:
    """Rows of the table around the middle of each cell, (N * S * S, 4) int64, and their bilinear weights.

    Args:
        regions: (N, 4), XYXY, in cells of their levels.
        image: (N,) int64, their images.
        level: (N,) int64, their levels.
        maps: The levels, each (B, C, H, W).
        size: Cells along a side, S.
    """
    device = regions.device
    heights, widths = (torch.tensor([one.shape[axis] for one in maps], device=device)[level] for axis in (2, 3))
    counts = torch.tensor([0, *(one.shape[0] * one.shape[2] * one.shape[3] for one in maps[:-1])], device=device)
    start = counts.cumsum(0)[level] + image * heights * widths
    middles = (torch.arange(size, device=device, dtype=regions.dtype) + 0.5) / size
    (x0, x1, in_x, wx), (y0, y1, in_y, wy) = (
        _axis(regions[:, axis], regions[:, axis + 2], middles, limits) for axis, limits in ((0, widths), (1, heights))
    )
    rows, weights = [], []
    for y, part_y in ((y0, 1 - wy), (y1, wy)):
        for x, part_x in ((x0, 1 - wx), (x1, wx)):
            rows.append(start[:, None, None] + y[:, :, None] * widths[:, None, None] + x[:, None, :])
            weights.append((in_y * part_y)[:, :, None] * (in_x * part_x)[:, None, :])
    return torch.stack(rows, -1).view(-1, 4), torch.stack(weights, -1).view(-1, 4)


def _axis(low: Tensor, high: Tensor, middles: Tensor, limit: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Along one axis: the cells on both sides of each sample, whether it is in the map, and the share of the second.

    All (N, S); a sample up to one cell outside counts as on the edge.
    """
    place = low[:, None] + (high - low).clamp(min=1)[:, None] * middles
    inside = ((place >= -1) & (place <= limit[:, None])).to(place.dtype)
    place = place.clamp(min=0).minimum((limit - 1)[:, None].to(place.dtype))
    before = place.floor()
    first = before.long()
    return first, (first + 1).minimum(limit[:, None] - 1), inside, place - before


class _WeightedRows(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, table: Tensor, rows: Tensor, weights: Tensor) -> Tensor:
        ctx.save_for_backward(rows, weights)
        ctx.length = len(table)
        return F.embedding_bag(rows, table, per_sample_weights=weights, mode="sum")

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        rows, weights = ctx.saved_tensors
        table = gradient.new_zeros(ctx.length, gradient.shape[1])
        gradient = gradient.contiguous()
        for neighbour in range(4):
            table.index_add_(0, rows[:, neighbour], gradient * weights[:, neighbour, None])
        return table, None, None
