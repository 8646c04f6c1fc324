"""Image towers of timm: DINOv2, DINOv3, ConvNeXt, EVA and hundreds of others."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
from PIL import Image as PILImage
from timm.data import create_transform, resolve_model_data_config

from .embedder import Embeddings, Image
from .towers import Precision, Runner, check_device, describe, hash_weights, loading

__all__ = ["TimmEmbedder"]


class TimmEmbedder:
    """Pooled features of any model of timm, with its own preprocessing.

    >>> TimmEmbedder("vit_base_patch14_dinov2.lvd142m", device="cuda", precision="bf16")  # doctest: +SKIP
    >>> TimmEmbedder("local-dir:models/my-tower")  # doctest: +SKIP

    Args:
        model: Name with the tag of its weights; or ``hf-hub:…`` or ``local-dir:…`` (a folder with ``config.json`` and
            weights, as `timm.models.save_for_hf` writes it).
        weights: File of weights for an architecture, instead of those of the name.
        device: Where the model runs, for example ``"cuda"``.
        precision: ``"bf16"`` or ``"fp16"`` are about twice as fast on GPUs.
        whole: Scale the whole crop to the model's size, instead of scaling it larger and cutting the edges off.
        batch: Crops per pass.
        workers: Threads that prepare crops; the number of CPU cores where None.

    Raises:
        WeightsError: If the model is unknown, or its weights are missing, damaged or of another architecture. They
            are never random.
    """

    def __init__(
        self,
        model: str = "vit_base_patch14_dinov2.lvd142m",
        weights: Path | None = None,
        *,
        device: str = "cpu",
        precision: Precision = "fp32",
        whole: bool = True,
        batch: int = 32,
        workers: int | None = None,
    ) -> None:
        self.device = check_device(device, precision)
        overlay: dict[str, Any] = {} if weights is None else {"pretrained_cfg_overlay": {"file": str(weights)}}
        with loading(f"timm model {model!r}" + ("" if weights is None else f" with weights {str(weights)!r}")):
            if weights is not None and model.startswith(("hf-hub:", "hf_hub:", "local-dir:")):
                raise ValueError("this model brings its own weights; give the name of an architecture")
            if weights is not None and not weights.is_file():
                raise FileNotFoundError(f"{weights}: there are no such weights")
            self.model = timm.create_model(model, pretrained=True, num_classes=0, **overlay).eval().to(self.device)
        data = resolve_model_data_config(self.model)
        if whole:
            data = {**data, "crop_pct": 1.0, "crop_mode": "squash"}
        transform = create_transform(**data, is_training=False)

        def prepare(crop: Image) -> torch.Tensor:
            tensor: torch.Tensor = transform(PILImage.fromarray(crop))
            return tensor

        self._run = Runner(prepare, self.model, device=self.device, precision=precision, batch=batch, workers=workers)
        self.dim = self._run.measure()
        name = Path(model).name if model.startswith("local-dir:") else model
        self.identity = f"timm:{name}@{hash_weights(self.model)}/{describe(**data)}/{precision}"

    def __call__(self, crops: Sequence[Image]) -> Embeddings:
        """(N, D) float32, unit rows, of N crops (h, w, 3) uint8 RGB of any sizes."""
        return np.concatenate(self._run(crops)) if crops else np.zeros((0, self.dim), dtype=np.float32)
