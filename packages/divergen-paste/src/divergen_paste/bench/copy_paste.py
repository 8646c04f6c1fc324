"""Simple Copy-Paste (arXiv 2012.07177) as mmdet and as torchvision's references do it, re-stated for the benchmark.

Both take a whole second image with its objects, already read and already of the right size, and put those objects onto
the first at the places where they are. Reading, scaling and placing, which is most of what a paste of instances does,
lies outside. Both are run here with all objects of the second image, so that the work is the same.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from divergen_records import require_extra

from .published import Scene, tight_boxes

__all__ = ["MmdetCopyPaste", "TorchvisionCopyPaste"]


class MmdetCopyPaste:
    """mmdet's ``CopyPaste``: bitmaps in numpy, one whole-canvas mix, boxes from masks, the 10 px / 300 px rule.

    Args:
        box_shift: ``bbox_occluded_thr``.
        min_visible: ``mask_occluded_thr``.
    """

    def __init__(self, box_shift: int = 10, min_visible: int = 300) -> None:
        self.box_shift, self.min_visible = box_shift, min_visible

    def __call__(self, target: Scene, source: Scene) -> Scene:
        """Paste the objects of a scene onto another of the same size; images are (3, H, W)."""
        covered = source.masks.any(axis=0)
        masks = np.where(covered, 0, target.masks)
        boxes = tight_boxes(masks)
        unmoved = (np.abs(boxes - target.boxes) <= self.box_shift).all(axis=1)
        stays = unmoved | (masks.sum(axis=(1, 2)) > self.min_visible)
        mixed = target.image * (1 - covered) + source.image * covered
        return Scene(
            mixed.astype(np.uint8),
            np.concatenate([boxes[stays], source.boxes]),
            np.concatenate([target.labels[stays], source.labels]),
            np.concatenate([masks[stays], source.masks]),
        )


class TorchvisionCopyPaste:
    """``SimpleCopyPaste`` of torchvision's detection references: tensors, blurred alpha, areas made anew.

    Args:
        blend: Blur the alpha by a Gaussian (5 pixels wide, sigma 2), as is its default.
    """

    def __init__(self, blend: bool = True) -> None:
        with require_extra("divergen-paste", "torchvision"):
            import torch
            import torchvision
        self._torch, self._vision = torch, torchvision
        self.blend = blend

    def tensors(self, scene: Scene) -> dict[str, Any]:
        """A scene in torchvision's types: image (3, H, W) uint8, masks (N, H, W) uint8, boxes, labels."""
        make = self._torch.from_numpy
        return {
            "image": make(scene.image),
            "masks": make(np.asarray(scene.masks).astype(np.uint8)),
            "boxes": make(scene.boxes),
            "labels": make(scene.labels),
        }

    def __call__(self, target: dict[str, Any], source: dict[str, Any]) -> dict[str, Any]:
        """Paste the objects of one image onto another of the same size; see `tensors`."""
        torch = self._torch
        alpha = source["masks"].sum(dim=0) > 0
        if self.blend:
            alpha = self._vision.transforms.functional.gaussian_blur(alpha[None], kernel_size=[5, 5], sigma=[2.0])[0]
        image = target["image"] * ~alpha + source["image"] * alpha
        masks = target["masks"] * ~alpha
        stays = masks.sum((-1, -2)) > 0
        masks = masks[stays]
        result = {
            "image": image,
            "masks": torch.cat([masks, source["masks"]]),
            "boxes": torch.cat([self._vision.ops.masks_to_boxes(masks), source["boxes"]]),
            "labels": torch.cat([target["labels"][stays], source["labels"]]),
        }
        result["area"] = result["masks"].sum((-1, -2), dtype=torch.float32)
        return result
