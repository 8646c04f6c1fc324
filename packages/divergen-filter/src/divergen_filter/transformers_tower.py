"""Image towers of transformers: CLIP, SigLIP, DINOv2, DINOv3 and others, from a hub id or a folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from divergen_records import ConfigError, require_extra
from divergen_records.pretrained import find_pretrained, quiet_loading, why_not_loaded

from .embedder import Embeddings, Image
from .towers import Precision, Runner, check_device, describe, hash_weights, loading

with require_extra("divergen-filter", "transformers"):
    from transformers import AutoImageProcessor, AutoModel

__all__ = ["TransformersEmbedder"]


class TransformersEmbedder:
    """The pooled output of a vision model of transformers, or the image features of a two-tower model such as CLIP.

    >>> TransformersEmbedder("facebook/dinov2-base", device="cuda", precision="bf16")  # doctest: +SKIP

    Args:
        model: Hub id, or a folder as `save_pretrained` writes it.
        revision: Commit, branch or tag on the hub.
        device: Where the model runs, for example ``"cuda"``.
        precision: ``"bf16"`` or ``"fp16"`` are about twice as fast on GPUs.
        batch: Crops per pass.
        workers: Threads that prepare crops; the number of CPU cores where None.

    Raises:
        WeightsError: If the model is unknown, or weights are missing or of another architecture. They are never
            random: a checkpoint that lacks a single tensor is refused, unless it is that of a pooler; then the first
            token is the vector.
        ConfigError: If the model takes something else than pictures.
    """

    def __init__(
        self,
        model: str,
        revision: str | None = None,
        *,
        device: str = "cpu",
        precision: Precision = "fp32",
        batch: int = 32,
        workers: int | None = None,
    ) -> None:
        self.device = check_device(device, precision)
        self._source, self._revision = model, revision
        place = find_pretrained(model)
        place.check_processor()
        variant = place.find_variant()
        with loading(f"transformers model {model!r}"), quiet_loading():
            options: dict[str, Any] = {"trust_remote_code": False}  # else it asks at the terminal
            options |= {} if revision is None else {"revision": revision}
            found, report = AutoModel.from_pretrained(
                place.source, variant=variant, output_loading_info=True, **options
            )
            missing = sorted(report["missing_keys"]) + sorted(map(str, report.get("mismatched_keys", ())))
            if missing and all(name.startswith("pooler.") for name in missing):  # DINO's, and classifiers' ViT
                found.pooler, missing = None, []
            if missing:
                raise ValueError(f"the checkpoint lacks {len(missing)} tensors, the first is {missing[0]}")
            self._processor = AutoImageProcessor.from_pretrained(place.source, **options)
        self.model = found.float().eval().to(self.device)
        self._run = Runner(
            self._prepare, self._features, device=self.device, precision=precision, batch=batch, workers=workers
        )
        try:
            self.dim = self._run.measure()
        except (TypeError, ValueError, AttributeError, LookupError) as error:
            raise ConfigError(
                f"transformers model {model!r}: a {type(self.model).__name__} gives no vector of a picture alone "
                f"({why_not_loaded(error)}); take an image tower, as of CLIP, SigLIP or DINOv2"
            ) from error
        settings = self._processor.to_dict()
        shown = {key: settings[key] for key in _SHOWN if settings.get(key) is not None}
        name = Path(model).name if Path(model).is_dir() else model
        self.identity = f"transformers:{name}@{hash_weights(self.model)}/{describe(**shown)}/{precision}"

    def __call__(self, crops: Sequence[Image]) -> Embeddings:
        """(N, D) float32, unit rows, of N crops (h, w, 3) uint8 RGB of any sizes."""
        return np.concatenate(self._run(crops)) if crops else np.zeros((0, self.dim), dtype=np.float32)

    def _prepare(self, crop: Image) -> torch.Tensor:
        pixels: torch.Tensor = self._processor(images=crop, return_tensors="pt", input_data_format="channels_last")[
            "pixel_values"
        ][0]
        return pixels

    def _features(self, pixels: torch.Tensor) -> torch.Tensor:
        if hasattr(self.model, "get_image_features"):
            return _tensor(self.model.get_image_features(pixel_values=pixels))
        return _tensor(self.model(pixel_values=pixels))


_SHOWN = ("size", "crop_size", "do_resize", "do_center_crop", "resample", "image_mean", "image_std")


def _tensor(output: Any) -> torch.Tensor:
    """The pooled vectors (B, D) of a model's output; the first token where it has no pooling."""
    if isinstance(output, torch.Tensor):
        return output
    pooled: torch.Tensor | None = getattr(output, "pooler_output", None)
    if pooled is None:
        hidden: torch.Tensor = output.last_hidden_state
        return hidden[:, 0] if hidden.ndim == 3 else hidden.mean(dim=(2, 3))
    return pooled.flatten(1)
