"""What the torch image towers share: batches of one shape, autocast, preparation in threads, a hash of weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from hashlib import sha256
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from divergen_records import ConfigError, WeightsError
from divergen_records.cores import usable_cores
from divergen_records.devices import pick_device
from divergen_records.pretrained import loading_errors, why_not_loaded
from torch.nn import functional as F

from .embedder import Embeddings, Image

__all__ = ["Precision", "Runner", "check_device", "describe", "hash_weights", "loading"]

Precision: TypeAlias = Literal["fp32", "bf16", "fp16"]
"""Arithmetic of the model; weights stay fp32, matrix products are autocast."""

_TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


class Runner:
    """Runs an image tower over crops.

    Every pass has the same shape: the last batch is filled up with zeros, so that a crop's vector does not depend on
    how many others came along. While the model computes, threads prepare the next batch.

    Args:
        prepare: One crop (h, w, 3) uint8 RGB -> the model's input (3, S, S) float32.
        forward: A batch (B, 3, S, S) on ``device`` -> features (B, D).
        device: Where the model is.
        precision: See `Precision`.
        batch: Crops per pass.
        workers: Threads that prepare; the number of CPU cores where None.
    """

    def __init__(
        self,
        prepare: Callable[[Image], torch.Tensor],
        forward: Callable[[torch.Tensor], torch.Tensor],
        *,
        device: torch.device,
        precision: Precision = "fp32",
        batch: int = 32,
        workers: int | None = None,
    ) -> None:
        self._prepare, self._forward = prepare, forward
        self.device, self.precision, self.batch = device, precision, batch
        self.workers = workers or usable_cores()

    def __call__(self, crops: Sequence[Image]) -> list[Embeddings]:
        """Unit vectors of the crops: one array (b, D) float32 per batch."""
        return [self._embed(pixels) for pixels in self._prepared(crops)]

    def measure(self) -> int:
        """D, found out by a pass over two equal crops.

        Raises:
            ConfigError: If their vectors differ, as those of masked autoencoders do, which hide parts by chance.
        """
        crop = np.arange(0, 256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=2)
        one, other = np.concatenate(self([crop] * 2))
        if not np.allclose(one, other, atol=1e-3):
            raise ConfigError(
                "this model gives equal pictures different vectors; take one that draws nothing by chance"
            )
        return len(one)

    def autocast(self) -> AbstractContextManager[Any]:
        """The context in which the model computes."""
        if self.precision == "fp32":
            return nullcontext()
        return torch.autocast(self.device.type, dtype=_TYPES[self.precision])

    def _prepared(self, crops: Sequence[Image]) -> Iterator[torch.Tensor]:
        """Batches (b, 3, S, S), b <= ``batch``; one is prepared ahead."""
        if not crops:
            return
        with ThreadPoolExecutor(self.workers, thread_name_prefix="divergen-prepare") as pool:
            starts = range(0, len(crops), self.batch)
            ahead = [pool.submit(self._prepare, crop) for crop in crops[: self.batch]]
            for start in starts:
                tensors = [future.result() for future in ahead]
                end = start + self.batch
                ahead = [pool.submit(self._prepare, crop) for crop in crops[end : end + self.batch]]
                yield torch.stack(tensors)

    def _embed(self, pixels: torch.Tensor) -> Embeddings:
        count = len(pixels)
        with torch.inference_mode(), self.autocast():
            batch = torch.zeros((self.batch, *pixels.shape[1:]))
            batch[:count] = pixels
            if self.device.type == "cuda":
                batch = batch.pin_memory()
            features = self._forward(batch.to(self.device, non_blocking=True))
        if features.ndim != 2:
            raise ConfigError(
                f"this model gives features of the shape {tuple(features.shape)}, not one vector per picture; "
                "take one with a pooled output"
            )
        return np.asarray(F.normalize(features[:count].float(), dim=1).cpu().numpy(), dtype=np.float32)


def check_device(device: str, precision: Precision) -> torch.device:
    """The device, ready for use.

    Raises:
        ConfigError: If it is unknown, not there, or cannot compute at this precision.
    """
    found: torch.device = pick_device(device)
    if precision == "fp16" and found.type == "cpu":
        raise ConfigError("precision fp16 is for GPUs; on a CPU take bf16 or fp32")
    return found


def hash_weights(model: torch.nn.Module) -> str:
    """12 hex digits from the names, shapes and bytes of all tensors: equal for equal weights, whatever the file."""
    digest = sha256()
    for name, tensor in sorted(model.state_dict().items()):
        array = tensor.detach().cpu().contiguous()
        digest.update(f"{name}{tuple(array.shape)}{array.dtype}".encode())
        digest.update(array.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:12]


def describe(**preprocessing: Any) -> str:
    """The preprocessing as a short text, for an embedder's identity."""
    parts = []
    for key, value in preprocessing.items():
        values = value if isinstance(value, (list, tuple)) else [value]
        parts.append(f"{key}=" + "x".join(f"{item:.4g}" if isinstance(item, float) else str(item) for item in values))
    return ",".join(parts)


@contextmanager
def loading(what: str) -> Iterator[None]:
    """Translate what model libraries raise while they load into `WeightsError`."""
    try:
        yield
    except loading_errors() as error:
        raise WeightsError(
            f"{what} cannot be loaded: {why_not_loaded(error)}. Give a local path, or make sure that the weights can "
            "be downloaded or are in the cache; they are never random"
        ) from error
