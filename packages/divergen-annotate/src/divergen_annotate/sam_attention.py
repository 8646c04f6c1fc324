"""SAM's attention with relative positions through PyTorch's fused kernels, without a matrix of all pairs of tokens.

The reference adds rel_h[q, row of k] + rel_w[q, column of k] to the logits, which takes memory for all pairs: half a
gigabyte a picture and block at 1,024 pixels. But these terms are inner products as well, of the query's rel_h and rel_w
with the one-hot row and column of the key. So both are put behind the query and the key, and any fused kernel does the
rest:

    logits[q, k] = [scale * q, rel_h[q], rel_w[q]] . [k, one_hot(row of k), one_hot(column of k)]

Within windows of 14 x 14 tokens the matrix is small, and is given to the kernel as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn import functional as F

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["FusedAttention", "use_fused_attention"]


def use_fused_attention(encoder: Any) -> None:
    """Replace the attention of each block of a ``segment_anything.modeling.ImageEncoderViT``, in place."""
    for block in encoder.blocks:
        if not isinstance(block.attn, FusedAttention):
            block.attn = FusedAttention(block.attn)


class FusedAttention(nn.Module):
    """``segment_anything.modeling.image_encoder.Attention`` with the same weights and, to rounding, the same result."""

    def __init__(self, reference: Any) -> None:
        super().__init__()
        self.qkv, self.proj = reference.qkv, reference.proj
        self.num_heads, self.scale = reference.num_heads, reference.scale
        self.rel_h: Tensor
        self.rel_w: Tensor
        self.place: Tensor
        span = (reference.rel_pos_h.shape[0] + 1) // 2
        offset = torch.arange(span)[:, None] - torch.arange(span)[None, :] + span - 1
        self.register_buffer("rel_h", reference.rel_pos_h.detach()[offset.to(reference.rel_pos_h.device)], False)
        self.register_buffer("rel_w", reference.rel_pos_w.detach()[offset.to(reference.rel_pos_w.device)], False)
        rows = torch.eye(span).repeat_interleave(span, dim=0)
        columns = torch.eye(span).repeat(span, 1)
        self.register_buffer("place", torch.cat([rows, columns], dim=1).to(reference.rel_pos_h.device), False)

    def forward(self, x: Tensor) -> Tensor:
        """Attend within (N, h, w, C) tokens."""
        count, height, width, channels = x.shape
        qkv = self.qkv(x).reshape(count, height * width, 3, self.num_heads, -1).permute(2, 0, 3, 1, 4)
        q, k, v = qkv.unbind(0)
        grid = q.reshape(count, self.num_heads, height, width, -1)
        rel_h = torch.einsum("nahwc,hkc->nahwk", grid, self.rel_h.to(q.dtype))
        rel_w = torch.einsum("nahwc,wkc->nahwk", grid, self.rel_w.to(q.dtype))
        if height * width <= _SMALL:
            bias = (rel_h[..., :, None] + rel_w[..., None, :]).flatten(4).flatten(2, 3)
            out = F.scaled_dot_product_attention(q, k, v, attn_mask=bias, scale=self.scale)
        else:
            out = self._attend(q, k, v, rel_h.flatten(2, 3), rel_w.flatten(2, 3))
        result: Tensor = self.proj(out.transpose(1, 2).reshape(count, height, width, channels))
        return result

    def _attend(self, q: Tensor, k: Tensor, v: Tensor, rel_h: Tensor, rel_w: Tensor) -> Tensor:
        query = torch.cat([q * self.scale, rel_h, rel_w], dim=-1)
        key = torch.cat([k, self.place.to(k.dtype).expand(*k.shape[:2], -1, -1)], dim=-1)
        value = F.pad(v, (0, query.shape[-1] - v.shape[-1]))  # fused kernels want one width
        return F.scaled_dot_product_attention(query, key, value, scale=1.0)[..., : v.shape[-1]]


_SMALL = 256
"""Tokens up to which the matrix of all pairs costs less than longer queries and keys: SAM's windows of 14 x 14."""
